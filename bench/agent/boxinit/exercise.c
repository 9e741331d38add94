#define _GNU_SOURCE
#include "exercise.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conf.h"
#include "process.h"
#include "protocol.h"
#include "shared/clock.h"
#include "shared/files.h"
#include "shared/percent.h"
#include "words.h"

enum {
    SENT_BYTES = 1024 * 1024, /* of each output that are sent; the rest is counted and dropped */
    READ_BYTES = 4096,
};

/* One output, collected into lines that are as full as they can be. */
struct capture {
    int from;
    const char *name;
    char line[LINE_BYTES];
    size_t used; /* 0: no line has been begun */
    long long seen, sent;
};

static struct {
    pid_t child;
    bool closed, limit_passed;
    int64_t kill_at_ns;
    struct capture captures[EXERCISE_STREAMS];
} exercise = {.captures = {{.from = -1, .name = "stdout"}, {.from = -1, .name = "stderr"}}};

static void send_capture(struct capture *capture)
{
    if (capture->used == 0)
        return;
    capture->line[capture->used++] = '\n';
    write_line(capture->line, capture->used);
    capture->used = 0;
}

static void capture_byte(struct capture *capture, char byte)
{
    char text[2] = {byte, 0};
    capture->seen++;
    if (capture->sent == SENT_BYTES)
        return;
    capture->sent++;
    if (capture->used + 5 > sizeof capture->line)
        send_capture(capture);
    if (capture->used == 0)
        capture->used = (size_t)snprintf(capture->line, sizeof capture->line, "BB1 exercise-%s ", capture->name);
    char *end = capture->line + capture->used;
    if (byte == 0)
        strcpy(end, "%00"); /* the encoder takes a NUL for the end of the text */
    else
        percent_encode(text, end, 4);
    capture->used += strlen(end);
}

static void close_capture(struct capture *capture)
{
    if (capture->from >= 0)
        close(capture->from);
    capture->from = -1;
}

/* Reads once. False at the end of the output, or when there is nothing to read now. */
static bool read_capture(struct capture *capture)
{
    char chunk[READ_BYTES];
    ssize_t got = capture->from >= 0 ? read(capture->from, chunk, sizeof chunk) : 0;
    for (ssize_t i = 0; i < got; i++)
        capture_byte(capture, chunk[i]);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
        close_capture(capture);
    return got > 0;
}

bool is_exercise(pid_t pid) { return pid == exercise.child; }

void exercise_exited(int status, const struct rusage *usage)
{
    char outcome[OUTCOME_BYTES];
    format_outcome(outcome, status, usage);
    /* The exit comes before the output, which may be long: the host stamps it on arrival. */
    send_line("BB1 exercise-exit %s %d %lld", outcome, exercise.limit_passed ? 1 : 0, (long long)now_ns());
    if (exercise.child > 0)
        kill(-exercise.child, SIGKILL); /* what it left running would disturb whatever runs next */
    for (int i = 0; i < EXERCISE_STREAMS; i++) {
        struct capture *capture = &exercise.captures[i];
        /* A process that left the exercise's session may still write, so only what is there now is read. */
        for (int left = queued_bytes(capture->from); left > 0 && read_capture(capture);)
            left -= READ_BYTES;
        close_capture(capture);
        send_capture(capture);
    }
    send_line("BB1 exercise-end %lld %lld", exercise.captures[0].seen, exercise.captures[1].seen);
    exercise.child = 0;
    exercise.kill_at_ns = 0;
}

/* Reports a command that could not be executed as a shell would: a message on standard error, and 126 or 127. */
static void report_start_failure(const struct start *start)
{
    char text[LINE_BYTES / 4];
    struct rusage nothing = {0};
    format_start_failure(start, text, sizeof text - 1);
    strcat(text, "\n");
    for (const char *at = text; *at != 0; at++)
        capture_byte(&exercise.captures[1], *at);
    exercise_exited(start_failure_code(start) << 8, &nothing); /* the wait status of an exit with this code */
}

static void run_exercise(char **argv, int64_t limit_ms, const int out[2], const int err[2])
{
    struct start start = {.argv = argv, .own_session = true};
    send_line("BB1 exercise-start %lld", (long long)now_ns());
    exercise.kill_at_ns = now_ns() + limit_ms * 1000000LL;
    exercise.limit_passed = false;
    exercise.child = spawn_program(&start, out[1], err[1]);
    close(out[1]);
    close(err[1]);
    exercise.captures[0].from = out[0];
    exercise.captures[1].from = err[0];
    for (int i = 0; i < EXERCISE_STREAMS; i++) {
        exercise.captures[i].seen = exercise.captures[i].sent = 0;
        fcntl(exercise.captures[i].from, F_SETFL, O_NONBLOCK);
    }
    if (exercise.child < 0 && start.error == 0)
        start.error = errno, start.step = "fork", start.what = argv[0];
    if (start.error != 0) {
        if (exercise.child > 0)
            waitpid(exercise.child, NULL, 0);
        report_start_failure(&start);
    }
}

static bool open_pipes(int out[2], int err[2])
{
    if (pipe2(out, O_CLOEXEC) != 0)
        return false;
    if (pipe2(err, O_CLOEXEC) == 0)
        return true;
    close(out[0]);
    close(out[1]);
    return false;
}

void start_exercise(char *rest)
{
    static char *argv[LINE_BYTES + 1]; /* a command line cannot have more words */
    int out[2], err[2];
    size_t argc = 0;
    if (exercise.child > 0 || exercise.closed) {
        send_error("exercise: another exercise is running, or the box is being stopped");
        return;
    }
    int64_t limit_ms = strtoll(next_word(&rest), NULL, 10);
    while (*rest != 0)
        argv[argc++] = decoded_word(&rest);
    argv[argc] = NULL;
    if (argc == 0 || limit_ms <= 0 || limit_ms > MOST_NUMBER || !open_pipes(out, err))
        send_error("exercise: no command, no time limit, or no pipe");
    else
        run_exercise(argv, limit_ms, out, err);
}

void kill_exercise(void)
{
    exercise.kill_at_ns = 0;
    if (exercise.child > 0)
        kill(-exercise.child, SIGKILL);
}

void close_exercises(void)
{
    exercise.closed = true;
    kill_exercise();
}

void arm_exercise(struct pollfd set[EXERCISE_STREAMS])
{
    for (int i = 0; i < EXERCISE_STREAMS; i++)
        set[i] = (struct pollfd){.fd = exercise.captures[i].from, .events = POLLIN};
}

void serve_exercise(const struct pollfd set[EXERCISE_STREAMS])
{
    for (int i = 0; i < EXERCISE_STREAMS; i++)
        if (set[i].revents != 0)
            read_capture(&exercise.captures[i]);
}

int64_t exercise_deadline_ns(void) { return exercise.kill_at_ns; }

void exercise_tick(int64_t now)
{
    if (exercise.kill_at_ns > 0 && now >= exercise.kill_at_ns) {
        exercise.limit_passed = true;
        kill_exercise();
    }
}
