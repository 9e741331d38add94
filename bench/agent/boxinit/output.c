#define _GNU_SOURCE
#include "output.h"

#include <errno.h>
#include <stdbool.h>
#include <unistd.h>

#include "protocol.h"
#include "readiness.h"
#include "shared/files.h"

enum { DRAIN_PATIENCE_MS = 5000 }; /* for a host that takes no output after the workload has ended */

static struct stream {
    int from, to;
    char chunk[CHUNK_BYTES];
    size_t used, sent;
    struct window window;
} streams[STREAMS];

void open_stream(int number, int from, int to)
{
    streams[number].from = from;
    streams[number].to = to;
}

static void read_chunk(struct stream *stream)
{
    ssize_t got = read(stream->from, stream->chunk, sizeof stream->chunk);
    if (got > 0) {
        watch_output(&stream->window, stream == &streams[STDOUT], stream->chunk, (size_t)got);
        stream->used = stream->to >= 0 ? (size_t)got : 0;
        stream->sent = 0;
    } else if (got == 0 || errno != EINTR) {
        close(stream->from);
        stream->from = -1;
    }
}

static void write_chunk(struct stream *stream)
{
    ssize_t put = write(stream->to, stream->chunk + stream->sent, stream->used - stream->sent);
    if (put > 0)
        stream->sent += (size_t)put;
    else if (put < 0 && errno != EINTR && errno != EAGAIN)
        stream->to = -1; /* without a reader the output is dropped, so that the workload is not stopped by it */
    if (stream->to < 0 || stream->sent == stream->used)
        stream->used = stream->sent = 0;
}

void arm_stream(int number, struct pollfd *slot)
{
    const struct stream *stream = &streams[number];
    bool pending = stream->used > stream->sent;
    slot->fd = pending ? stream->to : stream->from;
    slot->events = pending ? POLLOUT : POLLIN;
}

void serve_stream(int number, const struct pollfd *slot)
{
    struct stream *stream = &streams[number];
    if (slot->revents == 0)
        return;
    if (stream->used > stream->sent)
        write_chunk(stream);
    else
        read_chunk(stream);
}

/* Arms for pending chunks, and for reading at most `left` bytes of each pipe. False when there is neither. */
static bool arm_drain(const int left[STREAMS], struct pollfd set[STREAMS])
{
    bool busy = false;
    for (int i = 0; i < STREAMS; i++) {
        arm_stream(i, &set[i]);
        if (set[i].events == POLLIN && left[i] <= 0)
            set[i].fd = -1;
        busy = busy || set[i].fd >= 0;
    }
    return busy;
}

void drain_streams(void)
{
    int left[STREAMS];
    struct pollfd set[STREAMS];
    for (int i = 0; i < STREAMS; i++)
        left[i] = queued_bytes(streams[i].from);
    while (arm_drain(left, set)) {
        int count = poll(set, STREAMS, DRAIN_PATIENCE_MS);
        if (count == 0) {
            send_error("the host did not read the rest of the output");
            return;
        }
        for (int i = 0; i < STREAMS && count > 0; i++) {
            if (set[i].events == POLLIN && set[i].revents != 0)
                left[i] -= CHUNK_BYTES;
            serve_stream(i, &set[i]);
        }
    }
}
