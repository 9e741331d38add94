#define _GNU_SOURCE
#include "serve.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "commands.h"
#include "conf.h"
#include "digest.h"
#include "exercise.h"
#include "fatal.h"
#include "health.h"
#include "output.h"
#include "probe.h"
#include "process.h"
#include "readiness.h"
#include "shared/clock.h"
#include "workload.h"

static int signal_fd = -1;

static void block_signals(void)
{
    const int stops[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP, conf.stop_signal};
    sigset_t watched, blocked;
    sigemptyset(&watched);
    sigaddset(&watched, SIGCHLD);
    for (size_t i = 0; i < sizeof stops / sizeof *stops; i++)
        sigaddset(&watched, stops[i]);
    blocked = watched;
    sigaddset(&blocked, SIGPIPE); /* blocking it has the effect of ignoring it, and programs get the old mask back */
    sigprocmask(SIG_BLOCK, &blocked, &program_mask);
    signal_fd = signalfd(-1, &watched, SFD_NONBLOCK | SFD_CLOEXEC);
    if (signal_fd < 0)
        fatal("signalfd: %s", strerror(errno));
}

/* Waits for every child that has ended; as PID 1 that includes the orphans of the workload. */
static void reap(void)
{
    struct rusage usage;
    int status;
    for (pid_t pid; (pid = wait4(-1, &status, WNOHANG, &usage)) > 0;)
        if (pid == workload.pid)
            workload_exited(status, &usage);
        else if (is_exercise(pid))
            exercise_exited(status, &usage);
        else if (is_health(pid))
            health_exited(status, &usage);
        else if (is_digester(pid))
            digester_exited(status);
}

static void read_signals(void)
{
    struct signalfd_siginfo info;
    while (read(signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGCHLD)
            reap();
        else
            stop_workload();
    }
}

static int64_t next_deadline_ns(void)
{
    const int64_t deadlines[] = {workload.kill_at_ns, exercise_deadline_ns(), health_deadline_ns(),
                                 commands_deadline_ns()};
    int64_t next = probe_deadline_ns();
    for (size_t i = 0; i < sizeof deadlines / sizeof *deadlines; i++)
        if (deadlines[i] > 0 && deadlines[i] < next)
            next = deadlines[i];
    return next;
}

static int poll_until_deadline(struct pollfd *set, nfds_t count)
{
    int64_t deadline = next_deadline_ns();
    if (deadline == INT64_MAX)
        return ppoll(set, count, NULL, NULL);
    int64_t left = deadline - now_ns();
    if (left < 0)
        left = 0;
    struct timespec limit = {.tv_sec = left / 1000000000LL, .tv_nsec = left % 1000000000LL};
    return ppoll(set, count, &limit, NULL);
}

static void serve_deadlines(void)
{
    int64_t now = now_ns();
    workload_tick(now);
    exercise_tick(now);
    health_tick(now);
    commands_tick(now);
    probe_tick(now);
}

static void serve_until_exit(void)
{
    enum { OUT, ERR, PROBE, HEALTH, COMMANDS, SIGNALS, EXERCISE, COUNT = EXERCISE + EXERCISE_STREAMS };
    struct pollfd set[COUNT];
    while (!workload.exited) {
        arm_stream(STDOUT, &set[OUT]);
        arm_stream(STDERR, &set[ERR]);
        arm_probe(&set[PROBE]);
        arm_health(&set[HEALTH]);
        arm_commands(&set[COMMANDS]);
        set[SIGNALS] = (struct pollfd){.fd = signal_fd, .events = POLLIN};
        arm_exercise(&set[EXERCISE]);
        if (poll_until_deadline(set, COUNT) > 0) {
            /* Signals come last: output that was there before the workload's end is read before its end is. */
            serve_stream(STDOUT, &set[OUT]);
            serve_stream(STDERR, &set[ERR]);
            serve_probe(&set[PROBE]);
            serve_health(&set[HEALTH]);
            serve_exercise(&set[EXERCISE]);
            serve_commands(&set[COMMANDS]);
            if (set[SIGNALS].revents != 0)
                read_signals();
        }
        serve_deadlines();
    }
}

void run_workload(int stdout_fd, int stderr_fd)
{
    block_signals();
    start_workload(stdout_fd, stderr_fd);
    if (conf.ready.kind == READY_TCP || conf.ready.kind == READY_HTTP)
        begin_probe();
    if (conf.ready.kind == READY_HEALTH)
        begin_health();
    if (conf.ready.kind == READY_STARTED)
        become_ready();
    serve_until_exit();
    kill_exercise();
    end_health();
}
