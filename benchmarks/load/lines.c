/* Sends numbered lines on many connections as fast as they are taken, and prints what it sent.

       lines PORT CONNECTIONS SIZE LINES SECONDS FIRST PATIENCE

   SIZE is the bytes of a line, its line feed included (64 to 65536).  It ends after LINES lines, or
   after SECONDS at a block's end; then it ends its side of each connection and waits until the server,
   which has read everything then, has ended its own.  The first line has the number FIRST.  Exit code 1,
   and the reason, if that is not done within SECONDS + PATIENCE.

   The lines look as a syslog daemon expects them (RFC 3164).  Only the number differs from line to line:
   a block is made once for each connection, and only the digits are written again.  */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 65536, DIGITS = 10, LEAST_SIZE = 64, IN_A_ROW = 4, EVENTS = 256 };

static const char HEAD[] = "<13>Nov 21 17:39:18 bench lines: seq=";

struct connection {
    int socket;
    char *block;
    size_t length; /* of what is in the block; 0 if nothing has to be sent */
    size_t sent;   /* of it */
    int ended;     /* our side has */
};

static size_t size;
static long long left;
static long long in_a_block = 1; /* lines */
static char number[DIGITS + 1];

static void fail(const char *what)
{
    printf("%s: %s\n", what, errno ? strerror(errno) : "too late");
    exit(1);
}

static double now(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static double on_a_core(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_utime.tv_sec + usage.ru_stime.tv_sec
           + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static char *blank_block(void)
{
    char *block = malloc(BLOCK);
    if (block == NULL)
        fail("malloc");
    for (char *line = block; line + size <= block + BLOCK; line += size) {
        memcpy(line, HEAD, sizeof HEAD - 1);
        for (size_t at = sizeof HEAD - 1 + DIGITS; at < size - 1; at++)
            line[at] = at % 8 ? 'a' + at % 26 : ' ';
        line[size - 1] = '\n';
    }
    return block;
}

static void count_on(void)
{
    for (char *digit = number + DIGITS - 1; ++*digit > '9'; digit--)
        *digit = '0';
}

/* Whether there is something to send. */
static int fill(struct connection *connection)
{
    long long lines = in_a_block;
    if (left < lines)
        lines = left;
    left -= lines;
    connection->sent = 0;
    connection->length = lines * size;
    for (char *line = connection->block; lines > 0; lines--, line += size) {
        memcpy(line + sizeof HEAD - 1, number, DIGITS);
        count_on();
    }
    return connection->length > 0;
}

/* Send what the peer takes now, a few blocks at most; returns 0 when nothing is left to send. */
static int send_some(struct connection *connection, double end)
{
    for (int blocks = 0; blocks < IN_A_ROW; blocks++) {
        if (connection->sent == connection->length
            && (now(CLOCK_MONOTONIC) >= end || !fill(connection)))
            return 0;
        ssize_t count = send(connection->socket, connection->block + connection->sent,
                             connection->length - connection->sent, MSG_NOSIGNAL);
        if (count < 0 && errno == EAGAIN)
            return 1;
        if (count < 0)
            fail("send");
        connection->sent += count;
        if (connection->sent < connection->length)
            return 1;
    }
    return 1;
}

static int dial(int port)
{
    struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons(port)};
    int one = 1, dialled = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (dialled < 0 || connect(dialled, (struct sockaddr *) &there, sizeof there) < 0)
        fail("connect");
    setsockopt(dialled, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return dialled;
}

static void watch(int epoll, int how, struct connection *connection, int events)
{
    struct epoll_event event = {.events = events, .data.ptr = connection};
    if (epoll_ctl(epoll, how, connection->socket, &event) < 0)
        fail("epoll_ctl");
}

/* The server has ended its side, or has said something, which it should not. */
static void hang_up(struct connection *connection)
{
    char byte;
    ssize_t count = recv(connection->socket, &byte, 1, MSG_DONTWAIT);
    if (count < 0)
        fail("recv");
    if (count > 0 || !connection->ended) {
        printf("%s\n", count ? "the server answered" : "the server hung up");
        exit(1);
    }
    close(connection->socket);
}

int main(int count_of_words, char **words)
{
    if (count_of_words != 8) {
        fprintf(stderr, "usage: lines PORT CONNECTIONS SIZE LINES SECONDS FIRST PATIENCE\n");
        return 2;
    }
    int port = atoi(words[1]), count = atoi(words[2]);
    size = atol(words[3]);
    left = atoll(words[4]);
    double seconds = atof(words[5]), patience = atof(words[7]);
    snprintf(number, sizeof number, "%0*lld", DIGITS, atoll(words[6]));
    if (count < 1 || size < LEAST_SIZE || size > BLOCK || left < 1) {
        fprintf(stderr, "lines: a number is out of range\n");
        return 2;
    }
    long long lines = left;
    if (lines / count > 1) /* few lines are shared among the connections too */
        in_a_block = lines / count;
    if (in_a_block > (long long) (BLOCK / size))
        in_a_block = BLOCK / size;

    struct connection *connections = calloc(count, sizeof *connections);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (connections == NULL || epoll < 0)
        fail("start");
    for (int at = 0; at < count; at++)
        connections[at] = (struct connection){.socket = dial(port), .block = blank_block()};
    for (int at = 0; at < count; at++) {
        if (fcntl(connections[at].socket, F_SETFL, O_NONBLOCK) < 0)
            fail("fcntl");
        watch(epoll, EPOLL_CTL_ADD, &connections[at], EPOLLIN | EPOLLOUT);
    }

    double began = now(CLOCK_REALTIME), cpu = on_a_core(), sent = began;
    double start = now(CLOCK_MONOTONIC), end = start + seconds, deadline = end + patience;
    int open = count, sending = count;
    struct epoll_event events[EVENTS];
    while (open > 0) {
        int ready = epoll_wait(epoll, events, EVENTS, 100);
        if (ready < 0 && errno != EINTR)
            fail("epoll_wait");
        for (int at = 0; at < ready; at++) {
            struct connection *connection = events[at].data.ptr;
            if (events[at].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
                hang_up(connection);
                open--;
            } else if (!send_some(connection, end)) {
                watch(epoll, EPOLL_CTL_MOD, connection, EPOLLIN);
                shutdown(connection->socket, SHUT_WR);
                connection->ended = 1;
                if (--sending == 0)
                    sent = now(CLOCK_REALTIME);
            }
        }
        if (now(CLOCK_MONOTONIC) > deadline) {
            printf("%d of %d connections did not end\n", open, count);
            return 1;
        }
    }
    lines -= left;
    printf("{\"lines\": %lld, \"bytes\": %lld, \"began\": %.6f, \"sent\": %.6f, \"cpu\": %.6f}\n",
           lines, lines * (long long) size, began, sent, on_a_core() - cpu);
    return 0;
}
