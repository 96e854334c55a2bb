/* A chat server in C, as the limit of what one thread can do: every line goes to everybody.

       chat [-each] --port PORT

   The lines that one turn of the loop reads are joined, and written to each client with one write.
   -each: every line is written to each client at once, one write for each line and client.

   What a client does not take is kept for it.  Who lets more than MOST_WAITING bytes wait, or does not
   end a line within LONGEST, is dropped: nobody waits for anybody.  It knows nothing of names, of limits
   for those who send, or of lines that hurt a terminal; where the system refuses something, it ends.  */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* MOST_JOINED: of one turn, so that many short lines at once, which grow by SAYS, take no more. */
enum { EVENTS = 256, CHUNK = 65536, LONGEST = 65536, MOST_JOINED = 1 << 20, MOST_WAITING = 8 << 20 };

static const char WELCOME[] = "Welcome to the party!\r\n", SAYS[] = "127.0.0.1 says ", END[] = "\r\n";

struct bytes {
    char *data;
    size_t length;
    size_t room;
};

struct client {
    int socket; /* -1: it has left, or was dropped, in this turn */
    struct bytes line;    /* the beginning of one */
    struct bytes waiting; /* what it has not taken */
    size_t taken;         /* of that */
};

static struct client **clients;
static size_t present, places;
static struct bytes joined;
static int epoll, each, somebody_left;

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void append(struct bytes *bytes, const char *data, size_t length)
{
    if (bytes->length + length > bytes->room) {
        bytes->room = 2 * (bytes->length + length);
        if ((bytes->data = realloc(bytes->data, bytes->room)) == NULL)
            fail("realloc");
    }
    memcpy(bytes->data + bytes->length, data, length);
    bytes->length += length;
}

static void empty(struct bytes *bytes)
{
    free(bytes->data);
    *bytes = (struct bytes){.data = NULL};
}

static void watch(struct client *client, int how, int events)
{
    struct epoll_event event = {.events = events, .data.ptr = client};
    if (epoll_ctl(epoll, how, client->socket, &event) < 0)
        fail("epoll_ctl");
}

static void drop(struct client *client)
{
    close(client->socket);
    client->socket = -1;
    somebody_left = 1;
}

/* How many bytes it takes now; -1 if it is gone. */
static ssize_t write_now(struct client *client, const char *data, size_t length)
{
    ssize_t count = send(client->socket, data, length, MSG_NOSIGNAL);
    if (count < 0 && errno == EAGAIN)
        return 0;
    if (count < 0)
        drop(client);
    return count;
}

static void write_to(struct client *client, const char *data, size_t length)
{
    ssize_t count = 0;
    if (client->waiting.length == 0) {
        count = write_now(client, data, length);
        if (count < 0 || (size_t) count == length)
            return;
        watch(client, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
    }
    append(&client->waiting, data + count, length - count);
    if (client->waiting.length - client->taken > MOST_WAITING)
        drop(client);
}

static void write_what_waits(struct client *client)
{
    struct bytes *waiting = &client->waiting;
    ssize_t count = write_now(client, waiting->data + client->taken, waiting->length - client->taken);
    if (count < 0)
        return;
    client->taken += count;
    if (client->taken == waiting->length) {
        empty(waiting);
        client->taken = 0;
        watch(client, EPOLL_CTL_MOD, EPOLLIN);
    } else if (client->taken > waiting->length / 2) { /* or it would grow as long as it takes some */
        waiting->length -= client->taken;
        memmove(waiting->data, waiting->data + client->taken, waiting->length);
        client->taken = 0;
    }
}

static void write_to_everybody(void)
{
    for (size_t at = 0; at < present && joined.length > 0; at++)
        if (clients[at]->socket >= 0)
            write_to(clients[at], joined.data, joined.length);
    joined.length = 0;
}

static void say(const char *line, size_t length)
{
    if (length > 0 && line[length - 1] == '\r')
        length--;
    append(&joined, SAYS, sizeof SAYS - 1);
    append(&joined, line, length);
    append(&joined, END, sizeof END - 1);
    if (each || joined.length > MOST_JOINED)
        write_to_everybody();
}

/* Say what is whole of a client's line and what comes after it, and keep the rest. */
static void hear(struct client *client, const char *data, size_t length)
{
    const char *end;
    while ((end = memchr(data, '\n', length)) != NULL) {
        size_t size = end - data;
        if (client->line.length > 0) {
            append(&client->line, data, size);
            say(client->line.data, client->line.length);
            empty(&client->line);
        } else {
            say(data, size);
        }
        data += size + 1;
        length -= size + 1;
    }
    if (length > 0)
        append(&client->line, data, length);
}

static void read_from(struct client *client)
{
    static char chunk[CHUNK];
    ssize_t count = recv(client->socket, chunk, sizeof chunk, 0);
    if (count < 0 && errno == EAGAIN)
        return;
    if (count > 0)
        hear(client, chunk, count);
    /* It may have been dropped as one of those who heard its line. */
    if (client->socket >= 0 && (count <= 0 || client->line.length > LONGEST))
        drop(client);
}

static void let_in(int listener)
{
    int dialled, one = 1;
    while ((dialled = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct client *client = calloc(1, sizeof *client);
        if (present == places) {
            places = places ? 2 * places : EVENTS;
            clients = realloc(clients, places * sizeof *clients);
        }
        if (client == NULL || clients == NULL)
            fail("malloc");
        client->socket = dialled;
        clients[present++] = client;
        setsockopt(dialled, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        watch(client, EPOLL_CTL_ADD, EPOLLIN);
        write_to(client, WELCOME, sizeof WELCOME - 1);
    }
    if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
        fail("accept");
}

/* Only when a turn is over: until then, events may speak of them. */
static void forget_who_left(void)
{
    size_t kept = 0;
    for (size_t at = 0; at < present; at++) {
        struct client *client = clients[at];
        if (client->socket >= 0) {
            clients[kept++] = client;
            continue;
        }
        empty(&client->line);
        empty(&client->waiting);
        free(client);
    }
    present = kept;
    somebody_left = 0;
}

static void serve(int listener)
{
    struct epoll_event events[EVENTS];
    for (;;) {
        int ready = epoll_wait(epoll, events, EVENTS, -1);
        if (ready < 0 && errno != EINTR)
            fail("epoll_wait");
        for (int at = 0; at < ready; at++) {
            struct client *client = events[at].data.ptr;
            if (client == NULL) {
                let_in(listener);
                continue;
            }
            if (client->socket >= 0 && client->waiting.length > 0 && events[at].events & EPOLLOUT)
                write_what_waits(client);
            if (client->socket >= 0 && events[at].events & ~EPOLLOUT)
                read_from(client);
        }
        write_to_everybody();
        if (somebody_left)
            forget_who_left();
    }
}

static int listen_on(int port)
{
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(port)};
    int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *) &here, sizeof here) < 0 || listen(listener, 1024) < 0)
        fail("listen");
    return listener;
}

int main(int count, char **words)
{
    each = count > 1 && strcmp(words[1], "-each") == 0;
    if (count != 3 + each || strcmp(words[1 + each], "--port") != 0) {
        fprintf(stderr, "usage: chat [-each] --port PORT\n");
        return 2;
    }
    int listener = listen_on(atoi(words[2 + each]));
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) < 0)
        fail("epoll");
    serve(listener);
}
