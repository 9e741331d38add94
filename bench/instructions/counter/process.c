#define _GNU_SOURCE
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "console.h"
#include "place.h"

enum { CONTROL_FD = 3 };

static struct {
    pid_t pid; /* 0: there is none */
    int control;
} held;

pid_t start_program(char **words, int control)
{
    pid_t child = vfork();
    if (child < 0)
        fatal("vfork: %s", strerror(errno));
    if (child > 0)
        return child;
    if (control == CONTROL_FD)
        fcntl(control, F_SETFD, 0);
    else if (control >= 0)
        dup2(control, CONTROL_FD);
    int log = open(LOG_FILE, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    execve(words[0], words, environ);
    dprintf(STDERR_FILENO, "%s: %s\n", words[0], strerror(errno));
    _exit(127);
}

void run_program(char **words)
{
    int status;
    pid_t child = start_program(words, -1), ended;
    /* Orphans are children of PID 1 too. */
    while ((ended = waitpid(-1, &status, 0)) != child && (ended > 0 || errno == EINTR))
        ;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fatal("%s %s: status %d", words[0], words[1] != NULL ? words[1] : "", status);
}

void start_held(char **words)
{
    int pair[2];
    char word;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        fatal("socketpair: %s", strerror(errno));
    held.pid = start_program(words, pair[1]);
    close(pair[1]);
    held.control = pair[0];
    if (read(held.control, &word, 1) != 1 || word != 'p')
        fatal("%s did not report that it waits", words[0]);
}

void release_held(void)
{
    char pid[16];
    if (write(held.control, "g", 1) != 1 || read(held.control, pid, sizeof pid) <= 0)
        fatal("the launcher did not start the box");
}

void await_child(pid_t child)
{
    int status;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
}

void await_held(void)
{
    if (held.pid > 0) {
        await_child(held.pid);
        close(held.control);
    }
    held.pid = 0;
}
