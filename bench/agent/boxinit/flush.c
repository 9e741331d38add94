#define _GNU_SOURCE
#include "flush.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "facts.h"
#include "shared/clock.h"

#define FLUSH_FILE ".boxbench-flush"

enum { MOST_FLUSHES = 100 };

/* Opens a writable directory on a disk; a directory in memory has nothing to flush. */
static int open_disk_directory(void)
{
    static const char *const places[] = {"/.boxbench", "/tmp", "/"};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        struct statfs system;
        int place = open(places[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (place >= 0 && fstatfs(place, &system) == 0 && system.f_type != TMPFS_MAGIC &&
            system.f_type != RAMFS_MAGIC && faccessat(place, ".", W_OK, AT_EACCESS) == 0)
            return place;
        if (place >= 0)
            close(place);
    }
    return -1;
}

void flush(const char *count)
{
    static const char page[4096] = {'x'};
    long done = 0, wanted = atol(count);
    if (wanted > MOST_FLUSHES)
        wanted = MOST_FLUSHES; /* the agent does nothing else meanwhile */
    int64_t took_ns = 0;
    int place = open_disk_directory();
    int file = place < 0 ? -1 : openat(place, FLUSH_FILE, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    while (file >= 0 && done < wanted && write(file, page, sizeof page) == (ssize_t)sizeof page) {
        int64_t begun_ns = now_ns();
        if (fsync(file) != 0)
            break;
        took_ns += now_ns() - begun_ns;
        done++;
    }
    if (file >= 0) {
        close(file);
        unlinkat(place, FLUSH_FILE, 0);
    }
    if (place >= 0)
        close(place);
    fact_number("flush_ns", took_ns);
    fact_number("flushes", done);
}
