#pragma once
#include <stddef.h>

/* Making the guest into a system that can start boxes. Every failure is fatal. */

void make_dir(const char *path);
void mount_at(const char *source, const char *place, const char *type, const char *options);
void bind_at(const char *source, const char *place);

/* Makes the initramfs a mount that pivot_root(2) can leave. */
void make_root_movable(void);

/* Reads a whole file that is smaller than `room`. Returns its size. */
size_t read_file(const char *path, char *to, size_t room);

/* Makes the kernel's random numbers ready, and the same in every run. Without it the first program that needs one waits
 * for the kernel to collect jitter of its clock: some 1,000 million instructions. At most 64 bytes of `text` count. */
void seed_random_numbers(const char *text);
