#!/bin/sh
# give-back.sh PATH...: as root, give files to the owner of the directory that they lie in, and what lies below them.
#
# A job that runs as root in another user's workspace would leave files there that the next checkout cannot delete.
# A path that does not exist is skipped. Links are given back themselves, and not followed. Without root: does nothing.
set -u

[ "$(id -u)" -eq 0 ] || exit 0
for path in "$@"; do
    if [ -e "$path" ] || [ -L "$path" ]; then
        chown -hR -- "$(stat -c %u:%g -- "$(dirname -- "$path")")" "$path" || exit 1
    fi
done
