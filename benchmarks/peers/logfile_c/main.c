/* A log receiver in C, as the limit of what one thread can do: what came whole is appended.

       logfile_c PORT FILE [--chunk BYTES] [--sync | --discard]

   What the connections that are ready have sent, each up to a chunk (64 KiB), is a batch, appended with
   writev(2).  --sync: fdatasync(2) after each batch.  --discard: nothing is written at all.
   It knows nothing of limits, escaping or failures: where one comes, it ends.  */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* AT_ONCE: a larger write makes Linux 6.18 take larger pieces of memory for its cache, which are cold:
   on ext4 a byte of a write of a MiB took three to five times as long.  */
enum { EVENTS = 256, LONGEST = 65536, AT_ONCE = 131072 };

struct peer {
    int socket;
    size_t length; /* of what is in the buffer: before a read, the beginning of a line */
    size_t whole;  /* of it, what ends with a line feed */
    char *buffer;
};

static size_t chunk = 65536;
static int sync_batches, discard;

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

/* Write some of the parts, as many as fit into one call; the first one at least to a part. */
static ssize_t append_some(int file, const struct iovec *parts, int count)
{
    size_t size = parts[0].iov_len;
    int fitting = 1;
    if (size > AT_ONCE)
        return write(file, parts[0].iov_base, AT_ONCE);
    while (fitting < count && size + parts[fitting].iov_len <= AT_ONCE)
        size += parts[fitting++].iov_len;
    return writev(file, parts, fitting);
}

static void append(int file, struct iovec *parts, int count)
{
    while (count > 0) {
        ssize_t written = append_some(file, parts, count);
        if (written < 0)
            fail("writev");
        for (; count > 0 && (size_t) written >= parts->iov_len; count--)
            written -= parts++->iov_len;
        if (count > 0) {
            parts->iov_base = (char *) parts->iov_base + written;
            parts->iov_len -= written;
        }
    }
    if (sync_batches && fdatasync(file) < 0)
        fail("fdatasync");
}

/* Read once; returns 0 when the peer has ended its side. */
static int receive(struct peer *peer)
{
    ssize_t count = recv(peer->socket, peer->buffer + peer->length, chunk, 0);
    if (count < 0)
        fail("recv");
    peer->length += count;
    char *feed = memrchr(peer->buffer, '\n', peer->length);
    peer->whole = count == 0 ? peer->length : feed == NULL ? 0 : (size_t) (feed - peer->buffer + 1);
    if (peer->length - peer->whole > LONGEST) {
        fprintf(stderr, "logfile_c: a line is too long\n");
        exit(1);
    }
    return count > 0;
}

static void keep_the_rest(struct peer *peer)
{
    peer->length -= peer->whole;
    memmove(peer->buffer, peer->buffer + peer->whole, peer->length);
}

static void let_in(int listener, int epoll)
{
    struct peer *peer = calloc(1, sizeof *peer);
    if (peer == NULL || (peer->buffer = malloc(chunk + LONGEST)) == NULL)
        fail("malloc");
    peer->socket = accept(listener, NULL, NULL);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = peer};
    if (peer->socket < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, peer->socket, &event) < 0)
        fail("accept");
}

static int listen_on(int port)
{
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(port)};
    int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *) &here, sizeof here) < 0 || listen(listener, 1024) < 0)
        fail("listen");
    return listener;
}

static void serve(int listener, int file, int epoll)
{
    struct epoll_event events[EVENTS];
    struct iovec parts[EVENTS];
    struct peer *busy[EVENTS];
    for (;;) {
        int ready = epoll_wait(epoll, events, EVENTS, -1), count = 0;
        if (ready < 0 && errno != EINTR)
            fail("epoll_wait");
        for (int at = 0; at < ready; at++) {
            struct peer *peer = events[at].data.ptr;
            if (peer == NULL) {
                let_in(listener, epoll);
                continue;
            }
            if (!receive(peer)) {
                close(peer->socket);
                peer->socket = -1;
            }
            parts[count] = (struct iovec){.iov_base = peer->buffer, .iov_len = peer->whole};
            busy[count++] = peer;
        }
        if (!discard)
            append(file, parts, count);
        for (int at = 0; at < count; at++) {
            if (busy[at]->socket >= 0) {
                keep_the_rest(busy[at]);
                continue;
            }
            free(busy[at]->buffer);
            free(busy[at]);
        }
    }
}

int main(int count, char **words)
{
    if (count < 3) {
        fprintf(stderr, "usage: logfile_c PORT FILE [--chunk BYTES] [--sync | --discard]\n");
        return 2;
    }
    for (int at = 3; at < count; at++) {
        sync_batches |= strcmp(words[at], "--sync") == 0;
        discard |= strcmp(words[at], "--discard") == 0;
        if (strcmp(words[at], "--chunk") == 0 && at + 1 < count)
            chunk = atol(words[at + 1]);
    }
    int listener = listen_on(atoi(words[1])), epoll = epoll_create1(0);
    int file = open(words[2], O_WRONLY | O_APPEND | O_CREAT, 0644);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (file < 0 || epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) < 0)
        fail(words[2]);
    serve(listener, file, epoll);
}
