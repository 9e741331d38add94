#define _GNU_SOURCE
#include "digest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ahead.h"
#include "mode.h"
#include "protocol.h"
#include "sha256.h"
#include "shared/percent.h"
#include "words.h"

enum {
    MAX_LEFT_OUT = 32,
    MAX_DIRECTORY = 1024 * 1024, /* entries of one directory, which are sorted in memory */
    PATH_BYTES = 4096,
    OPEN_DIRECTORIES = 512, /* a process may have 1024 descriptors where nobody has changed it */
    READ_AHEAD_BYTES = 256 * 1024,
};

/* An entry of a directory. */
struct entry {
    char *name;
    unsigned char type; /* as getdents64 tells it */
};

/* An entry that was looked at. Its line is written once all lines before it are. */
struct seen {
    struct stat status;
    int fd;     /* of a regular file, open; else -1 */
    bool ahead; /* its beginning is read by ahead.c */
    char *path; /* percent-encoded */
    char *data; /* of a symbolic link: its target, percent-encoded; else NULL */
};

static pid_t digester;

/* State of the process that computes the digest. Unlike the agent it may allocate memory. It dies with the agent. */
static struct {
    struct sha256 tree;
    char *left_out[MAX_LEFT_OUT];
    size_t left_outc;
    unsigned left_out_depth;       /* the most directories that are above an entry that is left out */
    char path[PATH_BYTES];         /* absolute; empty for the root */
    struct seen seen[AHEAD_SLOTS]; /* a ring */
    size_t first, seenc;
    bool direct; /* files are read past the page cache */
} digest;

__attribute__((noreturn)) static void failed_at(const char *path)
{
    char text[PATH_BYTES + 128];
    snprintf(text, sizeof text, "digest: /%.*s: %s", PATH_BYTES, path, strerror(errno));
    send_error(text);
    _exit(1);
}

__attribute__((noreturn)) static void digest_failed(void) { failed_at(*digest.path != 0 ? digest.path + 1 : ""); }

static bool is_listed(const char *path)
{
    for (size_t i = 0; i < digest.left_outc; i++)
        if (strcmp(path, digest.left_out[i]) == 0)
            return true;
    return false;
}

/* Whether it is listed with a slash at its end. */
static bool is_listed_directory(const char *path)
{
    size_t length = strlen(path);
    for (size_t i = 0; i < digest.left_outc; i++)
        if (strncmp(path, digest.left_out[i], length) == 0 && strcmp(digest.left_out[i] + length, "/") == 0)
            return true;
    return false;
}

/* Opens an entry for reading without a change of its access time: to write those of all files of a guest would take
 * longer than to read the files. Only their owner may, and a process with the capability for it. */
static int open_quietly(int directory, const char *name, int flags)
{
    int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOATIME | flags);
    return fd >= 0 || errno != EPERM ? fd : openat(directory, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | flags);
}

static int by_bytes(const void *left, const void *right)
{
    return strcmp(((const struct entry *)left)->name, ((const struct entry *)right)->name);
}

/* Adds an entry to `*entries`, whose length is always the next power of two. */
static void add_entry(struct entry **entries, size_t count, const struct dirent *found)
{
    bool full = count == 0 || (count & (count - 1)) == 0;
    struct entry *longer = full ? realloc(*entries, (count > 0 ? 2 * count : 1) * sizeof **entries) : *entries;
    char *name = strdup(found->d_name);
    errno = E2BIG;
    if (count == MAX_DIRECTORY || longer == NULL || name == NULL)
        digest_failed();
    *entries = longer;
    longer[count] = (struct entry){.name = name, .type = found->d_type};
}

/* The entries of a directory, sorted. */
static struct entry *listed(int directory, size_t *count)
{
    static _Alignas(struct dirent) char buffer[64 * 1024];
    struct entry *entries = NULL;
    long got;
    *count = 0;
    while ((got = syscall(SYS_getdents64, directory, buffer, sizeof buffer)) > 0)
        for (long at = 0; at < got;) {
            const struct dirent *found = (const struct dirent *)(buffer + at);
            at += found->d_reclen;
            if (strcmp(found->d_name, ".") != 0 && strcmp(found->d_name, "..") != 0)
                add_entry(&entries, (*count)++, found);
        }
    if (got < 0)
        digest_failed();
    if (*count > 0)
        qsort(entries, *count, sizeof *entries, by_bytes);
    return entries;
}

static bool is_entry_left_out(const char *name)
{
    char path[PATH_BYTES + 256];
    snprintf(path, sizeof path, "%.*s/%s", PATH_BYTES, digest.path + 1, name);
    return is_listed(path);
}

/* Whether it is a directory that holds nothing but entries that are left out by name. */
static bool is_empty_directory(int parent, const char *name)
{
    bool empty = true;
    size_t count;
    int directory = open_quietly(parent, name, O_DIRECTORY);
    if (directory < 0)
        return false;
    struct entry *entries = listed(directory, &count);
    for (size_t i = 0; i < count; i++) {
        empty = empty && is_entry_left_out(entries[i].name);
        free(entries[i].name);
    }
    free(entries);
    close(directory);
    return empty;
}

static bool is_left_out(int parent, const char *name)
{
    return is_listed(digest.path + 1) || (is_listed_directory(digest.path + 1) && is_empty_directory(parent, name));
}

static void digest_content(const struct seen *seen, char *text)
{
    static _Alignas(4096) char buffer[256 * 1024]; /* aligned, for O_DIRECT */
    struct sha256 sha;
    ssize_t got = 1;
    off_t all = 0;
    sha256_begin(&sha);
    if (seen->ahead) {
        const void *beginning;
        got = await_ahead(digest.first, &beginning);
        if (got > 0) {
            sha256_add(&sha, beginning, (size_t)got);
            all = got;
        }
        /* What could not be read like this is read from its beginning by the page cache. */
        if (lseek(seen->fd, all, SEEK_SET) < 0 || (got < 0 && fcntl(seen->fd, F_SETFL, 0) != 0))
            failed_at(seen->path);
        got = got < 0 ? 1 : got;
    }
    /* Most files are smaller than the buffer, and a read that finds nothing costs as much as one that does. */
    while (got > 0 && (all == 0 || all != seen->status.st_size) && (got = read(seen->fd, buffer, sizeof buffer)) > 0) {
        sha256_add(&sha, buffer, (size_t)got);
        all += got;
    }
    if (got < 0)
        failed_at(seen->path);
    sha256_end(&sha, text);
}

/* A copy of a text, percent-encoded. */
static char *encoded(const char *text)
{
    static char room[3 * PATH_BYTES];
    percent_encode(text, room, sizeof room);
    char *copy = strdup(room);
    if (copy == NULL)
        digest_failed();
    return copy;
}

static char *encoded_link(int directory, const char *name)
{
    char target[PATH_BYTES];
    ssize_t length = readlinkat(directory, name, target, sizeof target - 1);
    if (length < 0)
        digest_failed();
    target[length] = 0;
    return encoded(target);
}

static char kind_of(mode_t bits)
{
    switch (bits & S_IFMT) {
    case S_IFREG: return 'f';
    case S_IFDIR: return 'd';
    case S_IFLNK: return 'l';
    case S_IFIFO: return 'p';
    case S_IFCHR: return 'c';
    case S_IFBLK: return 'b';
    default: return '?';
    }
}

/* Digests the entry that was looked at first. */
static void digest_first(void)
{
    static char line[6 * PATH_BYTES + 256];
    char content[SHA256_TEXT_BYTES] = "-";
    struct seen *seen = &digest.seen[digest.first];
    const struct stat *status = &seen->status;
    char kind = kind_of(status->st_mode);
    bool device = kind == 'c' || kind == 'b';
    if (kind == 'f')
        digest_content(seen, content);
    int length = snprintf(line, sizeof line, "%c %04o %u %u %u:%u %lld %s %s\n", kind,
                          kind == 'l' ? 0777 : status->st_mode & 07777, status->st_uid, status->st_gid,
                          device ? major(status->st_rdev) : 0, device ? minor(status->st_rdev) : 0,
                          kind == 'f' ? (long long)status->st_size : 0, seen->path,
                          seen->data != NULL ? seen->data : content);
    sha256_add(&digest.tree, line, (size_t)length);
    if (seen->fd >= 0)
        close(seen->fd);
    free(seen->path);
    free(seen->data);
    digest.first = (digest.first + 1) % AHEAD_SLOTS;
    digest.seenc--;
}

/* Makes the name of an entry the last part of the path. `length` is that of the directory's path. */
static void enter(size_t length, const char *name)
{
    size_t size = strlen(name) + 1;
    errno = ENAMETOOLONG;
    if (length + size >= PATH_BYTES)
        digest_failed();
    digest.path[length] = '/';
    memcpy(digest.path + length + 1, name, size);
}

/* Opens a file, whatever took its place meanwhile, without waiting for it. */
static void open_file(struct seen *seen, int directory, const char *name)
{
    if (digest.direct)
        seen->fd = open_quietly(directory, name, O_NONBLOCK | O_DIRECT);
    seen->ahead = seen->fd >= 0;
    if (seen->fd < 0) /* or the file system has no O_DIRECT */
        seen->fd = open_quietly(directory, name, O_NONBLOCK);
    if (seen->fd < 0 || fstat(seen->fd, &seen->status) != 0)
        digest_failed();
}

/* Looks at an entry. The file system reads the beginning of a file while the entries before it are digested.
 * Returns whether it is a directory. */
static bool look_at(int directory, const struct entry *entry)
{
    if (digest.seenc == AHEAD_SLOTS)
        digest_first();
    size_t slot = (digest.first + digest.seenc) % AHEAD_SLOTS;
    struct seen *seen = &digest.seen[slot];
    *seen = (struct seen){.fd = -1};
    if (entry->type != DT_REG && fstatat(directory, entry->name, &seen->status, AT_SYMLINK_NOFOLLOW) != 0)
        digest_failed();
    if (entry->type == DT_REG || S_ISREG(seen->status.st_mode)) {
        open_file(seen, directory, entry->name);
        if (seen->ahead)
            read_ahead(slot, seen->fd);
        else
            posix_fadvise(seen->fd, 0, READ_AHEAD_BYTES, POSIX_FADV_WILLNEED);
    }
    if (S_ISLNK(seen->status.st_mode))
        seen->data = encoded_link(directory, entry->name);
    seen->path = encoded(digest.path + 1);
    digest.seenc++;
    return S_ISDIR(seen->status.st_mode);
}

static int opened_directory(int parent, const char *name)
{
    int fd = open_quietly(parent, name, O_DIRECTORY);
    if (fd < 0)
        digest_failed();
    return fd;
}

/* Looks at all entries of a directory and below, and closes it. `length` is that of its path, `depth` how many
 * directories are above it. */
static void look_below(int directory, size_t length, unsigned depth)
{
    size_t count;
    struct entry *entries = listed(directory, &count);
    for (size_t i = 0; i < count; i++) {
        const char *name = entries[i].name;
        enter(length, name);
        if (!(depth <= digest.left_out_depth && is_left_out(directory, name)) && look_at(directory, &entries[i])) {
            int below = opened_directory(directory, name);
            if (depth >= OPEN_DIRECTORIES)
                close(directory);
            look_below(below, length + 1 + strlen(name), depth + 1);
            digest.path[length] = 0;
            if (depth >= OPEN_DIRECTORIES)
                directory = opened_directory(AT_FDCWD, digest.path);
        }
        free(entries[i].name);
        digest.path[length] = 0;
    }
    free(entries);
    close(directory);
}

static void leave_out(char *path)
{
    unsigned depth = 0;
    errno = E2BIG;
    if (digest.left_outc == MAX_LEFT_OUT)
        digest_failed();
    digest.left_out[digest.left_outc++] = path;
    for (; *path != 0; path++)
        depth += path[0] == '/' && path[1] != 0;
    if (depth > digest.left_out_depth)
        digest.left_out_depth = depth;
}

__attribute__((noreturn)) static void digest_tree(char *left_out)
{
    char text[SHA256_TEXT_BYTES];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (*left_out != 0)
        leave_out(decoded_word(&left_out));
    sha256_begin(&digest.tree);
    /* On the host the page cache has the files, or will be used for them. */
    digest.direct = mode.is_pid1 && begin_ahead();
    look_below(opened_directory(AT_FDCWD, "/"), 0, 0);
    while (digest.seenc > 0)
        digest_first();
    sha256_end(&digest.tree, text);
    send_line("BB1 digest %s", text);
    _exit(0);
}

void start_digest(char *left_out)
{
    if (digester > 0) {
        send_error("digest: another digest is being computed");
        return;
    }
    digester = fork();
    if (digester == 0)
        digest_tree(left_out);
    if (digester < 0)
        send_error("digest: fork failed");
}

bool is_digester(pid_t pid) { return pid == digester; }

void digester_exited(int status)
{
    digester = 0;
    if (WIFSIGNALED(status))
        send_error("digest: the process that computes it was killed; is there too little memory?");
}
