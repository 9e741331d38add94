#define _GNU_SOURCE
#include "system.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "console.h"

void make_dir(const char *path)
{
    if (mkdir(path, 0755) != 0 && errno != EEXIST)
        fatal("%s: %s", path, strerror(errno));
}

void mount_at(const char *source, const char *place, const char *type, const char *options)
{
    make_dir(place);
    if (mount(source, place, type, 0, options) != 0)
        fatal("mount %s on %s: %s", type, place, strerror(errno));
}

void bind_at(const char *source, const char *place)
{
    if (mount(source, place, NULL, MS_BIND, NULL) != 0)
        fatal("bind %s on %s: %s", source, place, strerror(errno));
}

void make_root_movable(void)
{
    make_dir("/newroot");
    bind_at("/", "/newroot");
    if (chdir("/newroot") != 0 || mount(".", "/", NULL, MS_MOVE, NULL) != 0 || chroot(".") != 0 || chdir("/") != 0)
        fatal("make the root movable: %s", strerror(errno));
}

size_t read_file(const char *path, char *to, size_t room)
{
    size_t used = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        fatal("%s: %s", path, strerror(errno));
    for (ssize_t got; used < room && (got = read(fd, to + used, room - used)) > 0;)
        used += (size_t)got;
    close(fd);
    if (used == room)
        fatal("%s: larger than %zu bytes", path, room);
    return used;
}

void seed_random_numbers(const char *text)
{
    /* A struct rand_pool_info with its buffer. */
    struct {
        int entropy_bits, bytes;
        char seed[64];
    } pool = {.entropy_bits = 256, .bytes = sizeof pool.seed};
    memcpy(pool.seed, text, strnlen(text, sizeof pool.seed));
    int fd = open("/dev/random", O_WRONLY | O_CLOEXEC);
    if (fd < 0 || ioctl(fd, RNDADDENTROPY, &pool) != 0)
        fatal("seed /dev/random: %s", strerror(errno));
    close(fd);
}
