// A chat server as a Go programmer writes it: two goroutines for each client, and one room.
//
// A client's reader takes lines and has the room pass them on; its writer sends what has gathered
// in the client's channel, joined into as few writes as it can; with -each every line by itself,
// which is the shortest form.  Whoever lets its channel fill up is dropped at once, and whoever
// takes nothing for a while is, too: nobody waits for anybody.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"log"
	"net"
	"sync"
	"time"
)

const (
	queueLines   = 1024             // lines that may wait for one client
	longestLine  = 64 << 10         // bytes, its end included
	writeBuffer  = 16 << 10         // bytes joined into one write
	writeTimeout = 10 * time.Second // after which a client that takes nothing is dropped
)

// A client's channel is closed by the room, when the client has left or was dropped.
type client struct {
	conn net.Conn
	name string
	send chan []byte
}

type room struct {
	mu      sync.Mutex
	clients map[*client]struct{}
	each    bool
}

func (r *room) join(c *client) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.clients[c] = struct{}{}
}

func (r *room) leave(c *client) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.remove(c)
}

// broadcast queues the same bytes for everybody.
func (r *room) broadcast(message []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.clients {
		select {
		case c.send <- message:
		default:
			r.remove(c)
			c.conn.Close() // its writer may be stuck in a write
		}
	}
}

func (r *room) remove(c *client) {
	if _, present := r.clients[c]; present {
		delete(r.clients, c)
		close(c.send)
	}
}

func (r *room) serve(conn net.Conn) {
	host, _, err := net.SplitHostPort(conn.RemoteAddr().String())
	if err != nil {
		host = conn.RemoteAddr().String()
	}
	c := &client{conn: conn, name: host, send: make(chan []byte, queueLines)}
	c.send <- []byte("Welcome to the party!\r\n")
	r.join(c)
	defer r.leave(c)
	if r.each {
		go c.writeEach()
	} else {
		go c.write()
	}
	c.read(r)
}

func (c *client) read(r *room) {
	lines := bufio.NewScanner(c.conn)
	lines.Buffer(make([]byte, 0, 4096), longestLine)
	for lines.Scan() {
		r.broadcast([]byte(fmt.Sprintf("%s says %s\r\n", c.name, lines.Bytes())))
	}
}

func (c *client) write() {
	defer c.conn.Close()
	out := bufio.NewWriterSize(c.conn, writeBuffer)
	for message := range c.send {
		c.conn.SetWriteDeadline(time.Now().Add(writeTimeout))
		out.Write(message) // an error stays, and Flush tells it
		for waiting := len(c.send); waiting > 0; waiting-- {
			if message, open := <-c.send; open {
				out.Write(message)
			}
		}
		if out.Flush() != nil {
			return
		}
	}
}

func (c *client) writeEach() {
	defer c.conn.Close()
	for message := range c.send {
		c.conn.SetWriteDeadline(time.Now().Add(writeTimeout))
		if _, err := c.conn.Write(message); err != nil {
			return
		}
	}
}

func main() {
	port := flag.Int("port", 0, "where to listen on 127.0.0.1")
	each := flag.Bool("each", false, "write every line by itself")
	flag.Parse()
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", *port))
	if err != nil {
		log.Fatal(err)
	}
	r := &room{clients: make(map[*client]struct{}), each: *each}
	for {
		conn, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go r.serve(conn)
	}
}
