/* Messages to an echo and back, on many connections or as a stream on one.

       echo ping PORT CONNECTIONS SIZE SECONDS PATIENCE
       echo bulk PORT BLOCK WINDOW SECONDS PATIENCE

   ping  each connection sends a message of SIZE bytes (1 to 65536) and, when it is back whole, the next
         one; `amount` is how many came back.
   bulk  one connection writes blocks of so many bytes as fast as they come back, at most WINDOW bytes of
         them on their way; `amount` is the MiB that came back.

   No two messages that follow each other on a connection are the same, and what comes back is compared
   with what was sent.  The protocol with the parent is that of load.h.  */
#include "load.h"

/* PERIOD: of what a stream holds.  It is a prime below a block's size, so that a block which is lost,
   comes twice or comes too early is not what should be there.  */
enum { LARGEST = 65536, NUMBER = 8, PERIOD = 65521, AT_ONCE = 262144 };

static size_t size;         /* of a message, or of a block */
static char *messages;      /* one for each connection */
static uint64_t numbered;   /* messages */
static char back[AT_ONCE + 1];

static char stream[PERIOD + AT_ONCE];
static uint64_t window, sent, received;

static void ask(struct load *load, struct connection *connection)
{
    char *message = messages + (connection - load->connections) * size;
    numbered++;
    memcpy(message, &numbered, size < NUMBER ? size : NUMBER);
    send_whole(connection, message, size);
}

static int hear(struct load *load, struct connection *connection)
{
    const char *message = messages + (connection - load->connections) * size;
    size_t missing = size - connection->at;
    size_t count = receive(connection, back, missing + 1);
    if (count > missing || memcmp(back, message + connection->at, count) != 0)
        fail("what came back is not what was sent");
    connection->at += count;
    return connection->at == size;
}

static void make_messages(int count)
{
    messages = malloc(count * size);
    if (messages == NULL)
        fail_call("malloc");
    for (size_t at = 0; at < count * size; at++)
        messages[at] = 'a' + at % size % 26;
}

static void make_stream(void)
{
    uint32_t number = 1;
    for (int at = 0; at < PERIOD; at++)
        stream[at] = (number = number * 1664525 + 1013904223) >> 24;
    for (int at = PERIOD; at < PERIOD + AT_ONCE; at++)
        stream[at] = stream[at - PERIOD];
}

/* Send what there is room for; returns whether the kernel takes no more now.  */
static int send_blocks(struct connection *connection)
{
    while (sent - received < window) {
        size_t room = window - (sent - received), length = size - sent % size;
        ssize_t count = send(connection->socket, stream + sent % PERIOD,
                             length < room ? length : room, MSG_NOSIGNAL);
        if (count < 0 && errno == EAGAIN)
            return 1;
        if (count < 0)
            fail_call("send");
        sent += count;
    }
    return 0;
}

static void take_back(struct connection *connection)
{
    size_t count = receive(connection, back, AT_ONCE);
    if (count > sent - received || memcmp(back, stream + received % PERIOD, count) != 0)
        fail("what came back is not what was sent");
    received += count;
}

static void run_stream(struct load *load, double seconds)
{
    struct connection *connection = load->connections;
    struct epoll_event events[EVENTS];
    double cpu = on_a_core();
    uint64_t began = nanoseconds(), end = began + seconds * 1e9;
    uint64_t deadline = end + load->patience * 1e9;
    uint32_t watched = EPOLLIN;
    do {
        int full = nanoseconds() < end && send_blocks(connection);
        uint32_t wanted = full ? EPOLLIN | EPOLLOUT : EPOLLIN;
        if (wanted != watched)
            watch(load, EPOLL_CTL_MOD, connection, watched = wanted);
        if (look(load, events, deadline) > 0 && events[0].events & ~EPOLLOUT)
            take_back(connection);
    } while (received < sent || nanoseconds() < end);
    load->heard = 0;
    load->amount = received / 1048576.0;
    load->seconds = (nanoseconds() - began) / 1e9;
    load->cpu = on_a_core() - cpu;
}

static int usage(void)
{
    fprintf(stderr, "usage: echo ping|bulk PORT CONNECTIONS|BLOCK SIZE|WINDOW SECONDS PATIENCE\n");
    return 2;
}

int main(int count_of_words, char **words)
{
    static struct load load = {.batch = BATCH, .ask = ask, .hear = hear};
    if (count_of_words != 7)
        return usage();
    int bulk = strcmp(words[1], "bulk") == 0;
    long long first = atoll(words[3]), second = atoll(words[4]);
    int count = bulk ? 1 : first;
    double seconds = atof(words[5]);
    size = bulk ? first : second;
    window = second;
    load.port = atoi(words[2]);
    load.count = count;
    load.patience = atof(words[6]);
    if (count < 1 || size < 1 || size > LARGEST || (bulk && second < 1))
        return usage();
    make_messages(count);
    make_stream();
    connect_all(&load);
    wait_for_go(&load);
    if (bulk)
        run_stream(&load, seconds);
    else
        run(&load, seconds);
    tell(&load);
    return 0;
}
