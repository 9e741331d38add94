#pragma once
#include <stddef.h>
#include <stdint.h>

/* SHA-256, FIPS 180-4. */

enum { SHA256_TEXT_BYTES = 65 };

struct sha256 {
    uint32_t state[8];
    uint64_t length;
    unsigned char block[64];
};

void sha256_begin(struct sha256 *sha);
void sha256_add(struct sha256 *sha, const void *data, size_t size);

/* Writes the digest as lower-case hexadecimal digits. */
void sha256_end(struct sha256 *sha, char text[SHA256_TEXT_BYTES]);
