#define _GNU_SOURCE
#include "virtio_port.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "files.h"

static bool has_name(const char *device, const char *wanted)
{
    char file[PORT_PATH_BYTES], name[128];
    snprintf(file, sizeof file, "/sys/class/virtio-ports/%.200s/name", device);
    if (read_file_at(AT_FDCWD, file, name, sizeof name) == 0)
        return false;
    *strchrnul(name, '\n') = 0;
    return strcmp(name, wanted) == 0;
}

bool find_virtio_port(const char *name, char path[PORT_PATH_BYTES])
{
    struct dirent *entry;
    bool found = false;
    DIR *ports = opendir("/sys/class/virtio-ports");
    while (ports != NULL && !found && (entry = readdir(ports)) != NULL) {
        found = has_name(entry->d_name, name);
        snprintf(path, PORT_PATH_BYTES, "/dev/%.200s", entry->d_name);
    }
    if (ports != NULL)
        closedir(ports);
    return found;
}
