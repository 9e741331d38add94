#define _GNU_SOURCE
#include "console.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/io.h>
#include <sys/reboot.h>
#include <unistd.h>

#include "place.h"

enum { PORT = 0xe9, LOG_BYTES = 3000 };

bool open_console(void) { return ioperm(PORT, 1, 1) == 0; }

static void write_console(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        outb((unsigned char)text[i], PORT);
}

void report(const char *format, ...)
{
    char line[1024];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line - 1, format, arguments);
    va_end(arguments);
    if (length > (int)sizeof line - 2)
        length = (int)sizeof line - 2;
    /* Output of a tool may be part of it, and must not begin a line of its own. */
    for (int i = 0; i < length; i++)
        if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
            line[i] = ' ';
    line[length] = '\n';
    write_console(line, (size_t)length + 1);
}

void power_off(void)
{
    sync();
    reboot(RB_AUTOBOOT); /* QEMU's `-no-reboot` makes it the end of the machine, also without ACPI */
    for (;;)
        pause();
}

static void report_log(void)
{
    static char text[4096];
    int fd = open(LOG_FILE, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    off_t size = lseek(fd, 0, SEEK_END);
    lseek(fd, size > LOG_BYTES ? size - LOG_BYTES : 0, SEEK_SET);
    ssize_t got = read(fd, text, sizeof text - 1);
    text[got > 0 ? got : 0] = 0;
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n"))
        report("log %.900s", line);
}

void fatal(const char *format, ...)
{
    char text[700];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    report("error %s", text);
    report_log();
    power_off();
}
