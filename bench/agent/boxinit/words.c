#define _GNU_SOURCE
#include "words.h"

#include <string.h>

#include "shared/percent.h"

char *next_word(char **rest)
{
    char *word = *rest;
    char *space = strchr(word, ' ');
    if (space != NULL) {
        *space = 0;
        *rest = space + 1;
    } else {
        *rest = word + strlen(word);
    }
    return word;
}

char *decoded_word(char **rest)
{
    char *word = next_word(rest);
    percent_decode(word);
    return word;
}
