/* A library for LD_PRELOAD: what a program writes to one file, or syncs of it, takes its time.

   SLOW_FILE is the end of the file's path, SLOW_MICROSECONDS how long each call is held up before it
   is done.  Only the thread that calls waits, as it would for a disk.  */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static void wait_for_the_disk(int file)
{
    char link[64], path[4096];
    const char *slow = getenv("SLOW_FILE"), *time = getenv("SLOW_MICROSECONDS");
    if (slow == NULL || time == NULL)
        return;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path);
    ssize_t end = strlen(slow);
    if (length >= end && memcmp(path + length - end, slow, end) == 0)
        usleep(atoi(time));
}

#define SLOW(result, name, parameters, arguments)                                                \
    result name parameters                                                                       \
    {                                                                                            \
        static result(*next) parameters;                                                         \
        if (next == NULL)                                                                        \
            next = (result(*) parameters) dlsym(RTLD_NEXT, #name);                               \
        wait_for_the_disk(file);                                                                 \
        return next arguments;                                                                   \
    }

SLOW(ssize_t, write, (int file, const void *data, size_t size), (file, data, size))
SLOW(ssize_t, writev, (int file, const struct iovec *parts, int count), (file, parts, count))
SLOW(ssize_t, pwrite64, (int file, const void *data, size_t size, off64_t at),
     (file, data, size, at))
SLOW(ssize_t, pwritev64v2,
     (int file, const struct iovec *parts, int count, off64_t at, int flags),
     (file, parts, count, at, flags))
SLOW(int, fsync, (int file), (file))
SLOW(int, fdatasync, (int file), (file))
