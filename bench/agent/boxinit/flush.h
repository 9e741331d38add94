#pragma once

/* Writes a page and syncs it, `count` times, on a disk of the box, while the host counts what reaches its own disk.
 * Sends the facts flushes (how many succeeded) and flush_ns (how long they took together). */
void flush(const char *count);
