#define _GNU_SOURCE
#include "workload.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conf.h"
#include "exercise.h"
#include "fatal.h"
#include "health.h"
#include "output.h"
#include "process.h"
#include "protocol.h"
#include "readiness.h"
#include "shared/clock.h"

struct workload workload;

void start_workload(int stdout_fd, int stderr_fd)
{
    int out[2], err[2];
    struct start start = {.argv = conf.argv};
    if (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0)
        fatal("pipe: %s", strerror(errno));
    send_mark("exec");
    workload.pid = spawn_program(&start, out[1], err[1]);
    if (workload.pid < 0)
        fatal("fork: %s", strerror(errno));
    close(out[1]);
    close(err[1]);
    open_stream(STDOUT, out[0], stdout_fd);
    open_stream(STDERR, err[0], stderr_fd);
    if (start.error != 0) {
        char text[LINE_BYTES / 4];
        format_start_failure(&start, text, sizeof text);
        fatal_code(start_failure_code(&start), text);
    }
}

void stop_workload(void)
{
    if (workload.stopping || workload.pid <= 0)
        return;
    workload.stopping = true;
    close_exercises();
    end_health();
    workload.kill_at_ns = now_ns() + conf.stop_timeout_ms * 1000000LL;
    kill(workload.pid, conf.stop_signal);
}

void workload_exited(int status, const struct rusage *usage)
{
    int64_t ended_ns = now_ns();
    char outcome[OUTCOME_BYTES];
    workload.exit_code = exit_code_of(status);
    workload.exited = true;
    if (is_ready_from_output() && !is_ready())
        drain_streams(); /* the last output may make it ready, and that mark must come before the exit */
    if (conf.ready.kind == READY_EXIT && !WIFSIGNALED(status) && !workload.stopping &&
        workload.exit_code == conf.ready.code)
        become_ready();
    format_outcome(outcome, status, usage);
    send_line("BB1 exit %s %lld", outcome, (long long)ended_ns);
    drain_streams();
}

void workload_tick(int64_t now)
{
    if (workload.kill_at_ns > 0 && now >= workload.kill_at_ns) {
        kill(workload.pid, SIGKILL);
        workload.kill_at_ns = 0;
    }
}
