#define _GNU_SOURCE
#include "grpc.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "console.h"
#include "socket.h"
#include "system.h"

enum {
    FRAME_HEAD_BYTES = 9,
    FRAME_BYTES = 65536,
    PREFIX_BYTES = 5, /* gRPC's own, before each message */
    LENGTH_SHIFT = 28, /* of the fifth and last byte of a length */
};

/* RFC 9113, section 6: frame types and flags. */
enum { DATA = 0, HEADERS = 1, RST_STREAM = 3, SETTINGS = 4, PING = 6, GOAWAY = 7 };
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4 };

struct frame {
    int type, flags;
    uint32_t stream;
    size_t length;
};

static void receive(int fd, char *to, size_t length)
{
    while (length > 0) {
        ssize_t got = read(fd, to, length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            fatal("containerd closed the connection");
        to += got;
        length -= (size_t)got;
    }
}

static void send_frame(int fd, struct frame frame, const char *data)
{
    size_t length = frame.length;
    uint32_t stream = frame.stream;
    char head[FRAME_HEAD_BYTES] = {(char)(length >> 16), (char)(length >> 8),  (char)length,
                                   (char)frame.type,     (char)frame.flags,    (char)(stream >> 24),
                                   (char)(stream >> 16), (char)(stream >> 8),  (char)stream};
    send_all(fd, head, sizeof head);
    send_all(fd, data, length);
}

static struct frame receive_frame(int fd, char data[FRAME_BYTES])
{
    unsigned char head[FRAME_HEAD_BYTES];
    receive(fd, (char *)head, sizeof head);
    struct frame frame = {.type = head[3], .flags = head[4], .length = (size_t)head[0] << 16 | head[1] << 8 | head[2]};
    frame.stream = ((uint32_t)head[5] << 24 | (uint32_t)head[6] << 16 | (uint32_t)head[7] << 8 | head[8]) & 0x7fffffff;
    if (frame.length > FRAME_BYTES)
        fatal("containerd: a frame of %zu bytes", frame.length);
    receive(fd, data, frame.length);
    return frame;
}

/* Acknowledges what must be acknowledged, and ends when the call was reset. */
static void serve_connection(int fd, struct frame frame, const char *data)
{
    if (frame.type == SETTINGS && (frame.flags & ACK) == 0)
        send_frame(fd, (struct frame){.type = SETTINGS, .flags = ACK}, "");
    else if (frame.type == PING && (frame.flags & ACK) == 0)
        send_frame(fd, (struct frame){.type = PING, .flags = ACK, .length = frame.length}, data);
    else if (frame.type == RST_STREAM || frame.type == GOAWAY)
        fatal("containerd reset the call");
}

/* Reads frames until the stream ends, and leaves the message that came as DATA in `answer`. Returns its length. */
static size_t receive_answer(int fd, uint32_t stream, char *answer, size_t room)
{
    static char data[FRAME_BYTES];
    size_t used = 0;
    for (;;) {
        struct frame frame = receive_frame(fd, data);
        serve_connection(fd, frame, data);
        if (frame.stream != stream || (frame.type != DATA && frame.type != HEADERS))
            continue;
        if (frame.type == DATA && used + frame.length <= room) {
            memcpy(answer + used, data, frame.length);
            used += frame.length;
        }
        if ((frame.flags & END_STREAM) == 0)
            continue;
        /* An answer without data is a refusal. Its reason is in trailers, which are compressed. */
        if (used < PREFIX_BYTES)
            fatal("containerd refused call %u", (stream + 1) / 2);
        memmove(answer, answer + PREFIX_BYTES, used - PREFIX_BYTES);
        return used - PREFIX_BYTES;
    }
}

/* Reads the length of a field at `*at`, and moves `*at` behind it. */
static size_t field_size(const char *answer, size_t length, size_t *at)
{
    size_t size = 0;
    for (int shift = 0; *at < length && shift <= LENGTH_SHIFT; shift += 7) {
        unsigned char byte = (unsigned char)answer[(*at)++];
        size |= (size_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return size;
    }
    fatal("containerd: a snapshot's mounts are cut off");
}

/* Changes the tags of a snapshot's mounts: they are field 1 of its answer, and field 3 of a task's request. */
static void retag_mounts(char *answer, size_t length)
{
    for (size_t at = 0; at < length;) {
        if (answer[at] != 0x0a)
            fatal("containerd: a snapshot without mounts");
        answer[at++] = 0x1a;
        size_t size = field_size(answer, length, &at);
        if (size > length - at)
            fatal("containerd: a snapshot's mounts are cut off");
        at += size;
    }
}

/* Sends a call's headers and its message, which is `length` bytes after the room for the prefix. */
static void send_call(int fd, uint32_t stream, const char *file, char *message, size_t length)
{
    static char head[8192];
    char name[512];
    snprintf(name, sizeof name, "%s.head", file);
    size_t head_bytes = read_file(name, head, sizeof head);
    const unsigned char prefix[PREFIX_BYTES] = {0, (unsigned char)(length >> 24), (unsigned char)(length >> 16),
                                                (unsigned char)(length >> 8), (unsigned char)length};
    memcpy(message, prefix, sizeof prefix);
    send_frame(fd, (struct frame){HEADERS, END_HEADERS, stream, head_bytes}, head);
    send_frame(fd, (struct frame){DATA, END_STREAM, stream, PREFIX_BYTES + length}, message);
}

void grpc_calls(const char *socket_path, char **files)
{
    static char message[REPLY_BYTES], answer[65536], mounts[65536];
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    size_t mount_bytes = 0;
    int fd = connect_to(socket_path);
    send_all(fd, preface, sizeof preface - 1);
    send_frame(fd, (struct frame){.type = SETTINGS}, "");
    for (uint32_t stream = 1; *files != NULL; files++, stream += 2) {
        size_t length = read_file(*files, message + PREFIX_BYTES, sizeof message / 2);
        if (strstr(*files, "task") != NULL) {
            memcpy(message + PREFIX_BYTES + length, mounts, mount_bytes);
            length += mount_bytes;
            mount_bytes = 0;
        }
        send_call(fd, stream, *files, message, length);
        size_t got = receive_answer(fd, stream, answer, sizeof answer);
        if (strstr(*files, "snapshot") != NULL) {
            retag_mounts(answer, got);
            memcpy(mounts, answer, got);
            mount_bytes = got;
        }
    }
    close(fd);
}
