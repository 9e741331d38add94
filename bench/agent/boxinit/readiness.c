#define _GNU_SOURCE
#include "readiness.h"

#include <string.h>

#include "protocol.h"

static bool ready;

bool is_ready(void) { return ready; }

void become_ready(void)
{
    if (!ready)
        send_mark("ready");
    ready = true;
}

bool is_ready_from_output(void) { return conf.ready.kind == READY_FIRST_LINE || conf.ready.kind == READY_LOG; }

static void search_text(struct window *window, const char *data, size_t length)
{
    const char *text = conf.ready.text;
    size_t size = strlen(text);
    if (window->used + length > sizeof window->bytes) {
        size_t keep = size < window->used ? size : window->used;
        memmove(window->bytes, window->bytes + window->used - keep, keep);
        window->used = keep;
    }
    memcpy(window->bytes + window->used, data, length);
    window->used += length;
    if (memmem(window->bytes, window->used, text, size) != NULL)
        become_ready();
}

void watch_output(struct window *window, bool is_stdout, const char *data, size_t length)
{
    if (ready)
        return;
    if (conf.ready.kind == READY_FIRST_LINE && is_stdout && memchr(data, '\n', length) != NULL)
        become_ready();
    if (conf.ready.kind == READY_LOG)
        search_text(window, data, length);
}
