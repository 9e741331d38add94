#!/bin/sh
# gate.sh OUT COMMAND ARGUMENT...: run `boxbench gate COMMAND ARGUMENT...` into the new directory OUT; report its verdict.
#
# COMMAND is `compare` or `bounds`: gate.sh gate-out compare my-api/ --commits origin/main HEAD
# Works the same on a laptop, in the GitHub action and in GitLab. Adds to the gate's own files in OUT:
#   summary.md, junit.xml, annotations.txt    (and OUT.doctor.json: the checks of this host)
# Ends with the gate's exit code: 0 not regressed, 3 regressed, 4 cannot tell, others: no verdict (see docs/reference/exit-codes.md).
# An OUT that is not empty is refused (2) and not changed, so that no earlier verdict is reported as this one's.
# Run as root in another user's directory, it gives what it made there to that user.
#
# Environment: BOXBENCH (the command, default boxbench), BOXBENCH_CANNOT_TELL (fail, the default, or pass: 4 becomes 0).
set -u

[ $# -ge 2 ] || { echo "usage: $0 OUT COMMAND ARGUMENT..." >&2; exit 2; }
out=$1
shift
boxbench=${BOXBENCH:-boxbench}
page=${GITHUB_STEP_SUMMARY:-}

say() { printf '%s\n' "$*" >&2; }

# The words of docs/reference/exit-codes.md; a test compares them.
meaning() {
    case $1 in
        0) echo "not regressed" ;;
        1) echo "any other failure, such as boxes that differ" ;;
        2) echo "the command line, or a file that it names, is wrong" ;;
        3) echo "regressed" ;;
        4) echo "cannot tell" ;;
        5) echo "this host cannot run what was asked" ;;
        6) echo "some trials gave no result; the rest is kept" ;;
        130) echo "interrupted" ;;
        *) echo "unknown" ;;
    esac
}

# GitHub takes a line that begins with :: as a command. Output of boxes and scenarios must not be taken as one.
quiet_commands() {
    [ -n "${GITHUB_ACTIONS:-}" ] || return 0
    token=boxbench-$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
    echo "::stop-commands::$token"
}

loud_commands() { [ -z "${token:-}" ] || echo "::$token::"; }

report() {
    for format in summary junit annotations; do
        "$boxbench" export "$out" --format "$format" --out "$out/" >/dev/null || return 1
    done
    [ -z "$page" ] || cat "$out/summary.md" >>"$page"
    if [ -n "${GITHUB_ACTIONS:-}" ]; then cat "$out/annotations.txt"; else cat "$out/summary.md"; fi
}

occupied() { [ -n "$(ls -A "$out" 2>/dev/null)" ]; }

# Write "no verdict" to the job's page and its annotations. $1 is the exit code, $2 the reason.
no_verdict() {
    text="## ⚠️ Boxbench: no verdict

The gate ended with exit code $1: $(meaning "$1"). $2"
    [ -z "$page" ] || printf '%s\n' "$text" >>"$page"
    [ -z "${GITHUB_ACTIONS:-}" ] || echo "::error title=Boxbench::no verdict, exit code $1: $(meaning "$1")"
}

# The first directory on the way to OUT that does not exist: what the script has made there is not for root alone.
first_missing() {
    path=$out
    while [ ! -e "$(dirname "$path")" ]; do path=$(dirname "$path"); done
    printf '%s\n' "$path"
}

run() {
    made=$(first_missing)
    # Also after an interrupted job: its workspace must stay usable.
    trap '"$(dirname "$0")/give-back.sh" "$made" "$out.doctor.json"' EXIT
    trap 'exit 130' INT TERM HUP
    mkdir -p "$(dirname "$out")"
    quiet_commands
    "$boxbench" doctor || say "doctor: some checks of this host failed; see above"
    "$boxbench" doctor --json >"$out.doctor.json" || true
    "$boxbench" gate "$@" --out "$out"
    code=$?
    loud_commands
    # Other codes are no verdict, even if a result was written before the gate failed.
    case $code in 0 | 3 | 4) [ ! -f "$out/gate.json" ] || return 0 ;; esac
    [ "$code" -ne 0 ] || code=1
    no_verdict "$code" "The log of the job has the reason."
    mkdir -p "$out"
    printf '%s\n' "$text" >"$out/summary.md"
    return 1
}

if occupied; then
    say "$out exists and is not empty: name a directory that does not exist, or remove this one"
    code=2
    no_verdict 2 "Its output directory was not empty."
elif run "$@" && ! report; then
    say "the verdict stands, but its exports could not be written"
fi
if [ -n "${GITHUB_OUTPUT:-}" ]; then
    printf 'exit-code=%s\nverdict=%s\ndirectory=%s\n' "$code" "$(meaning "$code")" "$out" >>"$GITHUB_OUTPUT"
fi
say "boxbench: $(meaning "$code") (exit code $code)"
if [ "$code" -eq 4 ] && [ "${BOXBENCH_CANNOT_TELL:-fail}" = pass ]; then exit 0; fi
exit "$code"
