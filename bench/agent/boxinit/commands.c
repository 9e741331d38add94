#define _GNU_SOURCE
#include "commands.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "digest.h"
#include "exercise.h"
#include "facts.h"
#include "flush.h"
#include "protocol.h"
#include "shared/clock.h"
#include "words.h"
#include "workload.h"

#define RECHECK_NS 100000000LL

int command_fd = -1;

static char line[LINE_BYTES];
static size_t line_used;
static int64_t poll_again_ns;

static void run_command(char *command)
{
    char text[LINE_BYTES / 4];
    char *rest = command;
    const char *verb = next_word(&rest);
    if (strcmp(verb, "ping") == 0) {
        send_line("BB1 pong %s", rest);
    } else if (strcmp(verb, "facts") == 0) {
        send_facts(workload.pid);
    } else if (strcmp(verb, "digest") == 0) {
        start_digest(rest);
    } else if (strcmp(verb, "exercise") == 0) {
        start_exercise(rest);
    } else if (strcmp(verb, "flush") == 0) {
        flush(rest);
    } else if (strcmp(verb, "stop") == 0) {
        stop_workload();
    } else {
        snprintf(text, sizeof text, "unknown command %s", verb);
        send_error(text);
    }
}

static void read_commands(void)
{
    ssize_t got = read(command_fd, line + line_used, sizeof line - 1 - line_used);
    if (got <= 0) {
        /* While the host's end is closed, poll() would return at once again and again. */
        poll_again_ns = now_ns() + RECHECK_NS;
        return;
    }
    line_used += (size_t)got;
    char *command = line;
    /* Not strchr: after a NUL it would never find another line. */
    for (char *end; (end = memchr(command, '\n', (size_t)(line + line_used - command))) != NULL; command = end + 1) {
        *end = 0;
        run_command(command);
    }
    line_used -= (size_t)(command - line);
    memmove(line, command, line_used);
    if (line_used == sizeof line - 1)
        line_used = 0; /* no command is this long */
}

void arm_commands(struct pollfd *slot)
{
    *slot = (struct pollfd){.fd = poll_again_ns > 0 ? -1 : command_fd, .events = POLLIN};
}

void serve_commands(const struct pollfd *slot)
{
    if (slot->revents != 0)
        read_commands();
}

int64_t commands_deadline_ns(void) { return poll_again_ns; }

void commands_tick(int64_t now)
{
    if (now >= poll_again_ns)
        poll_again_ns = 0;
}
