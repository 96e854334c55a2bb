/* Reads what comes to a crowd, and counts the marks in it.

       int listen_to(int epoll, int wait, const unsigned char *attended, int numbers, char mark,
                     long long *marks, int *left, int room)

   Waits `wait` milliseconds at most, once.  Descriptors whose place in `attended`, which has `numbers`
   of them, is not 0 are put into `left`, which has room for `room`.  What came on the others is read,
   and `marks` is raised by the marks in it.  Returns how many these are; -1 when somebody hung up, -2 when a call
   failed (errno).  */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum { EVENTS = 256, CHUNK = 65536 };

__attribute__((optimize("O3"))) static long long count_of(const char *data, int size, char mark)
{
    long long found = 0;
    for (int at = 0; at < size; at++)
        found += data[at] == mark;
    return found;
}

int listen_to(int epoll, int wait, const unsigned char *attended, int numbers, char mark,
              long long *marks, int *left, int room)
{
    static char data[CHUNK];
    struct epoll_event events[EVENTS];
    int to_look_at = 0;
    int ready = epoll_wait(epoll, events, room < EVENTS ? room : EVENTS, wait);
    if (ready < 0)
        return errno == EINTR ? 0 : -2;
    for (int at = 0; at < ready; at++) {
        int number = events[at].data.fd;
        if (number < numbers && attended[number]) {
            left[to_look_at++] = number;
            continue;
        }
        ssize_t count = recv(number, data, CHUNK, MSG_DONTWAIT);
        if (count == 0)
            return -1;
        if (count < 0 && errno != EAGAIN)
            return errno == ECONNRESET ? -1 : -2;
        if (count > 0)
            *marks += count_of(data, count, mark);
    }
    return to_look_at;
}
