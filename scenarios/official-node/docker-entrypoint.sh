#!/bin/sh
# What is no program is a script for node.
set -e
if ! command -v "$1" >/dev/null; then
    set -- node "$@"
fi
exec "$@"
