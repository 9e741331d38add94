/* Runs the counting guest's clients of daemons on this host: `counter_driver http SOCKET` and
 * `counter_driver grpc SOCKET FILE...`. Ends with 0 after a valid answer and with 3 after a refusal. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "counter/console.h"
#include "counter/grpc.h"
#include "counter/socket.h"

enum { REFUSED = 3, USAGE = 4 };

void fatal(const char *format, ...)
{
    char text[700];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    fprintf(stderr, "error %s\n", text);
    exit(REFUSED);
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    if (argc == 3 && strcmp(argv[1], "http") == 0)
        http_call(argv[2], "GET", "/version", NULL);
    else if (argc > 3 && strcmp(argv[1], "grpc") == 0)
        grpc_calls(argv[2], argv + 3);
    else
        return USAGE;
    return 0;
}
