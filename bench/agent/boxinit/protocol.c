#define _GNU_SOURCE
#include "protocol.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/clock.h"
#include "shared/percent.h"

int event_fd = -1;

void write_line(const char *line, size_t length)
{
    ssize_t written;
    if (event_fd < 0)
        return;
    do
        written = write(event_fd, line, length);
    while (written < 0 && errno == EINTR);
}

void send_line(const char *format, ...)
{
    char line[LINE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line - 1, format, arguments);
    va_end(arguments);
    if (length < 0)
        return;
    if ((size_t)length > sizeof line - 2)
        length = sizeof line - 2;
    line[length] = '\n';
    write_line(line, (size_t)length + 1);
}

void send_mark(const char *endpoint) { send_line("BB1 mark %s %lld", endpoint, (long long)now_ns()); }

void send_error(const char *text)
{
    char encoded[LINE_BYTES - 32];
    percent_encode(text, encoded, sizeof encoded);
    send_line("BB1 error %s", encoded);
}

int exit_code_of(int status) { return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status); }

static long long microseconds(struct timeval time) { return time.tv_sec * 1000000LL + time.tv_usec; }

void format_outcome(char text[OUTCOME_BYTES], int status, const struct rusage *usage)
{
    snprintf(text, OUTCOME_BYTES, "%d %d %lld %lld %ld", exit_code_of(status),
             WIFSIGNALED(status) ? WTERMSIG(status) : 0, microseconds(usage->ru_utime), microseconds(usage->ru_stime),
             usage->ru_maxrss);
}
