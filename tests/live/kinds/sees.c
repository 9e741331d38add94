/* What a program sees of its box, one fact a line: files that are hard to copy, devices, a terminal, shared memory,
 * privileges that an executed file gives. Facts that an engine may choose (device numbers, times) are not printed. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

static void see_file(const char *path)
{
    struct stat about;
    if (lstat(path, &about) != 0) {
        printf("file %s: %s\n", path, strerror(errno));
        return;
    }
    char value[256], link[256];
    ssize_t size = lgetxattr(path, "security.capability", value, sizeof value);
    ssize_t length = S_ISLNK(about.st_mode) ? readlink(path, link, sizeof link) : 0;
    printf("file %s: mode %o owner %u:%u links %lu size %lld", path, about.st_mode, about.st_uid, about.st_gid,
           S_ISDIR(about.st_mode) ? 0UL : (unsigned long)about.st_nlink,
           S_ISREG(about.st_mode) ? (long long)about.st_size : 0LL);
    if (length > 0)
        printf(" to %.*s", (int)length, link);
    for (ssize_t i = 0; i < size && i < 20; i++) /* gVisor pads it with zeros */
        printf("%s%02x", i == 0 ? " capability " : "", (unsigned char)value[i]);
    printf("\n");
}

static void see_names(const char *path)
{
    struct dirent **entries;
    int count = scandir(path, &entries, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        printf("name in %s:", path);
        for (const unsigned char *byte = (unsigned char *)entries[i]->d_name; *byte != 0; byte++)
            printf(*byte > ' ' && *byte < 127 ? "%c" : "\\x%02x", *byte);
        printf("\n");
    }
}

static void see_same(const char *one, const char *other)
{
    struct stat a, b;
    int same = stat(one, &a) == 0 && stat(other, &b) == 0 && a.st_ino == b.st_ino && a.st_dev == b.st_dev;
    printf("same file %s %s: %d\n", one, other, same);
}

static const char *result(int failed) { return failed ? strerror(errno) : "works"; }

static void see_terminal(void)
{
    char got[16] = "";
    errno = 0;
    int controller = posix_openpt(O_RDWR | O_NOCTTY);
    int failed = controller < 0 || grantpt(controller) != 0 || unlockpt(controller) != 0;
    const char *name = failed ? NULL : ptsname(controller);
    int terminal = name != NULL ? open(name, O_RDWR | O_NOCTTY) : -1;
    failed = terminal < 0 || !isatty(terminal) || write(terminal, "x\n", 2) != 2;
    /* The echo may come in parts. */
    for (ssize_t all = 0, part; !failed && all < 3; all += part)
        failed = (part = read(controller, got + all, (size_t)(3 - all))) <= 0;
    printf("terminal: %s\n", result(failed));
}

static void see_shared_memory(void)
{
    errno = 0;
    int fd = shm_open("/kinds", O_CREAT | O_RDWR, 0600);
    int failed = fd < 0 || ftruncate(fd, 1 << 20) != 0;
    char *memory = failed ? MAP_FAILED : mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory != MAP_FAILED)
        memory[(1 << 20) - 1] = 1;
    struct statvfs room;
    long long bytes = statvfs("/dev/shm", &room) == 0 ? (long long)room.f_blocks * (long long)room.f_frsize : 0;
    printf("shared memory: %s\n", result(memory == MAP_FAILED || shm_unlink("/kinds") != 0));
    printf("shared memory of %lld KiB\n", bytes >> 10);
}

/* A server on one of the loopback device's addresses, and a connection to it. */
static int listen_on(const char *address, int port, struct sockaddr_in6 *name, socklen_t *size)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    *name = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    *size = sizeof *name;
    if (inet_pton(AF_INET, address, &v4.sin_addr) == 1)
        memcpy(name, &v4, *size = sizeof v4);
    else if (inet_pton(AF_INET6, address, &name->sin6_addr) != 1)
        return -1;
    int fd = socket(name->sin6_family, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)name, *size) != 0 || listen(fd, 8) != 0)
        return -1;
    return getsockname(fd, (struct sockaddr *)name, size) == 0 ? fd : -1;
}

static void see_loopback(const char *address)
{
    struct sockaddr_in6 name;
    socklen_t size;
    errno = 0;
    int server = listen_on(address, 0, &name, &size);
    int client = server < 0 ? -1 : socket(name.sin6_family, SOCK_STREAM, 0);
    int failed = client < 0 || connect(client, (struct sockaddr *)&name, size) != 0;
    printf("connection to %s: %s\n", address, result(failed));
}

__attribute__((noreturn)) static void serve(const char *address, int port)
{
    static const char reply[] = "HTTP/1.0 200 OK\r\n\r\nhere\n";
    char request[4096];
    struct sockaddr_in6 name;
    socklen_t size;
    int server = listen_on(address, port, &name, &size);
    if (server < 0) {
        printf("serve %s: %s\n", address, strerror(errno));
        exit(1);
    }
    for (;;) {
        int client = accept(server, NULL, NULL);
        if (read(client, request, sizeof request) > 0 && write(client, reply, sizeof reply - 1) < 0)
            printf("reply: %s\n", strerror(errno));
        close(client);
    }
}

static void see_device(const char *path)
{
    struct stat about;
    errno = 0;
    int failed = stat(path, &about) != 0;
    printf("device %s: %s\n", path, failed ? strerror(errno) : S_ISCHR(about.st_mode) ? "device" : "other");
}

static void see_privileges(void)
{
    char line[256];
    FILE *status = fopen("/proc/self/status", "r");
    unsigned long long effective = 0;
    while (status != NULL && fgets(line, sizeof line, status) != NULL)
        if (sscanf(line, "CapEff: %llx", &effective) == 1)
            break;
    if (status != NULL)
        fclose(status);
    printf("privileges: uid %u euid %u bind %d\n", getuid(), geteuid(), (int)(effective >> 10 & 1));
}

int main(int argc, char **argv)
{
    static const char *const devices[] = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"};
    static const char *const links[] = {"/dev/fd", "/dev/stdin", "/dev/stdout", "/dev/stderr"};
    if (argc == 2 && strcmp(argv[1], "privileges") == 0) {
        see_privileges();
        return 0;
    }
    if (argc == 4 && strcmp(argv[1], "serve") == 0)
        serve(argv[2], atoi(argv[3]));
    if (argc > 2 && strcmp(argv[1], "loopback") == 0) {
        for (int i = 2; i < argc; i++)
            see_loopback(argv[i]);
        return 0;
    }
    for (int i = 1; i < argc; i++)
        see_file(argv[i]);
    see_names("/odd");
    see_same("/odd/one", "/odd/two");
    for (size_t i = 0; i < sizeof devices / sizeof *devices; i++)
        see_device(devices[i]);
    for (size_t i = 0; i < sizeof links / sizeof *links; i++)
        see_file(links[i]);
    see_device("/dev/ptmx");
    see_terminal();
    see_shared_memory();
    return 0;
}
