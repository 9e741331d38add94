#define _GNU_SOURCE
#include "jail.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PATH_BYTES = 512 };

/* Makes the directories that lead to `path`, and `path` itself as what is to be mounted on it. */
static bool make_point(const char *path, bool directory)
{
    char part[PATH_BYTES];
    for (const char *slash = path; (slash = strchr(slash, '/')) != NULL; slash++) {
        snprintf(part, sizeof part, "%.*s", (int)(slash - path), path);
        if (mkdir(part, 0755) != 0 && errno != EEXIST)
            return false;
    }
    if (directory)
        return mkdir(path, 0755) == 0 || errno == EEXIST;
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0444);
    return fd >= 0 && close(fd) == 0;
}

static bool show(const struct pair *pair, unsigned long flags)
{
    struct stat found;
    return stat(pair->left, &found) == 0 && make_point(pair->right, S_ISDIR(found.st_mode)) &&
           mount(pair->left, pair->right, NULL, MS_BIND, NULL) == 0 &&
           mount(NULL, pair->right, NULL, MS_REMOUNT | MS_BIND | MS_NOSUID | MS_NODEV | flags, NULL) == 0;
}

const char *make_jail(const struct jail *jail, const char *tree)
{
    char options[64];
    snprintf(options, sizeof options, "mode=755,size=%s", jail->bytes);
    if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        return "make / private";
    if (mount("tmpfs", tree, "tmpfs", MS_NOSUID | MS_NODEV, options) != 0 || chdir(tree) != 0)
        return tree;
    for (size_t i = 0; i < jail->shown_count; i++)
        if (!show(&jail->shown[i], MS_RDONLY))
            return jail->shown[i].left;
    for (size_t i = 0; i < jail->given_count; i++)
        if (!show(&jail->given[i], MS_NOEXEC))
            return jail->given[i].left;
    if (mkdir("tmp", 0700) != 0 || chown("tmp", jail->user, jail->group) != 0)
        return "tmp";
    return NULL;
}

#if defined(__x86_64__)
/* What neither a kernel nor a VMM in user space needs: mounts, namespaces, the host's clock, its keys, its modules. */
static const unsigned refused[] = {
    SYS_mount,          SYS_umount2,           SYS_pivot_root,    SYS_chroot,          SYS_move_mount,
    SYS_open_tree,      SYS_fsopen,            SYS_fsconfig,      SYS_fsmount,         SYS_fspick,
    SYS_unshare,        SYS_setns,             SYS_bpf,           SYS_perf_event_open, SYS_userfaultfd,
    SYS_keyctl,         SYS_add_key,           SYS_request_key,   SYS_kexec_load,      SYS_kexec_file_load,
    SYS_init_module,    SYS_finit_module,      SYS_delete_module, SYS_iopl,            SYS_ioperm,
    SYS_io_uring_setup, SYS_open_by_handle_at, SYS_swapon,        SYS_swapoff,         SYS_reboot,
    SYS_settimeofday,   SYS_clock_settime,     SYS_clock_adjtime, SYS_adjtimex,        SYS_acct,
    SYS_quotactl,       SYS_syslog,            SYS_sethostname,   SYS_setdomainname,
};

enum { X32 = 0x40000000, COUNT = sizeof refused / sizeof *refused, LENGTH = 2 * COUNT + 16 };

#define NEW_NAMESPACES                                                                                                 \
    (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP)

static struct sock_filter code[LENGTH];
static unsigned short code_length;

static void add(unsigned short what, unsigned value, unsigned char on_true, unsigned char on_false)
{
    code[code_length++] = (struct sock_filter){what, on_true, on_false, value};
}

static void load(unsigned offset) { add(BPF_LD | BPF_W | BPF_ABS, offset, 0, 0); }

static void fail(int error) { add(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error, 0, 0); }

static void allow(void) { add(BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0); }

/* Installs a filter that refuses these, new namespaces, and sockets other than local ones. The kernel of the guest
 * emulates the calls of its processes, so they never reach it. */
static bool filter_calls(void)
{
    load(offsetof(struct seccomp_data, arch));
    add(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0);
    fail(EPERM);
    load(offsetof(struct seccomp_data, nr));
    add(BPF_JMP | BPF_JGE | BPF_K, X32, 0, 1);
    fail(EPERM);
    for (size_t i = 0; i < COUNT; i++) {
        add(BPF_JMP | BPF_JEQ | BPF_K, refused[i], 0, 1);
        fail(EPERM);
    }
    /* A filter cannot read its arguments. The C library then calls clone. */
    add(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1);
    fail(ENOSYS);
    add(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 3);
    load(offsetof(struct seccomp_data, args));
    add(BPF_JMP | BPF_JSET | BPF_K, NEW_NAMESPACES, 4, 0);
    allow();
    add(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 3);
    load(offsetof(struct seccomp_data, args));
    add(BPF_JMP | BPF_JEQ | BPF_K, AF_UNIX, 1, 0);
    fail(EPERM);
    allow();
    const struct sock_fprog program = {.len = code_length, .filter = code};
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}
#else
static bool filter_calls(void) { return true; }
#endif

const char *drop_privileges(const struct jail *jail)
{
    const struct rlimit none = {0, 0}, files = {jail->file_bytes, jail->file_bytes};
    /* At fixed addresses the memory of a kernel in user space does not depend on chance: see METHOD.md. */
    if (personality(PER_LINUX | ADDR_NO_RANDOMIZE) < 0)
        return "personality";
    if (setrlimit(RLIMIT_CORE, &none) != 0 || setrlimit(RLIMIT_FSIZE, &files) != 0)
        return "setrlimit";
    if (setgroups(0, NULL) != 0 || setresgid(jail->group, jail->group, jail->group) != 0)
        return "become the group";
    /* Capabilities go with root's user id. */
    if (setresuid(jail->user, jail->user, jail->user) != 0)
        return "become the user";
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return "no_new_privs";
    return filter_calls() ? NULL : "seccomp";
}
