#define _GNU_SOURCE
#include "health.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conf.h"
#include "process.h"
#include "protocol.h"
#include "readiness.h"
#include "shared/clock.h"
#include "shared/files.h"
#include "shared/percent.h"

#ifndef GRND_INSECURE
#define GRND_INSECURE 4 /* never waits; unknown to kernels before 5.6 */
#endif

enum {
    TAIL_BYTES = 512, /* of a check's output that are kept: its end */
    READ_BYTES = 4096,
};

/* How a check ended, as far as two of them are told apart: only a change is reported. */
struct verdict {
    int status;
    bool limit_passed;
    char line[TAIL_BYTES + 1];
};

static struct {
    bool on;
    pid_t child; /* 0: no check runs */
    int from; /* its output */
    int64_t next_ns, kill_at_ns; /* of the next check; of the one that runs */
    int64_t began_ns, before_ns; /* when the latest one began, and the one before it, or the workload */
    bool limit_passed;
    int attempts;
    int64_t cpu_us;
    char tail[TAIL_BYTES];
    size_t used;
    bool reported; /* `last` is the latest check's, not nothing */
    struct verdict last;
} health = {.from = -1};

static int64_t microseconds(struct timeval time) { return time.tv_sec * 1000000LL + time.tv_usec; }

static void keep_tail(const char *data, size_t length)
{
    if (length > sizeof health.tail) {
        data += length - sizeof health.tail;
        length = sizeof health.tail;
    }
    if (health.used + length > sizeof health.tail) {
        size_t drop = health.used + length - sizeof health.tail;
        memmove(health.tail, health.tail + drop, health.used - drop);
        health.used -= drop;
    }
    memcpy(health.tail + health.used, data, length);
    health.used += length;
}

static void close_output(void)
{
    if (health.from >= 0)
        close(health.from);
    health.from = -1;
}

/* Reads once. False at the end of the output, or when there is nothing to read now. */
static bool read_output(void)
{
    char chunk[READ_BYTES];
    ssize_t got = health.from >= 0 ? read(health.from, chunk, sizeof chunk) : 0;
    if (got > 0)
        keep_tail(chunk, (size_t)got);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
        close_output();
    return got > 0;
}

/* The last line of the kept output that is not empty. A NUL would end the text, so it becomes a question mark. */
static void last_line(char line[TAIL_BYTES + 1])
{
    size_t end = health.used, begin;
    while (end > 0 && (health.tail[end - 1] == '\n' || health.tail[end - 1] == '\r'))
        end--;
    for (begin = end; begin > 0 && health.tail[begin - 1] != '\n'; begin--)
        ;
    memset(line, 0, TAIL_BYTES + 1);
    for (size_t i = begin; i < end; i++)
        line[i - begin] = health.tail[i] != 0 ? health.tail[i] : '?';
}

static bool is_news(const struct verdict *verdict)
{
    const struct verdict *last = &health.last;
    return !health.reported || verdict->status != last->status || verdict->limit_passed != last->limit_passed ||
           strcmp(verdict->line, last->line) != 0;
}

/* `unseen_ns`: so long the workload may have been ready unseen, which is since the check before began. */
static void report(const struct verdict *verdict, int64_t unseen_ns)
{
    char encoded[3 * TAIL_BYTES + 1];
    percent_encode(verdict->line, encoded, sizeof encoded);
    int signal_number = WIFSIGNALED(verdict->status) ? WTERMSIG(verdict->status) : 0;
    send_line("BB1 health %d %d %d %d %lld %lld %s", exit_code_of(verdict->status), signal_number,
              verdict->limit_passed ? 1 : 0, health.attempts, (long long)health.cpu_us, (long long)unseen_ns, encoded);
}

static void kill_check(void)
{
    health.kill_at_ns = 0;
    if (health.child > 0)
        kill(-health.child, SIGKILL);
}

void health_exited(int status, const struct rusage *usage)
{
    struct verdict verdict = {.status = status, .limit_passed = health.limit_passed};
    bool passed = health.on && !health.limit_passed && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    int64_t unseen_ns = now_ns() - health.before_ns;
    health.attempts++;
    health.cpu_us += microseconds(usage->ru_utime) + microseconds(usage->ru_stime);
    if (passed)
        become_ready(); /* before anything else, because the host stamps it on arrival */
    kill_check();       /* what it left running would run beside the workload for ever */
    /* A process that left the check's session may still write, so only what is there now is read. */
    for (int left = queued_bytes(health.from); left > 0 && read_output();)
        left -= READ_BYTES;
    close_output();
    health.child = 0;
    last_line(verdict.line);
    if (health.on && (passed || is_news(&verdict)))
        report(&verdict, unseen_ns);
    health.reported = true;
    health.last = verdict;
    health.next_ns = now_ns() + conf.poll_us * 1000;
    health.on = health.on && !passed;
}

/* Ends a check that never ran as a shell would: with a message, and 126 or 127. */
static void fail_check(const struct start *start)
{
    char text[TAIL_BYTES];
    struct rusage nothing = {0};
    format_start_failure(start, text, sizeof text);
    keep_tail(text, strlen(text));
    health.child = 0; /* it has been waited for */
    health_exited(start_failure_code(start) << 8, &nothing); /* the wait status of an exit with this code */
}

static void start_check(void)
{
    int out[2];
    struct start start = {.argv = conf.health_argv, .own_session = true, .step = "pipe", .what = ""};
    health.before_ns = health.began_ns;
    health.began_ns = now_ns();
    health.kill_at_ns = health.began_ns + conf.health_timeout_ms * 1000000LL;
    health.limit_passed = false;
    health.used = 0;
    if (pipe2(out, O_CLOEXEC) != 0) {
        start.error = errno;
        fail_check(&start);
        return;
    }
    health.from = out[0];
    fcntl(out[0], F_SETFL, O_NONBLOCK);
    health.child = spawn_program(&start, out[1], out[1]);
    if (health.child < 0 && start.error == 0)
        start.error = errno, start.step = "fork", start.what = conf.health_argv[0];
    close(out[1]);
    if (start.error == 0)
        return;
    if (health.child > 0)
        waitpid(health.child, NULL, 0);
    fail_check(&start);
}

/* A part of the interval, anew in each box: at fixed times a change that is smaller than the interval would not show in
   any number of boots. Weak randomness will do, since a guest that has just booted has no other. */
static int64_t first_pause_ns(void)
{
    uint16_t part;
    if (getrandom(&part, sizeof part, GRND_INSECURE) != (ssize_t)sizeof part)
        part = (uint16_t)(now_ns() / 1000);
    return conf.poll_us * 1000 / (UINT16_MAX + 1) * part;
}

void begin_health(void)
{
    health.on = true;
    health.began_ns = now_ns(); /* the workload can have been ready since */
    health.next_ns = health.began_ns + first_pause_ns();
}

void end_health(void)
{
    health.on = false;
    kill_check();
}

bool is_health(pid_t pid) { return pid == health.child; }

void arm_health(struct pollfd *slot) { *slot = (struct pollfd){.fd = health.from, .events = POLLIN}; }

void serve_health(const struct pollfd *slot)
{
    if (slot->revents != 0)
        read_output();
}

int64_t health_deadline_ns(void)
{
    if (health.child > 0)
        return health.kill_at_ns;
    return health.on ? health.next_ns : 0;
}

void health_tick(int64_t now)
{
    if (health.child > 0 && health.kill_at_ns > 0 && now >= health.kill_at_ns) {
        health.limit_passed = true;
        kill_check();
    } else if (health.child <= 0 && health.on && now >= health.next_ns) {
        start_check();
    }
}
