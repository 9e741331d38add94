#define _GNU_SOURCE
#include "fatal.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "protocol.h"

void (*power_off_machine)(void);

void fatal_code(int code, const char *text)
{
    /* Standard error comes first: the host takes the error for the end of the box and then reads the output. */
    dprintf(STDERR_FILENO, "boxinit: %s\n", text);
    send_error(text);
    if (power_off_machine != NULL)
        power_off_machine();
    _exit(code);
}

void fatal(const char *format, ...)
{
    char text[LINE_BYTES / 4];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    fatal_code(127, text);
}
