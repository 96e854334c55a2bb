/* Asks for one thing again and again, on many connections, one request at a time on each.

       http PORT CONNECTIONS SIZE KEEP PATH POSTED SECONDS PATIENCE

   SIZE is the bytes of the body; -1: those of the first answer.  With KEEP 0 each request has a
   connection of its own, and connecting is part of its time.  What it prints is told in load.h.

   POSTED is JSON that each request brings; empty: nothing, and it is a GET.  The answers to a POST must
   have the status 201 and may differ.

   Every answer to a GET must have the status 200 and say how long it is (RFC 9112 section 6), and its body must
   have SIZE bytes and be the body of the first answer again.  Of bodies larger than COMPARED only the
   first on each connection, which is not measured, is compared; of the others the bytes are counted and
   the kernel throws them away, so that the server and not the copying here is the limit.  */
#include "load.h"

#include <stdbool.h>
#include <strings.h>

enum { HEAD = 16384, COMPARED = 256 * 1024, LARGEST = 64 * 1024 * 1024, BLOCK = 256 * 1024 };

enum part { IN_HEAD, IN_BODY, IN_CHUNK_SIZE, IN_CHUNK, AFTER_CHUNK, IN_TRAILER, WHOLE };

struct answer {
    enum part part;
    bool is_first;     /* on its connection */
    long long missing; /* bytes of the body or of the chunk; the size of a chunk while it is read */
    size_t line;       /* bytes of the line that a chunk begins with, or of a trailer's */
    size_t body;       /* bytes that have come */
    size_t head_length;
    char head[HEAD + 1];
};

static long long size;
static bool keep, posts;
static char request[4096], block[BLOCK];
static char *first_body;
static size_t first_length; /* that has come of it */

static void expect_size(long long announced)
{
    if (size < 0 && !posts)
        size = announced;
    if (announced != size && !posts)
        fail("%lld bytes are announced, not %lld", announced, size);
    if (size > LARGEST)
        fail("a body of %lld bytes is too large to be compared", size);
}

/* The value of a header, past its blanks; NULL if it is not there.  */
static const char *header(const struct answer *answer, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = answer->head; (at = strstr(at, "\r\n")) != NULL;) {
        at += 2;
        if (strncasecmp(at, name, length) == 0 && at[length] == ':')
            return at + length + 1 + strspn(at + length + 1, " \t");
    }
    return NULL;
}

static void begin_body(struct answer *answer)
{
    const char *length = header(answer, "Content-Length");
    const char *coding = header(answer, "Transfer-Encoding");
    if (strncmp(answer->head, "HTTP/1.", 7) != 0 || strncmp(answer->head + 8, posts ? " 201" : " 200", 4) != 0)
        fail("the answer was: %.*s", (int) strcspn(answer->head, "\r\n"), answer->head);
    if (coding != NULL && strncasecmp(coding, "chunked\r\n", 9) == 0) {
        answer->part = IN_CHUNK_SIZE;
        answer->missing = answer->line = 0;
        return;
    }
    if (length == NULL || *length < '0' || *length > '9')
        fail("the answer does not say how long it is");
    expect_size(answer->missing = atoll(length));
    answer->part = answer->missing ? IN_BODY : WHOLE;
}

/* Returns the bytes that were of the head.  */
static size_t take_head(struct answer *answer, const char *data, size_t count)
{
    size_t before = answer->head_length, room = HEAD - before;
    size_t taken = count < room ? count : room;
    memcpy(answer->head + before, data, taken);
    answer->head[before + taken] = '\0';
    answer->head_length += taken;
    /* The end may have begun in what came before.  */
    const char *end = strstr(answer->head + (before < 3 ? 0 : before - 3), "\r\n\r\n");
    if (end == NULL && taken < count)
        fail("the head is longer than %d bytes", HEAD);
    if (end == NULL)
        return count;
    answer->head_length = end + 4 - answer->head;
    answer->head[answer->head_length] = '\0';
    begin_body(answer);
    return answer->head_length - before;
}

static void compare(struct answer *answer, const char *data, size_t count)
{
    if (posts) {
        answer->body += count;
        return;
    }
    if (answer->body + count > LARGEST || (size >= 0 && answer->body + count > (size_t) size))
        fail("more than %lld bytes came", size < 0 ? (long long) LARGEST : size);
    if (answer->body == first_length) { /* nobody is further: this is the first one itself */
        memcpy(first_body + first_length, data, count);
        first_length += count;
    } else if (answer->body + count > first_length
               || memcmp(first_body + answer->body, data, count) != 0) {
        fail("the body is not the same as that of the first answer");
    }
    answer->body += count;
}

static size_t take_body(struct answer *answer, const char *data, size_t count)
{
    size_t taken = (long long) count < answer->missing ? count : (size_t) answer->missing;
    compare(answer, data, taken);
    answer->missing -= taken;
    if (answer->missing == 0)
        answer->part = answer->part == IN_BODY ? WHOLE : AFTER_CHUNK;
    return taken;
}

static void end_chunk_size(struct answer *answer)
{
    if (answer->line == 0)
        fail("a chunk has no size");
    answer->part = answer->missing ? IN_CHUNK : IN_TRAILER;
    answer->line = 0;
}

/* A byte of a line between the chunks (RFC 9112 section 7.1).  */
static void take_framing(struct answer *answer, char byte)
{
    static const char digits[] = "0123456789abcdef";
    if (byte == '\n' && answer->part == IN_CHUNK_SIZE) {
        end_chunk_size(answer);
    } else if (byte == '\n' && answer->part == AFTER_CHUNK) {
        answer->part = IN_CHUNK_SIZE;
    } else if (byte == '\n') { /* an empty line ends the trailers */
        answer->part = answer->line == 0 ? WHOLE : IN_TRAILER;
        answer->line = 0;
    } else if (byte != '\r' && answer->part == IN_CHUNK_SIZE) {
        const char *digit = byte ? strchr(digits, byte >= 'A' && byte <= 'F' ? byte | 32 : byte) : NULL;
        if (digit == NULL || answer->missing > LARGEST)
            fail("a chunk has no size that can be read");
        answer->missing = answer->missing * 16 + (digit - digits);
        answer->line++;
    } else if (byte != '\r' && answer->part == AFTER_CHUNK) {
        fail("a chunk is longer than its size says");
    } else if (byte != '\r') {
        answer->line++;
    }
}

static void take(struct answer *answer, const char *data, size_t count)
{
    for (size_t taken; count > 0; data += taken, count -= taken) {
        taken = 1;
        if (answer->part == WHOLE)
            fail("%zu bytes came after the end of the answer", count);
        else if (answer->part == IN_HEAD)
            taken = take_head(answer, data, count);
        else if (answer->part == IN_BODY || answer->part == IN_CHUNK)
            taken = take_body(answer, data, count);
        else
            take_framing(answer, *data);
    }
}

/* The first answer of all is whole before there is a second one: `batch` is 1.  */
static void end_answer(struct answer *answer)
{
    answer->is_first = false;
    if (posts)
        return;
    if (answer->body < (size_t) (size < 0 ? 0 : size))
        fail("%zu bytes came, not %lld", answer->body, size);
    size = answer->body;
}

/* The rest of a large body: the kernel counts what it throws away.  */
static void drop(struct connection *connection, struct answer *answer)
{
    ssize_t count = recv(connection->socket, NULL, answer->missing, MSG_TRUNC);
    if (count < 0 && errno == EAGAIN)
        return;
    if (count <= 0)
        fail("recv: %s", count ? strerror(errno) : "the server hung up");
    answer->body += count;
    answer->missing -= count;
    answer->part = answer->missing ? IN_BODY : WHOLE;
}

static void read_some(struct connection *connection, struct answer *answer)
{
    int one = 1;
    bool in_head = answer->part == IN_HEAD;
    take(answer, block, receive(connection, block, sizeof block));
    /* Who sends head and body apart, and leaves Nagle's algorithm on, would be measured by the 40 ms
       for which Linux puts an acknowledgement off.  */
    if (in_head && answer->part != WHOLE)
        setsockopt(connection->socket, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof one);
}

/* Nothing was asked: all that a server may do is to hang up.  */
static void hear_idle(struct connection *connection)
{
    ssize_t count = recv(connection->socket, block, sizeof block, 0);
    if (count > 0)
        fail("%zd bytes came that nobody asked for", count);
    if (count < 0 && errno != EAGAIN && errno != ECONNRESET)
        fail_call("recv");
    if (count == 0 || errno == ECONNRESET) {
        close(connection->socket);
        connection->socket = -1;
    }
}

static int hear(struct load *load, struct connection *connection)
{
    struct answer *answer = connection->own;
    (void) load;
    if (connection->asked == 0) {
        hear_idle(connection);
        return 0;
    }
    if (answer->part == IN_BODY && !answer->is_first && size > COMPARED)
        drop(connection, answer);
    else
        read_some(connection, answer);
    if (answer->part != WHOLE)
        return 0;
    end_answer(answer);
    return 1;
}

static void ask(struct load *load, struct connection *connection)
{
    struct answer *answer = connection->own;
    if (answer == NULL) {
        answer = connection->own = malloc(sizeof *answer);
        if (answer == NULL)
            fail_call("malloc");
        answer->is_first = true;
    } else if (!keep || connection->socket < 0) {
        dial(load, connection);
    }
    answer->part = IN_HEAD;
    answer->head_length = answer->body = 0;
    send_whole(connection, request, strlen(request));
}

int main(int count, char **words)
{
    if (count != 9) {
        fprintf(stderr, "usage: http PORT CONNECTIONS SIZE KEEP PATH POSTED SECONDS PATIENCE\n");
        return 2;
    }
    struct load load = {.port = atoi(words[1]), .count = atoi(words[2]), .batch = 1,
                        .patience = atof(words[8]), .ask = ask, .hear = hear};
    size = atoll(words[3]);
    keep = atoi(words[4]);
    first_body = malloc(LARGEST);
    const char *posted = words[6], *closing = keep ? "" : "Connection: close\r\n";
    char fields[128] = "";
    posts = *posted != '\0';
    if (posts)
        snprintf(fields, sizeof fields, "Content-Type: application/json\r\nContent-Length: %zu\r\n",
                 strlen(posted));
    int length = snprintf(request, sizeof request, "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\n%s%s\r\n%s",
                          posts ? "POST" : "GET", words[5], fields, closing, posted);
    if (load.count < 1 || length >= (int) sizeof request || first_body == NULL) {
        fprintf(stderr, "http: a number is out of range\n");
        return 2;
    }
    connect_all(&load);
    wait_for_go(&load);
    run(&load, atof(words[7]));
    tell(&load);
    return 0;
}
