#pragma once
#include <sys/types.h>

/* Facts: what the agent sees from inside the box. */

void fact(const char *key, const char *value);
void fact_number(const char *key, long long value);

/* Sends everything about the machine, this process, the workload's process and its command, then `facts-end`. */
void send_facts(pid_t workload);
