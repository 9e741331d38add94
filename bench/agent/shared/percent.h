#pragma once
#include <stdbool.h>
#include <stddef.h>

/* Percent-encoding, as bench/agent/boxconf.py defines it: every byte outside A-Za-z0-9_./:=,@+- becomes %XX. */

/* Encodes `text` into `to`, which has room for `room` bytes with the NUL. False when the result was cut; it is then cut
 * between two encoded bytes. */
bool percent_encode(const char *text, char *to, size_t room);

/* Decodes in place. A percent sign without two hexadecimal digits stays as it is. */
void percent_decode(char *text);
