/*
 * boxlaunch: starts boxes that have no engine, on the host.
 *
 *   boxlaunch --control FD [--cgroup FILE]... [--chroot TREE] -- PROGRAM [WORD]...
 *   boxlaunch --control FD [--cgroup FILE]... --isolate TREE [--new NAMESPACE]... [--overlay OPTIONS]
 *             [--bind SOURCE:PLACE]... [--volume SOURCE:PLACE]... [--cgroupfs NAME:OPTIONS]... [--hostname NAME] [--enter pivot|chroot]
 *             -- PROGRAM [WORD]...
 *   boxlaunch --control FD [--cgroup FILE]... --isolate TREE --jail BYTES --files BYTES --user UID:GID [--new NAMESPACE]...
 *             [--show SOURCE:PLACE]... [--bind SOURCE:PLACE]... --enter pivot -- PROGRAM [WORD]...
 *
 * It joins the control groups, writes `p` (prepared) to FD and waits. When it reads `g` (go) it starts PROGRAM and
 * writes PROGRAM's pid in decimal with a newline. From then on it forwards SIGTERM and SIGINT, and it ends with the
 * program's status. PROGRAM gets this program's environment, which the harness keeps empty except for PATH.
 *
 * Why it exists: moving a process into a v1 memory group takes about 10 ms, because the kernel waits for a grace
 * period. That is the price of our accounting and not of a process. Held inside the group before the request, this
 * program does in the measured part what a shell does: vfork and exec.
 *
 * --isolate makes a container from the kernel's primitives alone, and all of that is in the measured part: clone into
 * the namespaces that --new names (mount, pid, uts, ipc, net, cgroup, user), mount the overlay, /proc, /sys, /dev and
 * the binds and volumes (binds in which device nodes do not work), bring up loopback, set the host name, then
 * pivot_root or chroot. The child is a copy, as of any fork: with a user namespace the parent must write the maps while
 * the child waits, which a vfork does not allow.
 *
 * --jail is for a program that runs a guest of its own and is no more trusted than the guest: see jail.h.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "jail.h"
#include "shared/kernel.h"

enum { CANNOT_START = 127, MAX_PAIRS = 32 };

static struct {
    int control;
    const char *tree;
    bool isolate, pivot;
    uint64_t namespaces;
    char *overlay, *hostname;
    struct pair binds[MAX_PAIRS], volumes[MAX_PAIRS], shown[MAX_PAIRS], cgroups[MAX_PAIRS];
    size_t bind_count, volume_count, shown_count, cgroup_count;
    struct jail jail;
    int maps_written[2], problem[2];
    volatile pid_t child;
    /* Set by the vfork child, which shares our memory until it has executed the program. */
    volatile int child_errno;
} self = {.control = -1};

static void __attribute__((format(printf, 1, 2), noreturn)) fatal(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("boxlaunch: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    _exit(CANNOT_START);
}

static void forward_signal(int signal_number)
{
    if (self.child > 0)
        kill(self.child, signal_number);
    else
        _exit(128 + signal_number);
}

/* A signal that arrives between the child's birth and our note of its pid would end us alone, so it waits. */
static void hold_signals(int how)
{
    sigset_t both;
    sigemptyset(&both);
    sigaddset(&both, SIGTERM);
    sigaddset(&both, SIGINT);
    sigprocmask(how, &both, NULL);
}

static void join(const char *cgroup_file)
{
    if (!join_cgroup(cgroup_file))
        fatal("cannot join %s: %s", cgroup_file, strerror(errno));
}

static uint64_t namespace_flag(const char *name)
{
    static const struct {
        const char *name;
        uint64_t flag;
    } known[] = {
        {"mount", CLONE_NEWNS},   {"pid", CLONE_NEWPID},       {"uts", CLONE_NEWUTS},   {"ipc", CLONE_NEWIPC},
        {"net", CLONE_NEWNET},    {"cgroup", CLONE_NEWCGROUP}, {"user", CLONE_NEWUSER},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i].name, name) == 0)
            return known[i].flag;
    fatal("--new %s: no such namespace", name);
}

static void add_pair(struct pair *pairs, size_t *count, char *text)
{
    char *colon = strchr(text, ':');
    if (colon == NULL || *count == MAX_PAIRS)
        fatal("%s: not two words divided by a colon, or too many of them", text);
    *colon = 0;
    pairs[(*count)++] = (struct pair){text, colon + 1};
}

/* Reads a flag that belongs to --jail. False when it is none of them. */
static bool jail_flag(const char *flag, char *value)
{
    if (strcmp(flag, "--jail") == 0)
        self.jail.bytes = value;
    else if (strcmp(flag, "--files") == 0)
        self.jail.file_bytes = strtoull(value, NULL, 10);
    else if (strcmp(flag, "--show") == 0)
        add_pair(self.shown, &self.shown_count, value);
    else if (strcmp(flag, "--user") != 0 || sscanf(value, "%u:%u", &self.jail.user, &self.jail.group) != 2)
        return false;
    return true;
}

/* Reads a flag that belongs to --isolate. False when it is none of them. */
static bool isolation_flag(const char *flag, char *value)
{
    if (strcmp(flag, "--isolate") == 0) {
        self.isolate = true;
        self.tree = value;
    } else if (strcmp(flag, "--new") == 0)
        self.namespaces |= namespace_flag(value);
    else if (strcmp(flag, "--overlay") == 0)
        self.overlay = value;
    else if (strcmp(flag, "--bind") == 0)
        add_pair(self.binds, &self.bind_count, value);
    else if (strcmp(flag, "--volume") == 0)
        add_pair(self.volumes, &self.volume_count, value);
    else if (strcmp(flag, "--cgroupfs") == 0)
        add_pair(self.cgroups, &self.cgroup_count, value);
    else if (strcmp(flag, "--hostname") == 0)
        self.hostname = value;
    else if (strcmp(flag, "--enter") == 0)
        self.pivot = strcmp(value, "pivot") == 0;
    else
        return jail_flag(flag, value);
    return true;
}

/* Reads the flags, and returns the program and its arguments. */
static char **read_flags(char **argument)
{
    for (; argument[0] != NULL; argument += 2) {
        if (strcmp(argument[0], "--") == 0)
            return argument + 1;
        if (argument[1] == NULL)
            break;
        if (strcmp(argument[0], "--control") == 0)
            self.control = atoi(argument[1]);
        else if (strcmp(argument[0], "--cgroup") == 0)
            join(argument[1]);
        else if (strcmp(argument[0], "--chroot") == 0)
            self.tree = argument[1];
        else if (!isolation_flag(argument[0], argument[1]))
            break;
    }
    fatal("usage: boxlaunch --control FD [--cgroup FILE]... [--chroot TREE | --isolate TREE ...] -- PROGRAM [WORD]...");
}

/* Reports that everything is prepared, and waits for the request to start. */
static void wait_for_go(void)
{
    char word = 'p';
    fcntl(self.control, F_SETFD, FD_CLOEXEC);
    if (write(self.control, &word, 1) != 1)
        fatal("the control descriptor: %s", strerror(errno));
    /* The end of the harness closes the socket, and there is nothing to start. */
    if (read(self.control, &word, 1) != 1 || word != 'g')
        _exit(0);
}

static void start(char **words)
{
    extern char **environ;
    hold_signals(SIG_BLOCK);
    pid_t child = vfork();
    if (child == 0) {
        hold_signals(SIG_UNBLOCK);
        if (self.tree == NULL || (chroot(self.tree) == 0 && chdir("/") == 0))
            execve(words[0], words, environ);
        self.child_errno = errno;
        _exit(CANNOT_START);
    }
    if (child < 0)
        fatal("vfork: %s", strerror(errno));
    self.child = child;
    hold_signals(SIG_UNBLOCK);
    if (self.child_errno != 0)
        fatal("cannot start %s: %s", words[0], strerror(self.child_errno));
}

/* ---- the isolated child; until it enters the tree, the tree is its working directory ---- */

static void __attribute__((noreturn)) report_problem(const char *what, const char *why)
{
    char text[512];
    int length = snprintf(text, sizeof text, "%s: %s", what, why);
    /* snprintf returns the length of the whole text, not of what fits. */
    if (length >= (int)sizeof text)
        length = (int)sizeof text - 1;
    /* The parent also notices when this fails, since the pipe then closes without a text. */
    if (write(self.problem[1], text, (size_t)length) != length)
        _exit(CANNOT_START + 1);
    _exit(CANNOT_START);
}

static void __attribute__((noreturn)) give_up(const char *what) { report_problem(what, strerror(errno)); }

static bool has(uint64_t namespace) { return (self.namespaces & namespace) != 0; }

static void make_dir(const char *path)
{
    if (mkdir(path, 0755) != 0 && errno != EEXIST)
        give_up(path);
}

/* The image decides what is in the tree. A link of it would lead a mount out of the tree, to the host. */
static void require_inside(const char *path)
{
    const struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
    int fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);
    if (fd < 0 && errno == ELOOP)
        report_problem(path, "the image has a symbolic link there, and it would lead the mount out of the tree");
    if (fd < 0)
        give_up(path);
    close(fd);
}

static void mount_on(const char *type, const char *path, unsigned long flags, const char *data)
{
    make_dir(path);
    require_inside(path);
    if (mount(type, path, type, flags, data) != 0)
        give_up(path);
}

static void bind_on(const char *source, const char *path)
{
    require_inside(path);
    if (mount(source, path, NULL, MS_BIND, NULL) != 0)
        give_up(path);
}

/* Like the overlay, a volume has what the image has there, so device nodes in it must not work. */
static void bind_volume(const char *source, const char *path)
{
    struct statvfs status;
    bind_on(source, path);
    /* A user namespace may not take away the flags that its source is mounted with. */
    if (statvfs(path, &status) != 0)
        give_up(path);
    unsigned long flags = status.f_flag & (ST_RDONLY | ST_NOSUID | ST_NOEXEC | ST_NOATIME | ST_NODIRATIME | ST_RELATIME);
    if (mount(NULL, path, NULL, MS_BIND | MS_REMOUNT | MS_NODEV | flags, NULL) != 0)
        give_up(path);
}

static void make_device(const char *name, unsigned major_number, unsigned minor_number)
{
    char path[64], host[64];
    snprintf(path, sizeof path, "dev/%s", name);
    snprintf(host, sizeof host, "/dev/%s", name);
    if (!has(CLONE_NEWUSER)) {
        if (mknod(path, S_IFCHR | 0666, makedev(major_number, minor_number)) != 0)
            give_up(path);
        return;
    }
    /* The kernel refuses mknod(2) in a user namespace, so the host's device is bound. */
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0)
        give_up(path);
    close(fd);
    bind_on(host, path);
}

static void make_link(const char *target, const char *path)
{
    if (symlink(target, path) != 0)
        give_up(path);
}

/* Fills /dev with what engines put into that of every container. */
static void fill_dev(void)
{
    mount_on("tmpfs", "dev", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k");
    make_device("null", 1, 3);
    make_device("zero", 1, 5);
    make_device("full", 1, 7);
    make_device("random", 1, 8);
    make_device("urandom", 1, 9);
    make_device("tty", 5, 0);
    make_link("/proc/self/fd", "dev/fd");
    make_link("/proc/self/fd/0", "dev/stdin");
    make_link("/proc/self/fd/1", "dev/stdout");
    make_link("/proc/self/fd/2", "dev/stderr");
    mount_on("devpts", "dev/pts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620");
    make_link("pts/ptmx", "dev/ptmx");
    mount_on("tmpfs", "dev/shm", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=1777,size=65536k");
    mount_on("mqueue", "dev/mqueue", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
}

/* Mounts the control groups of --cgroupfs NAME:OPTIONS. NAME is the directory of a version 1 hierarchy and OPTIONS are
 * its controllers; the name `.` stands for version 2. */
static void mount_cgroups(void)
{
    const unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY;
    char path[256];
    if (self.cgroup_count == 0)
        return;
    if (strcmp(self.cgroups[0].left, ".") == 0) {
        mount_on("cgroup2", "sys/fs/cgroup", flags, NULL);
        return;
    }
    mount_on("tmpfs", "sys/fs/cgroup", flags & ~MS_RDONLY, "mode=755,size=64k");
    for (size_t i = 0; i < self.cgroup_count; i++) {
        snprintf(path, sizeof path, "sys/fs/cgroup/%s", self.cgroups[i].left);
        mount_on("cgroup", path, flags, self.cgroups[i].right);
    }
}

static void mount_all(void)
{
    const unsigned long safe = MS_NOSUID | MS_NODEV | MS_NOEXEC;
    if (has(CLONE_NEWNS) && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        give_up("make / private");
    /* An image can contain the node of the host's disk. The box gets a /dev of its own. */
    if (self.overlay != NULL && mount("overlay", self.tree, "overlay", MS_NODEV, self.overlay) != 0)
        give_up("mount the overlay");
    if (chdir(self.tree) != 0)
        give_up(self.tree);
    mount_on("proc", "proc", safe, NULL);
    mount_on("sysfs", "sys", safe | MS_RDONLY, NULL);
    mount_cgroups();
    fill_dev();
    for (size_t i = 0; i < self.bind_count; i++)
        bind_on(self.binds[i].left, self.binds[i].right);
    for (size_t i = 0; i < self.volume_count; i++)
        bind_volume(self.volumes[i].left, self.volumes[i].right);
}

static void mount_jail(void)
{
    self.jail.shown = self.shown;
    self.jail.shown_count = self.shown_count;
    self.jail.given = self.binds;
    self.jail.given_count = self.bind_count;
    const char *failed = make_jail(&self.jail, self.tree);
    if (failed != NULL)
        give_up(failed);
}

static void leave_privileges(void)
{
    const char *failed = drop_privileges(&self.jail);
    if (failed != NULL)
        give_up(failed);
}

static void enter_tree(void)
{
    if (self.pivot) {
        /* With one directory for both, the old root is mounted on top of the new one and is unmounted there. */
        if (syscall(SYS_pivot_root, ".", ".") != 0)
            give_up("pivot_root");
        if (umount2(".", MNT_DETACH) != 0)
            give_up("unmount the old root");
    } else if (chroot(".") != 0)
        give_up("chroot");
    if (chdir("/") != 0)
        give_up("enter the tree");
}

static void __attribute__((noreturn)) isolated(char **words)
{
    extern char **environ;
    char byte;
    hold_signals(SIG_UNBLOCK);
    close(self.maps_written[1]);
    close(self.problem[0]);
    /* Without a byte the parent could not write the maps, and it reports that itself. */
    if (has(CLONE_NEWUSER) && read(self.maps_written[0], &byte, 1) != 1)
        _exit(CANNOT_START);
    umask(0);
    if (self.jail.bytes != NULL)
        mount_jail();
    else
        mount_all();
    if (has(CLONE_NEWUTS) && self.hostname != NULL && sethostname(self.hostname, strlen(self.hostname)) != 0)
        give_up("set the host name");
    if (has(CLONE_NEWNET) && !bring_up_loopback())
        give_up("bring up loopback");
    enter_tree();
    umask(022);
    if (self.jail.bytes != NULL)
        leave_privileges();
    execve(words[0], words, environ);
    give_up(words[0]);
}

static void write_map(const char *name)
{
    /* The identity map: files keep their owners, and only the privileges are those of the namespace. */
    static const char whole[] = "0 0 4294967295\n";
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)self.child, name);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, whole, sizeof whole - 1) != (ssize_t)sizeof whole - 1)
        fatal("%s: %s", path, strerror(errno));
    close(fd);
}

static void start_isolated(char **words)
{
    struct clone_args how = {.flags = self.namespaces, .exit_signal = SIGCHLD};
    char problem[512];
    if (self.pivot && !has(CLONE_NEWNS))
        fatal("pivot_root without a mount namespace would replace the host's root");
    if (self.jail.bytes != NULL && (!self.pivot || self.jail.user == 0))
        fatal("a jail needs --new mount, --enter pivot, and a --user that is not root");
    if (pipe2(self.maps_written, O_CLOEXEC) != 0 || pipe2(self.problem, O_CLOEXEC) != 0)
        fatal("pipe: %s", strerror(errno));
    hold_signals(SIG_BLOCK);
    pid_t child = (pid_t)syscall(SYS_clone3, &how, sizeof how);
    if (child == 0)
        isolated(words);
    if (child < 0)
        fatal("clone3: %s", strerror(errno));
    self.child = child;
    hold_signals(SIG_UNBLOCK);
    close(self.problem[1]);
    if (has(CLONE_NEWUSER)) {
        write_map("uid_map");
        write_map("gid_map");
        if (write(self.maps_written[1], "m", 1) != 1)
            fatal("the maps' pipe: %s", strerror(errno));
    }
    close(self.maps_written[0]);
    close(self.maps_written[1]);
    /* The exec closes the last copy of the pipe, so an empty read means that the program was executed. */
    ssize_t length = read(self.problem[0], problem, sizeof problem - 1);
    if (length != 0)
        fatal("cannot start: %.*s", length > 0 ? (int)length : 1, length > 0 ? problem : "?");
    close(self.problem[0]);
}

static void report_pid(void)
{
    char text[16];
    int length = snprintf(text, sizeof text, "%d\n", (int)self.child);
    if (write(self.control, text, (size_t)length) != length)
        fatal("the control descriptor: %s", strerror(errno));
}

static int wait_for_child(void)
{
    int status = 0;
    while (waitpid(self.child, &status, 0) < 0)
        if (errno != EINTR)
            fatal("waitpid: %s", strerror(errno));
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
    (void)argc;
    signal(SIGTERM, forward_signal);
    signal(SIGINT, forward_signal);
    char **words = read_flags(argv + 1);
    if (words[0] == NULL || self.control < 0)
        fatal("no program, or no control descriptor");
    wait_for_go();
    if (self.isolate)
        start_isolated(words);
    else
        start(words);
    report_pid();
    return wait_for_child();
}
