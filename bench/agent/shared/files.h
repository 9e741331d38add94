#pragma once
#include <stdbool.h>
#include <stddef.h>

/* Reads at most `room - 1` bytes of a file and adds a NUL. Returns the number of bytes; 0 when the file is empty or
 * cannot be read, and `buffer` is then an empty text. `directory` is as for openat(2). */
size_t read_file_at(int directory, const char *path, char *buffer, size_t room);

/* Writes everything, in as many calls as it takes. False on an error, with errno set. */
bool write_all(int fd, const char *data, size_t length);

/* Bytes that wait in a pipe; 0 when `fd` is none. */
int queued_bytes(int fd);
