#define _GNU_SOURCE
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "conf.h"
#include "mode.h"

sigset_t program_mask;

void default_signals(void)
{
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
}

static void fail_start(struct start *start, const char *step, const char *what)
{
    start->error = errno;
    start->step = step;
    start->what = what;
    _exit(127);
}

static const char *variable(char *const *env, const char *name)
{
    size_t length = strlen(name);
    for (; *env != NULL; env++)
        if (strncmp(*env, name, length) == 0 && (*env)[length] == '=')
            return *env + length + 1;
    return NULL;
}

/* As execvpe(3), but it searches the program's own PATH and never falls back to a shell, as the engines do it. */
static void exec_on_path(char *const *argv, char *const *env)
{
    char candidate[4096];
    int error = ENOENT;
    if (strchr(argv[0], '/') != NULL) {
        execve(argv[0], argv, env);
        return;
    }
    const char *path = variable(env, "PATH");
    for (const char *end; path != NULL; path = *end != 0 ? end + 1 : NULL) {
        end = strchrnul(path, ':');
        int length = snprintf(candidate, sizeof candidate, "%.*s/%s", (int)(end - path), path, argv[0]);
        if (length >= 0 && (size_t)length < sizeof candidate && length > 0)
            execve(candidate, argv, env);
        if (errno != ENOENT && errno != ENOTDIR)
            error = errno;
    }
    errno = error;
}

static void become_user(struct start *start)
{
    if (!conf.has_user)
        return;
    /* An unprivileged agent may be the right user already, and cannot set groups. */
    if (geteuid() != 0 && geteuid() == conf.uid)
        return;
    /* The user may open /dev/stdout by name. Engines give these pipes to the user as well. */
    if (conf.uid != 0 && (fchown(STDOUT_FILENO, conf.uid, -1) != 0 || fchown(STDERR_FILENO, conf.uid, -1) != 0))
        fail_start(start, "fchown", "stdout");
    if (setgroups(conf.groupc, conf.groups) != 0)
        fail_start(start, "setgroups", "");
    if (setgid(conf.gid) != 0)
        fail_start(start, "setgid", "");
    if (setuid(conf.uid) != 0)
        fail_start(start, "setuid", "");
}

static void child_main(struct start *start, int stdout_fd, int stderr_fd)
{
    if (mode.is_pid1 || start->own_session)
        setsid();
    if (mode.is_pid1) {
        int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (null >= 0)
            dup2(null, STDIN_FILENO);
    }
    dup2(stdout_fd, STDOUT_FILENO);
    dup2(stderr_fd, STDERR_FILENO);
    if (!mode.inherit) {
        /* Before the user changes, as the engines do it: a directory that only root may enter is a valid start. */
        if (conf.cwd != NULL && chdir(conf.cwd) != 0)
            fail_start(start, "chdir", conf.cwd);
        become_user(start);
    }
    sigprocmask(SIG_SETMASK, &program_mask, NULL);
    exec_on_path(start->argv, mode.inherit ? environ : conf.env);
    fail_start(start, "exec", start->argv[0]);
}

/* vfork copies no page tables, and returns in the parent once the child has executed the program or failed to.
 * Not inlined, because the child shares this stack frame. */
__attribute__((noinline)) pid_t spawn_program(struct start *start, int stdout_fd, int stderr_fd)
{
    pid_t child = vfork();
    if (child == 0)
        child_main(start, stdout_fd, stderr_fd);
    return child;
}

int start_failure_code(const struct start *start)
{
    return start->error == EACCES || start->error == ENOEXEC ? 126 : 127;
}

void format_start_failure(const struct start *start, char *text, size_t room)
{
    snprintf(text, room, "%s %s: %s", start->step, start->what, strerror(start->error));
}
