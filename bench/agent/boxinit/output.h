#pragma once
#include <poll.h>

/* The workload's two outputs, forwarded to the box's own. */

enum { STDOUT, STDERR, STREAMS };

/* Connects an output: what the workload writes comes from `from` and goes to `to`. */
void open_stream(int number, int from, int to);

/* Prepares a poll slot: for writing while a chunk waits to be forwarded, otherwise for reading the next one. */
void arm_stream(int number, struct pollfd *slot);

/* Reads or writes, as the slot was armed and poll() found it. */
void serve_stream(int number, const struct pollfd *slot);

/* Forwards what the workload left in its pipes when it ended, and no more: another process that holds them may write
 * for ever. */
void drain_streams(void);
