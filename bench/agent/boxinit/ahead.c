#define _GNU_SOURCE
#include "ahead.h"

#include <errno.h>
#include <linux/aio_abi.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { BATCH = AHEAD_SLOTS / 2 }; /* one half is read while the other is digested */

static struct {
    aio_context_t context;
    struct iocb requests[AHEAD_SLOTS];
    struct iocb *waiting[BATCH]; /* not yet submitted */
    long waitingc;
    int64_t results[AHEAD_SLOTS];
    bool done[AHEAD_SLOTS];
} ahead;

static _Alignas(4096) unsigned char contents[AHEAD_SLOTS][AHEAD_BYTES];

bool begin_ahead(void) { return syscall(SYS_io_setup, AHEAD_SLOTS, &ahead.context) == 0; }

static void submit_all(void)
{
    long done = 0;
    while (done < ahead.waitingc) {
        long got = syscall(SYS_io_submit, ahead.context, ahead.waitingc - done, ahead.waiting + done);
        if (got <= 0) { /* the first of them is the reason */
            size_t slot = (size_t)ahead.waiting[done]->aio_data;
            ahead.results[slot] = got < 0 ? -errno : -EAGAIN;
            ahead.done[slot] = true;
            got = 1;
        }
        done += got;
    }
    ahead.waitingc = 0;
}

void read_ahead(size_t slot, int fd)
{
    struct iocb *request = &ahead.requests[slot];
    *request = (struct iocb){
        .aio_data = slot,
        .aio_lio_opcode = IOCB_CMD_PREAD,
        .aio_fildes = (uint32_t)fd,
        .aio_buf = (uint64_t)(uintptr_t)contents[slot],
        .aio_nbytes = AHEAD_BYTES,
    };
    ahead.done[slot] = false;
    ahead.waiting[ahead.waitingc++] = request;
    if (ahead.waitingc == BATCH)
        submit_all();
}

ssize_t await_ahead(size_t slot, const void **data)
{
    struct io_event events[AHEAD_SLOTS];
    if (!ahead.done[slot])
        submit_all();
    while (!ahead.done[slot]) {
        long got = syscall(SYS_io_getevents, ahead.context, 1L, (long)AHEAD_SLOTS, events, NULL);
        if (got < 0 && errno != EINTR)
            return -1;
        for (long i = 0; i < got; i++) {
            ahead.results[events[i].data] = events[i].res;
            ahead.done[events[i].data] = true;
        }
    }
    *data = contents[slot];
    return ahead.results[slot] < 0 ? -1 : (ssize_t)ahead.results[slot];
}
