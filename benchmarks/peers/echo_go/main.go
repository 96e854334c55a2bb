// An echo as a Go programmer writes it: a goroutine for each client, which reads and writes.
//
// Not io.Copy, which moves the bytes through a pipe with splice(2): that takes two more calls for
// each message.
package main

import (
	"flag"
	"fmt"
	"log"
	"net"
)

const bufferSize = 32 << 10 // bytes, as io.Copy takes

func echo(conn net.Conn) {
	defer conn.Close()
	buffer := make([]byte, bufferSize)
	for {
		count, err := conn.Read(buffer)
		if count > 0 {
			if _, err := conn.Write(buffer[:count]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func main() {
	port := flag.Int("port", 0, "where to listen on 127.0.0.1")
	flag.Parse()
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", *port))
	if err != nil {
		log.Fatal(err)
	}
	for {
		conn, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go echo(conn)
	}
}
