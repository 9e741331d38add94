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
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "protocol.h"
#include "sha256.h"
#include "shared/percent.h"
#include "words.h"

enum {
    MAX_LEFT_OUT = 32,
    MAX_DIRECTORY = 1024 * 1024, /* entries of one directory, which are sorted in memory */
    PATH_BYTES = 4096,
    ENTRIES_AHEAD = 64,
    READ_AHEAD_BYTES = 256 * 1024,
};

/* An entry of a directory that was looked at and is not digested yet. */
struct entry {
    const char *name;
    struct stat status;
    int fd; /* of a regular file, open; else -1 */
    bool left_out;
};

static pid_t digester;

/* State of the process that computes the digest. Unlike the agent it may allocate memory. It dies with the agent. */
static struct {
    struct sha256 tree;
    char *left_out[MAX_LEFT_OUT];
    size_t left_outc;
    char path[PATH_BYTES]; /* absolute; empty for the root */
} digest;

__attribute__((noreturn)) static void digest_failed(void)
{
    char text[PATH_BYTES + 128];
    snprintf(text, sizeof text, "digest: %s: %s", digest.path, strerror(errno));
    send_error(text);
    _exit(1);
}

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

static bool is_entry_left_out(const char *name)
{
    char path[PATH_BYTES + 256];
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return true;
    snprintf(path, sizeof path, "%s/%s", digest.path + 1, name);
    return is_listed(path);
}

/* Whether it is a directory that holds nothing but entries that are left out by name. */
static bool is_empty_directory(void)
{
    struct dirent *entry;
    bool empty = true;
    DIR *directory = opendir(digest.path);
    if (directory == NULL)
        return false;
    while (empty && (entry = readdir(directory)) != NULL)
        empty = is_entry_left_out(entry->d_name);
    closedir(directory);
    return empty;
}

static bool is_left_out(void)
{
    return is_listed(digest.path + 1) || (is_listed_directory(digest.path + 1) && is_empty_directory());
}

/* Opens an entry for reading without a change of its access time: to write those of all files of a guest would take
 * longer than to read the files. Only their owner may, and a process with the capability for it. */
static int open_quietly(int directory, const char *name, int flags)
{
    int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOATIME | flags);
    return fd >= 0 || errno != EPERM ? fd : openat(directory, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | flags);
}

static void digest_content(int fd, off_t size, char *text)
{
    static char buffer[256 * 1024];
    struct sha256 sha;
    ssize_t got = 0;
    off_t all = 0;
    sha256_begin(&sha);
    /* Most files are smaller than the buffer, and a read that finds nothing costs as much as one that does. */
    while ((all == 0 || all != size) && (got = read(fd, buffer, sizeof buffer)) > 0) {
        sha256_add(&sha, buffer, (size_t)got);
        all += got;
    }
    if (got < 0)
        digest_failed();
    sha256_end(&sha, text);
}

static void digest_link(char *text, size_t room)
{
    char target[PATH_BYTES];
    ssize_t length = readlink(digest.path, target, sizeof target - 1);
    if (length < 0)
        digest_failed();
    target[length] = 0;
    percent_encode(target, text, room);
}

static char kind_of(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFREG: return 'f';
    case S_IFDIR: return 'd';
    case S_IFLNK: return 'l';
    case S_IFIFO: return 'p';
    case S_IFCHR: return 'c';
    case S_IFBLK: return 'b';
    default: return '?';
    }
}

/* `fd`: the opened file, if it is a regular one. */
static void digest_entry(const struct stat *status, int fd)
{
    static char data[3 * PATH_BYTES], path[3 * PATH_BYTES], line[sizeof data + sizeof path + 256];
    char kind = kind_of(status->st_mode);
    bool device = kind == 'c' || kind == 'b';
    strcpy(data, "-");
    if (kind == 'f')
        digest_content(fd, status->st_size, data);
    else if (kind == 'l')
        digest_link(data, sizeof data);
    percent_encode(digest.path + 1, path, sizeof path);
    int length = snprintf(line, sizeof line, "%c %04o %u %u %u:%u %lld %s %s\n", kind,
                          kind == 'l' ? 0777 : status->st_mode & 07777, status->st_uid, status->st_gid,
                          device ? major(status->st_rdev) : 0, device ? minor(status->st_rdev) : 0,
                          kind == 'f' ? (long long)status->st_size : 0, path, data);
    sha256_add(&digest.tree, line, (size_t)length);
}

static int by_bytes(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

static char **sorted_names(size_t *count)
{
    size_t room = 0;
    char **names = NULL;
    struct dirent *entry;
    int fd = open_quietly(AT_FDCWD, *digest.path != 0 ? digest.path : "/", O_DIRECTORY);
    DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
    if (directory == NULL)
        digest_failed();
    *count = 0;
    while (errno = 0, (entry = readdir(directory)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (*count == room) {
            room = room > 0 ? 2 * room : 64;
            errno = E2BIG;
            if (room > MAX_DIRECTORY || (names = realloc(names, room * sizeof *names)) == NULL)
                digest_failed();
        }
        if ((names[(*count)++] = strdup(entry->d_name)) == NULL)
            digest_failed();
    }
    if (errno != 0)
        digest_failed();
    closedir(directory);
    if (*count > 0)
        qsort(names, *count, sizeof *names, by_bytes);
    return names;
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

/* Looks at an entry. The file system reads the beginning of a file while the entries before it are digested. */
static void look_at(struct entry *entry, int directory, size_t length)
{
    enter(length, entry->name);
    entry->left_out = is_left_out();
    entry->fd = -1;
    if (entry->left_out)
        return;
    if (fstatat(directory, entry->name, &entry->status, AT_SYMLINK_NOFOLLOW) != 0)
        digest_failed();
    if (!S_ISREG(entry->status.st_mode))
        return;
    if ((entry->fd = open_quietly(directory, entry->name, 0)) < 0)
        digest_failed();
    posix_fadvise(entry->fd, 0, READ_AHEAD_BYTES, POSIX_FADV_WILLNEED);
}

static bool is_to_enter(const struct entry *entry) { return !entry->left_out && S_ISDIR(entry->status.st_mode); }

/* Looks at the next entries of a directory, none beyond one that is to be entered. Returns how many they are. */
static size_t look_ahead(struct entry *ahead, char **names, size_t left, size_t length)
{
    size_t count = 0;
    digest.path[length] = 0;
    int directory = open_quietly(AT_FDCWD, length > 0 ? digest.path : "/", O_DIRECTORY);
    if (directory < 0)
        digest_failed();
    while (count < left && count < ENTRIES_AHEAD && (count == 0 || !is_to_enter(&ahead[count - 1]))) {
        ahead[count].name = names[count];
        look_at(&ahead[count++], directory, length);
    }
    close(directory);
    return count;
}

static void digest_directory(size_t length)
{
    static struct entry ahead[ENTRIES_AHEAD];
    size_t count, begin = 0, seen = 0;
    char **names = sorted_names(&count);
    for (size_t i = 0; i < count; i++) {
        if (i == seen) {
            begin = seen;
            seen += look_ahead(ahead, names + i, count - i, length);
        }
        /* A copy, since the directories below use the same entries. */
        const struct entry entry = ahead[i - begin];
        enter(length, entry.name);
        if (!entry.left_out)
            digest_entry(&entry.status, entry.fd);
        if (entry.fd >= 0)
            close(entry.fd);
        if (is_to_enter(&entry))
            digest_directory(length + 1 + strlen(entry.name));
        free(names[i]);
        digest.path[length] = 0;
    }
    free(names);
}

__attribute__((noreturn)) static void digest_tree(char *left_out)
{
    char text[SHA256_TEXT_BYTES];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (*left_out != 0) {
        errno = E2BIG;
        if (digest.left_outc == MAX_LEFT_OUT)
            digest_failed();
        digest.left_out[digest.left_outc++] = decoded_word(&left_out);
    }
    sha256_begin(&digest.tree);
    digest_directory(0);
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
