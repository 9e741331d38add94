#pragma once

/* Where our files are in the guest. */
#define SCRIPT_FILE "/.boxbench/script"
#define CONF_FILE "/.boxbench/box.conf" /* copied into the channel of each box */
#define LOG_FILE "/.boxbench/log"       /* output of the programs that the script starts */

enum { SCRIPT_BYTES = 256 * 1024 }; /* largest script, and largest box.conf */
