/* What the loads in C share: connections to 127.0.0.1 that ask, hear the whole answer, and ask again.

   A program fills in the first fields of a `struct load` and calls, in this order,

       connect_all(&load);       every connection is there and has had one answer, which is not measured
       wait_for_go(&load);       prints "ready"; the parent answers with a line when it wants to begin
       run(&load, seconds);      asks until the seconds are over, and hears what was asked until then
       tell(&load);              prints one line of JSON, and keeps the connections until stdin ends, so
                                 that the parent can look at a server whose peers are still there

   and exits with 0.  Whatever is not as it should be is one line on stdout and exit code 1 (`fail`).
   Nothing is waited for longer than `patience`.  What is asked and answered is the program's own:

       ask(load, connection)     send the next question; the kernel has room for it (`send_whole`)
       hear(load, connection)    read once; returns 1 when the answer is whole, 0 when some is missing

   `run` measures from just before `ask` until `hear` returns 1.  An `ask` may call `dial` to connect
   anew, which is then part of the time.  Seconds are doubles, nanoseconds uint64_t.  */
#ifndef LOAD_H
#define LOAD_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* BATCH: connections that knock at once, fewer than the queue of almost any server.
   A doubling of the time has STEPS steps in the histogram: it is right to 1.6 percent.  */
enum { BATCH = 32, EVENTS = 256, LOOK = 100, STEPS = 64, TIMES = 59 * STEPS };

struct connection {
    int socket;     /* -1: none */
    uint64_t asked; /* when; 0 if it waits for no answer */
    size_t at;      /* for the program: bytes of the answer that have come */
    void *own;      /* for the program */
};

struct load {
    int port;
    int count; /* connections */
    int batch; /* that are let in at once */
    double patience;
    void (*ask)(struct load *load, struct connection *connection);
    int (*hear)(struct load *load, struct connection *connection);

    /* From here on it is all filled in below; `amount`, what was done, may also be by the program.  */
    struct connection *connections;
    int epoll;
    double amount, seconds, cpu;
    uint64_t longest, heard, times[TIMES];
};

/* Print why, and end.  */
__attribute__((format(printf, 1, 2), noreturn)) static inline void fail(const char *why, ...)
{
    va_list values;
    va_start(values, why);
    vprintf(why, values);
    va_end(values);
    printf("\n");
    exit(1);
}

__attribute__((noreturn)) static inline void fail_call(const char *call)
{
    fail("%s: %s", call, strerror(errno));
}

static inline uint64_t nanoseconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000ull + time.tv_nsec;
}

static inline double on_a_core(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_utime.tv_sec + usage.ru_stime.tv_sec
           + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* Where a time is counted; below 2 * STEPS nanoseconds each has a place of its own.  */
static inline int place_of(uint64_t time)
{
    int shift = time < 2 * STEPS ? 0 : 57 - __builtin_clzll(time);
    return shift * STEPS + (int) (time >> shift);
}

/* The longest time that is counted there.  */
static inline uint64_t time_at(int place)
{
    int shift = place < 2 * STEPS ? 0 : place / STEPS - 1;
    return (((uint64_t) (place - shift * STEPS) + 1) << shift) - 1;
}

static inline void count_time(struct load *load, uint64_t time)
{
    load->times[place_of(time)]++;
    load->heard++;
    if (time > load->longest)
        load->longest = time;
}

/* The seconds that `part` (0 to 1) of the times do not exceed; of none: 0.  */
static inline double percentile(const struct load *load, double part)
{
    uint64_t before = 0, rank = part * load->heard;
    for (int place = 0; place < TIMES; place++) {
        before += load->times[place];
        if (before > rank)
            return (time_at(place) < load->longest ? time_at(place) : load->longest) / 1e9;
    }
    return load->longest / 1e9;
}

static inline void watch(struct load *load, int how, struct connection *connection, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = connection};
    if (epoll_ctl(load->epoll, how, connection->socket, &event) < 0)
        fail_call("epoll_ctl");
}

/* Connect, non-blocking from then on, and watch for what comes; a socket that was there is closed.  */
static inline void dial(struct load *load, struct connection *connection)
{
    struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons(load->port)};
    struct timeval patience = {.tv_sec = load->patience};
    int one = 1, dialled = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (dialled < 0)
        fail_call("socket");
    /* It is the deadline of connect(2) too.  */
    setsockopt(dialled, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (connect(dialled, (struct sockaddr *) &there, sizeof there) < 0)
        fail("connect: %s", errno == EINPROGRESS ? "nobody lets us in" : strerror(errno));
    setsockopt(dialled, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (fcntl(dialled, F_SETFL, O_NONBLOCK) < 0)
        fail_call("fcntl");
    if (connection->socket >= 0)
        close(connection->socket);
    connection->socket = dialled;
    watch(load, EPOLL_CTL_ADD, connection, EPOLLIN);
}

static inline void send_whole(struct connection *connection, const void *data, size_t size)
{
    ssize_t sent = send(connection->socket, data, size, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN)
        fail_call("send");
    if (sent != (ssize_t) size)
        fail("the server reads nothing: %zd of %zu bytes could be sent", sent, size);
}

/* Bytes that came, at least one; 0 if there are none yet.  */
static inline size_t receive(struct connection *connection, void *buffer, size_t size)
{
    ssize_t count = recv(connection->socket, buffer, size, 0);
    if (count > 0)
        return count;
    if (count < 0 && errno != EAGAIN)
        fail_call("recv");
    if (count == 0)
        fail("the server hung up");
    return 0;
}

/* Wait for a moment, and fail after the deadline (nanoseconds); returns how many are ready.  */
static inline int look(struct load *load, struct epoll_event *events, uint64_t deadline)
{
    int ready = epoll_wait(load->epoll, events, EVENTS, LOOK);
    if (ready < 0 && errno != EINTR)
        fail_call("epoll_wait");
    if (nanoseconds() > deadline)
        fail("the server does not answer");
    return ready < 0 ? 0 : ready;
}

static inline void begin(struct load *load, struct connection *connection, uint64_t time)
{
    connection->asked = time;
    connection->at = 0;
    load->ask(load, connection);
}

/* Until `end` each that has heard asks again; returns when all `waiting` connections have heard.  */
static inline void hear_all(struct load *load, int waiting, uint64_t end)
{
    struct epoll_event events[EVENTS];
    uint64_t deadline = (end ? end : nanoseconds()) + load->patience * 1e9;
    while (waiting > 0) {
        int ready = look(load, events, deadline);
        for (int at = 0; at < ready; at++) {
            struct connection *connection = events[at].data.ptr;
            if (!load->hear(load, connection))
                continue;
            if (connection->asked == 0)
                fail("the server says what nobody asked for");
            uint64_t time = nanoseconds();
            count_time(load, time - connection->asked);
            if (time < end) {
                begin(load, connection, time);
            } else {
                connection->asked = 0;
                connection->at = 0;
                waiting--;
            }
        }
    }
}

static inline void connect_all(struct load *load)
{
    load->epoll = epoll_create1(EPOLL_CLOEXEC);
    load->connections = calloc(load->count, sizeof *load->connections);
    if (load->epoll < 0 || load->connections == NULL)
        fail_call("start");
    for (int first = 0; first < load->count; first += load->batch) {
        int end = load->count - first < load->batch ? load->count : first + load->batch;
        for (int at = first; at < end; at++) {
            load->connections[at].socket = -1;
            dial(load, &load->connections[at]);
        }
        for (int at = first; at < end; at++)
            begin(load, &load->connections[at], nanoseconds());
        hear_all(load, end - first, 0);
    }
}

/* Return when the parent has written something or has closed stdin.  */
static inline void wait_for_parent(struct load *load)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    fflush(stdout);
    if (poll(&input, 1, load->patience * 1000) != 1)
        fail("the load was told nothing for %.0f s", load->patience);
}

static inline void wait_for_go(struct load *load)
{
    char line[64];
    printf("ready\n");
    wait_for_parent(load);
    if (read(STDIN_FILENO, line, sizeof line) <= 0)
        exit(1); /* the parent has gone: nobody is there to be told */
}

static inline void run(struct load *load, double seconds)
{
    memset(load->times, 0, sizeof load->times);
    load->heard = load->longest = 0;
    double cpu = on_a_core();
    uint64_t began = nanoseconds();
    for (int at = 0; at < load->count; at++)
        begin(load, &load->connections[at], nanoseconds());
    hear_all(load, load->count, began + seconds * 1e9);
    load->amount = load->heard;
    load->seconds = (nanoseconds() - began) / 1e9;
    load->cpu = on_a_core() - cpu;
}

static inline void tell(struct load *load)
{
    printf("{\"amount\": %.6f, \"seconds\": %.6f, \"cpu\": %.6f", load->amount, load->seconds,
           load->cpu);
    if (load->heard > 0)
        printf(", \"p50\": %.9f, \"p99\": %.9f, \"longest\": %.9f", percentile(load, 0.50),
               percentile(load, 0.99), load->longest / 1e9);
    printf("}\n");
    wait_for_parent(load);
}

#endif
