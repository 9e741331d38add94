#include "percent.h"

#include <string.h>

static bool is_plain(unsigned char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
           (byte != 0 && strchr("_./:=,@+-", byte) != NULL);
}

bool percent_encode(const char *text, char *to, size_t room)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t used = 0;
    for (; *text != 0; text++) {
        unsigned char byte = (unsigned char)*text;
        if (used + 4 > room) {
            to[used] = 0;
            return false;
        }
        if (is_plain(byte)) {
            to[used++] = (char)byte;
        } else {
            to[used++] = '%';
            to[used++] = digits[byte >> 4];
            to[used++] = digits[byte & 15];
        }
    }
    to[used] = 0;
    return true;
}

static int hex_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

void percent_decode(char *text)
{
    char *to = text;
    for (; *text != 0; text++) {
        if (*text == '%' && hex_value(text[1]) >= 0 && hex_value(text[2]) >= 0) {
            *to++ = (char)(hex_value(text[1]) * 16 + hex_value(text[2]));
            text += 2;
        } else {
            *to++ = *text;
        }
    }
    *to = 0;
}
