#define _GNU_SOURCE
#include "conf.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fatal.h"
#include "shared/files.h"
#include "words.h"

struct conf conf;

static int64_t number_word(char **rest, const char *directive)
{
    char *word = next_word(rest), *end;
    errno = 0;
    long long value = strtoll(word, &end, 10);
    if (*word == 0 || *end != 0 || errno != 0 || value < 0)
        fatal("box.conf: %s: %s is not a number", directive, word);
    if (value > MOST_NUMBER)
        fatal("box.conf: %s: %s is too large", directive, word);
    return value;
}

static void push_word(char **words, size_t *count, size_t limit, char *word, const char *directive)
{
    if (*count >= limit)
        fatal("box.conf: more than %zu lines of %s", limit, directive);
    words[(*count)++] = word;
}

/* The id of a user or group. The kernel's ids have 32 bits, and the largest one means "no change". */
static id_t id_word(char *word)
{
    int64_t id = number_word(&word, "user");
    if (id >= UINT32_MAX)
        fatal("box.conf: user: %lld is not the id of a user or group", (long long)id);
    return (id_t)id;
}

static void parse_user(char *rest)
{
    conf.has_user = true;
    conf.uid = id_word(next_word(&rest));
    conf.gid = id_word(next_word(&rest));
    for (char *item = strtok(rest, ","); item != NULL; item = strtok(NULL, ",")) {
        if (conf.groupc >= MAX_GROUPS)
            fatal("box.conf: user: more than %d groups", MAX_GROUPS);
        conf.groups[conf.groupc++] = id_word(item);
    }
}

static void parse_ready(char *rest)
{
    struct ready *ready = &conf.ready;
    const char *kind = next_word(&rest);
    if (strcmp(kind, "started") == 0) {
        ready->kind = READY_STARTED;
    } else if (strcmp(kind, "first-line") == 0) {
        ready->kind = READY_FIRST_LINE;
    } else if (strcmp(kind, "log") == 0) {
        ready->kind = READY_LOG;
        ready->text = decoded_word(&rest);
        if (strlen(ready->text) > TEXT_BYTES)
            fatal("box.conf: ready log: the text is longer than %d bytes", TEXT_BYTES);
    } else if (strcmp(kind, "exit") == 0) {
        ready->kind = READY_EXIT;
        ready->code = (int)number_word(&rest, "ready");
    } else if (strcmp(kind, "tcp") == 0) {
        ready->kind = READY_TCP;
        ready->port = (int)number_word(&rest, "ready");
    } else if (strcmp(kind, "http") == 0) {
        ready->kind = READY_HTTP;
        ready->port = (int)number_word(&rest, "ready");
        ready->path = decoded_word(&rest);
        ready->code = (int)number_word(&rest, "ready");
        ready->text = decoded_word(&rest);
    } else if (strcmp(kind, "healthcheck") == 0) {
        ready->kind = READY_HEALTH;
    } else {
        fatal("box.conf: ready: unknown kind %s", kind);
    }
}

/* Parses directives that are a number or a flag. False when the directive is none of them. */
static bool parse_number(const char *key, char *rest)
{
    if (strcmp(key, "stop_signal") == 0)
        conf.stop_signal = (int)number_word(&rest, key);
    else if (strcmp(key, "stop_timeout_ms") == 0)
        conf.stop_timeout_ms = number_word(&rest, key);
    else if (strcmp(key, "poll_us") == 0)
        conf.poll_us = number_word(&rest, key);
    else if (strcmp(key, "health_timeout_ms") == 0)
        conf.health_timeout_ms = number_word(&rest, key);
    else if (strcmp(key, "poweroff") == 0)
        conf.reboot = strcmp(rest, "reboot") == 0;
    else if (strcmp(key, "probe") == 0)
        conf.probe = true;
    else
        return false;
    return true;
}

static void parse_directive(char *line)
{
    const char *key = next_word(&line);
    if (strcmp(key, "argv") == 0) {
        push_word(conf.argv, &conf.argc, MAX_ARGV, decoded_word(&line), key);
    } else if (strcmp(key, "health_argv") == 0) {
        push_word(conf.health_argv, &conf.health_argc, MAX_ARGV, decoded_word(&line), key);
    } else if (strcmp(key, "env") == 0) {
        push_word(conf.env, &conf.envc, MAX_ENV, decoded_word(&line), key);
    } else if (strcmp(key, "cwd") == 0) {
        conf.cwd = decoded_word(&line);
    } else if (strcmp(key, "user") == 0) {
        parse_user(line);
    } else if (strcmp(key, "hostname") == 0) {
        conf.hostname = decoded_word(&line);
    } else if (strcmp(key, "ready") == 0) {
        parse_ready(line);
    } else if (strcmp(key, "root") == 0) {
        conf.root_device = decoded_word(&line);
        conf.root_type = decoded_word(&line);
    } else if (!parse_number(key, line)) {
        fatal("box.conf: unknown directive %s", key);
    }
}

void read_conf(const char *path)
{
    static char text[CONF_BYTES];
    conf.stop_signal = SIGTERM;
    conf.stop_timeout_ms = 10000;
    conf.poll_us = 2000;
    conf.health_timeout_ms = 30000;
    size_t used = read_file_at(AT_FDCWD, path, text, sizeof text);
    if (used == 0)
        fatal("%s: cannot be read or is empty", path);
    if (used + 1 == sizeof text)
        fatal("%s: larger than %d bytes", path, CONF_BYTES);
    for (char *line = text, *end; *line != 0; line = end) {
        end = strchrnul(line, '\n');
        if (*end != 0)
            *end++ = 0;
        if (*line != 0)
            parse_directive(line);
    }
    if (conf.argc == 0 && !conf.probe)
        fatal("%s: no argv", path);
    if (conf.ready.kind == READY_HEALTH && conf.health_argc == 0)
        fatal("%s: no health_argv", path);
}
