#pragma once

/* Words of a line that the host sent. They are divided by single spaces and percent-encoded. */

/* Cuts the first word off `*rest`, in place; an empty text at the end. */
char *next_word(char **rest);

/* The same, decoded in place. */
char *decoded_word(char **rest);
