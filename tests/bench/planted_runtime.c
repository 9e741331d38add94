/* A container runtime that is runc, after so many ms of CPU time when it creates a container.
 *
 * The number stands behind the last dash of the program's own name: runc-plus-3. */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static long long used_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

int main(int argc, char **argv)
{
    const char *dash = strrchr(argv[0], '-');
    long long until_ns = used_ns() + (dash ? atoll(dash + 1) : 0) * 1000000;

    for (int word = 1; word < argc; word++)
        if (strcmp(argv[word], "create") == 0)
            while (used_ns() < until_ns)
                ;
    argv[0] = "runc";
    execv(RUNC, argv);
    return 127;
}
