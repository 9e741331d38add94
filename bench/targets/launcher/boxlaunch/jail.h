#pragma once

#include <stddef.h>

/* A bind mount: a file or directory of the host, and its place below the tree without a leading slash. */
struct pair {
    char *left, *right;
};

/* A root that is an empty tmpfs with nothing in it but some files of the host, for a program that is not trusted. */
struct jail {
    const char *bytes; /* the size of the tmpfs; NULL: there is no jail */
    unsigned long long file_bytes; /* how large a file may become that the program writes to */
    unsigned user, group; /* who the program runs as, without any privilege */
    const struct pair *shown; /* what it may read */
    size_t shown_count;
    const struct pair *given; /* what it may write to */
    size_t given_count;
};

/* Mounts the jail at `tree` and makes that the working directory. NULL, or what failed, with errno. */
const char *make_jail(const struct jail *jail, const char *tree);

/* Gives up every privilege, and most ways to ask the kernel for something else than memory, files and children. NULL, or
 * what failed, with errno. */
const char *drop_privileges(const struct jail *jail);
