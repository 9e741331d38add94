#pragma once
#include <stdbool.h>
#include <sys/types.h>

/* The digest of the box's tree, as `tree_digest` in bench/image/archive.py defines it. It is computed by a process of
 * its own, so that the agent goes on serving. */

/* Starts it. `left_out` are the paths that are left out, as words; one that ends in a slash is left out only while it
 * is an empty directory. */
void start_digest(char *left_out);

/* Whether this is the process that computes a digest. */
bool is_digester(pid_t pid);
void digester_exited(int status);
