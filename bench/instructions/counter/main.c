/* counter: PID 1 of a guest whose clock counts instructions. It prepares the guest, starts boxes and reports what
 * happened when. It reads /.boxbench/script, one directive a line with percent-encoded words, and obeys from top to
 * bottom:
 *
 *   module PATH | dir PATH | link TARGET PATH | loopback | hostname NAME | env NAME=VALUE
 *   mount SOURCE PLACE TYPE [OPTIONS]    bind SOURCE PLACE
 *   random SEED                          seeds the kernel's random numbers
 *   movable                              the initramfs becomes a root that pivot_root can leave
 *   daemon WORD...                       starts a program and does not wait for it
 *   call WORD...                         runs a program to its end; every status but 0 is an error
 *   await SOCKET                         waits until a daemon listens there
 *   channel DIRECTORY                    makes FIFOs and the box.conf for the agent of the next box
 *   sleep MS                             under `sleep=off` it takes none of the host's time
 *   request LABEL                        the clock of the next box starts here
 *   poweron                              the clock of the only box has started with the machine
 *   hold WORD...                         starts a launcher with its control socket as descriptor 3, up to its wait
 *   go                                   has the launcher start the box
 *   http SOCKET METHOD PATH [FILE]       one call of the Docker Engine's API; FILE is the body
 *   grpc SOCKET FILE...                  calls of containerd's API, see grpc.h
 *   ready                                waits until the agent reports that the box is ready, and passes its report on
 *   stop                                 asks the agent to stop the box, and waits for its end
 *   finish                               ends the machine
 *
 * All reports go to the debug console, one line each. A stamp is the time stamp counter, see clocks.h. The agent stamps
 * by CLOCK_MONOTONIC; `clock` lines hold both clocks, so that the reader can convert.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "box.h"
#include "clocks.h"
#include "console.h"
#include "grpc.h"
#include "place.h"
#include "process.h"
#include "shared/clock.h"
#include "shared/kernel.h"
#include "shared/percent.h"
#include "socket.h"
#include "system.h"

enum { MAX_WORDS = 512 };

static size_t split(char *line, char *words[MAX_WORDS + 1])
{
    size_t count = 0;
    for (char *word = strtok(line, " "); word != NULL; word = strtok(NULL, " ")) {
        if (count == MAX_WORDS)
            fatal("script: a line of more than %d words", MAX_WORDS);
        percent_decode(word);
        words[count++] = word;
    }
    words[count] = NULL;
    return count;
}

static void load_module(const char *path)
{
    if (!load_kernel_module(path))
        fatal("module %s: %s", path, strerror(errno));
}

static void enable_loopback(void)
{
    if (!bring_up_loopback())
        fatal("loopback: %s", strerror(errno));
}

/* Directives that prepare the guest. False when it is none of them. */
static bool obey_preparation(const char *verb, char **words, size_t count)
{
    if (strcmp(verb, "module") == 0 && count == 1)
        load_module(words[0]);
    else if (strcmp(verb, "dir") == 0 && count == 1)
        make_dir(words[0]);
    else if (strcmp(verb, "link") == 0 && count == 2)
        (void)!symlink(words[0], words[1]);
    else if (strcmp(verb, "mount") == 0 && count >= 3)
        mount_at(words[0], words[1], words[2], words[3]);
    else if (strcmp(verb, "bind") == 0 && count == 2)
        bind_at(words[0], words[1]);
    else if (strcmp(verb, "random") == 0 && count == 1)
        seed_random_numbers(words[0]);
    else if (strcmp(verb, "movable") == 0)
        make_root_movable();
    else if (strcmp(verb, "loopback") == 0)
        enable_loopback();
    else if (strcmp(verb, "hostname") == 0 && count == 1)
        (void)!sethostname(words[0], strlen(words[0]));
    else if (strcmp(verb, "env") == 0 && count == 1)
        putenv(strdup(words[0]));
    else if (strcmp(verb, "sleep") == 0 && count == 1)
        sleep_ms(atol(words[0]));
    else if (strcmp(verb, "await") == 0 && count == 1)
        await_socket(words[0]);
    else if (strcmp(verb, "daemon") == 0 && count >= 1)
        start_program(words, -1);
    else
        return false;
    return true;
}

static void finish(void)
{
    report("finished");
    power_off();
}

/* Directives that start, watch and end boxes. False when it is none of them. */
static bool obey_box(const char *verb, char **words, size_t count)
{
    if (strcmp(verb, "call") == 0 && count >= 1)
        run_program(words);
    else if (strcmp(verb, "hold") == 0 && count >= 1)
        start_held(words);
    else if (strcmp(verb, "go") == 0)
        release_held();
    else if (strcmp(verb, "channel") == 0 && count == 1)
        make_channel(words[0]);
    else if (strcmp(verb, "request") == 0 && count == 1)
        request_box(words[0]);
    else if (strcmp(verb, "poweron") == 0)
        request_by_poweron();
    else if (strcmp(verb, "http") == 0 && count >= 3)
        http_call(words[0], words[1], words[2], words[3]);
    else if (strcmp(verb, "grpc") == 0 && count >= 2)
        grpc_calls(words[0], words + 1);
    else if (strcmp(verb, "ready") == 0)
        await_ready();
    else if (strcmp(verb, "stop") == 0)
        stop_box();
    else if (strcmp(verb, "finish") == 0)
        finish();
    else
        return false;
    return true;
}

static void obey(const char *verb, char **words, size_t count)
{
    if (!obey_preparation(verb, words, count) && !obey_box(verb, words, count))
        fatal("script: %s with %zu words is not a directive", verb, count);
}

static void obey_script(char *script)
{
    static char *words[MAX_WORDS + 1];
    for (char *line = script, *end; *line != 0; line = end) {
        end = strchrnul(line, '\n');
        if (*end != 0)
            *end++ = 0;
        if (*line == 0)
            continue;
        size_t count = split(line, words);
        obey(words[0], words + 1, count - 1);
    }
}

int main(void)
{
    static char script[SCRIPT_BYTES];
    unsigned long long first = time_stamp();
    /* Without a console the kernel opens no 0, 1 and 2, and nothing that is opened later may become one of them. */
    while ((unsigned)open("/dev/null", O_RDWR | O_CLOEXEC) <= STDERR_FILENO)
        ;
    if (!open_console())
        power_off();
    prepare_listening();
    report("mark init %llu", first);
    report_clocks();
    signal(SIGPIPE, SIG_IGN);
    umask(022);
    size_t length = read_file(SCRIPT_FILE, script, sizeof script);
    script[length] = 0;
    obey_script(script);
    fatal("the script has no end");
}
