#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "conf.h"

/* When the workload is ready, and how its output can show it. */

enum { CHUNK_BYTES = 4096 }; /* forwarded at once: a pipe that polls writable takes this much without blocking */

/* The last part of an output, kept so that a text is found that two reads have split. */
struct window {
    char bytes[TEXT_BYTES + CHUNK_BYTES];
    size_t used;
};

bool is_ready(void);

/* Sends the mark `ready`, once. */
void become_ready(void);

/* Whether box.conf has readiness follow from the workload's output. */
bool is_ready_from_output(void);

/* Looks for readiness in a chunk of output. */
void watch_output(struct window *window, bool is_stdout, const char *data, size_t length);
