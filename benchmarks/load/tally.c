/* Counts which of the lines that `lines` sent are in a file, and prints it.

       tally FILE MOST

   MOST is the highest number that was sent, the lowest is 1.  In front of a line and behind it there
   may be anything.

       lines     line feeds in the file
       distinct  numbers from 1 to MOST that were found
       twice     numbers that were found again
       strange   lines without such a number; what comes behind the last line feed is one  */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK = 1 << 20, DIGITS = 10 };

static const char MARK[] = "lines: seq=";

static long long most, lines, distinct, twice, strange;
static unsigned char *seen;

static void look_at(const char *line, size_t length)
{
    const char *mark = memmem(line, length, MARK, sizeof MARK - 1);
    long long number = 0;
    if (mark == NULL || mark + sizeof MARK - 1 + DIGITS > line + length) {
        strange++;
        return;
    }
    const char *digit = mark + sizeof MARK - 1;
    for (int at = 0; at < DIGITS; at++)
        number = digit[at] >= '0' && digit[at] <= '9' ? number * 10 + digit[at] - '0' : most + 1;
    if (number < 1 || number > most)
        strange++;
    else if (seen[number]++ == 0)
        distinct++;
    else
        twice++;
}

int main(int count_of_words, char **words)
{
    static char buffer[2 * CHUNK];
    size_t kept = 0;
    if (count_of_words != 3 || (most = atoll(words[2])) < 1) {
        fprintf(stderr, "usage: tally FILE MOST\n");
        return 2;
    }
    int file = open(words[1], O_RDONLY);
    seen = calloc(most + 1, 1);
    if (file < 0 || seen == NULL) {
        perror(words[1]);
        return 1;
    }
    ssize_t count;
    while ((count = read(file, buffer + kept, CHUNK)) > 0) {
        char *line = buffer, *end = buffer + kept + count, *feed;
        while ((feed = memchr(line, '\n', end - line)) != NULL) {
            look_at(line, feed - line);
            lines++;
            line = feed + 1;
        }
        kept = end - line;
        if (kept > CHUNK) {
            fprintf(stderr, "tally: a line of more than a MiB\n");
            return 1;
        }
        memmove(buffer, line, kept);
    }
    if (count < 0) {
        perror(words[1]);
        return 1;
    }
    if (kept > 0)
        strange++;
    printf("{\"lines\": %lld, \"distinct\": %lld, \"twice\": %lld, \"strange\": %lld}\n", lines,
           distinct, twice, strange);
    return 0;
}
