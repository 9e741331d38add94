#pragma once
#include <stdbool.h>
#include <sys/types.h>

/* Reads the beginnings of many files together, past the page cache. The kernel merges what is adjacent on the disk, and
 * tells the device of many requests at once. For an emulated CPU one access to a device costs as much as thousands of
 * instructions: those of a request for each file took a third of the kernel's time. */

enum {
    AHEAD_SLOTS = 128,
    AHEAD_BYTES = 16 * 1024, /* of each file */
};

/* Returns whether the kernel can do it. */
bool begin_ahead(void);

/* Asks for the beginning of a file that was opened with O_DIRECT. */
void read_ahead(size_t slot, int fd);

/* Waits for what was asked for last in a slot. Returns how many bytes there are at `*data`; -1 if it was
 * not read. */
ssize_t await_ahead(size_t slot, const void **data);
