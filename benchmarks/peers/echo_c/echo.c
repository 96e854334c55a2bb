/* An echo in C, as the limit of what one thread can do with a read and a write for each message.

       echo --port PORT

   What came is sent back at once.  What the kernel does not take is kept, and nothing more is read from
   that peer until it is gone; so one read is the most that a peer can make it keep.  */
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

enum { EVENTS = 256, CHUNK = 65536 };

struct peer {
    int socket;
    size_t length; /* of what waits to be sent; 0 if nothing does */
    size_t sent;   /* of it */
    char *waiting;
};

static int listener, epoll;
static char chunk[CHUNK];

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void watch(struct peer *peer, int how, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = peer};
    if (epoll_ctl(epoll, how, peer->socket, &event) < 0)
        fail("epoll_ctl");
}

static void let_in(void)
{
    int one = 1, accepted = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    if (accepted < 0) {
        if (errno == ECONNABORTED || errno == EAGAIN)
            return;
        fail("accept");
    }
    struct peer *peer = calloc(1, sizeof *peer);
    if (peer == NULL)
        fail("malloc");
    peer->socket = accepted;
    setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    watch(peer, EPOLL_CTL_ADD, EPOLLIN);
}

static void hang_up(struct peer *peer)
{
    close(peer->socket);
    free(peer->waiting);
    free(peer);
}

/* Send what the kernel takes; -1 if the peer has gone.  */
static ssize_t send_some(struct peer *peer, const char *data, size_t length)
{
    ssize_t sent = send(peer->socket, data, length, MSG_NOSIGNAL);
    return sent < 0 && errno == EAGAIN ? 0 : sent;
}

static void keep(struct peer *peer, const char *data, size_t length)
{
    peer->waiting = malloc(length);
    if (peer->waiting == NULL)
        fail("malloc");
    memcpy(peer->waiting, data, length);
    peer->length = length;
    peer->sent = 0;
    watch(peer, EPOLL_CTL_MOD, EPOLLOUT);
}

/* The two that follow return 0 when the peer has gone.  */
static int answer(struct peer *peer)
{
    ssize_t count = recv(peer->socket, chunk, CHUNK, 0);
    if (count < 0 && errno == EAGAIN)
        return 1;
    if (count <= 0)
        return 0;
    ssize_t sent = send_some(peer, chunk, count);
    if (sent >= 0 && sent < count)
        keep(peer, chunk + sent, count - sent);
    return sent >= 0;
}

static int send_on(struct peer *peer)
{
    ssize_t sent = send_some(peer, peer->waiting + peer->sent, peer->length - peer->sent);
    if (sent < 0)
        return 0;
    peer->sent += sent;
    if (peer->sent == peer->length) {
        free(peer->waiting);
        peer->waiting = NULL;
        peer->length = 0;
        watch(peer, EPOLL_CTL_MOD, EPOLLIN);
    }
    return 1;
}

static int listen_on(int port)
{
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(port)};
    int one = 1, opened = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(opened, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(opened, (struct sockaddr *) &here, sizeof here) < 0 || listen(opened, 1024) < 0)
        fail("listen");
    return opened;
}

int main(int count, char **words)
{
    if (count != 3 || strcmp(words[1], "--port") != 0) {
        fprintf(stderr, "usage: echo --port PORT\n");
        return 2;
    }
    listener = listen_on(atoi(words[2]));
    epoll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN}, events[EVENTS];
    if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) < 0)
        fail("epoll");
    for (;;) {
        int ready = epoll_wait(epoll, events, EVENTS, -1);
        if (ready < 0 && errno != EINTR)
            fail("epoll_wait");
        for (int at = 0; at < ready; at++) {
            struct peer *peer = events[at].data.ptr;
            if (peer == NULL)
                let_in();
            else if (!(peer->length > 0 ? send_on(peer) : answer(peer)))
                hang_up(peer);
        }
    }
}
