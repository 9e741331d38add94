#pragma once
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Starting a program as box.conf describes: its user, its directory, its environment. */

/* A program to start. The vfork child runs in our memory until it executes, so it reports a failure in here. */
struct start {
    char *const *argv;
    bool own_session; /* so that everything it starts can be killed with it */
    const char *volatile step; /* what failed */
    const char *volatile what;
    volatile int error; /* errno of it; 0: the program was executed */
};

/* The signal mask that programs are started with: ours before we blocked signals. */
extern sigset_t program_mask;

/* Sets every signal to its default action. A caller in the background ignores SIGINT and SIGQUIT, and ignored signals
 * are inherited: the workload of a bare process would differ from one in a container, and would miss a stop signal. */
void default_signals(void);

/* Starts a program with these descriptors as its output. When it returns, the program was executed or start->error is
 * set. Returns the pid, or -1 when there is no new process. */
pid_t spawn_program(struct start *start, int stdout_fd, int stderr_fd);

/* The exit code that a shell gives for a program that could not be executed. */
int start_failure_code(const struct start *start);

/* What failed, for people. */
void format_start_failure(const struct start *start, char *text, size_t room);
