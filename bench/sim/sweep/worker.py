"""A worker process of a sweep: ``python -m bench.sim.sweep.worker MODEL``.

It reads a task per line from standard input and writes a result per line to what was standard output when it began.
Whatever else is printed, by Python or by a library in C, goes to standard error, so it cannot spoil a result. It ends
when its input ends, so it does not outlive a sweep that was killed by more than the task that it is at.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Final

from bench.sim.sweep.unit import run_task

_INPUT: Final = 0
_OUTPUT: Final = 1
_ERRORS: Final = 2
_READ_BYTES: Final = 2**16


def main() -> None:
    """Work until the input ends."""
    with os.fdopen(os.dup(_OUTPUT), "w", encoding="utf-8") as results:
        os.dup2(_ERRORS, _OUTPUT)
        model_text = Path(sys.argv[1]).read_text(encoding="utf-8")
        for line in _lines():
            results.write(run_task(model_text, line) + "\n")
            results.flush()


def _lines() -> Iterator[str]:
    """The lines of standard input.

    A thread reads them while a task runs: neither this process nor its parent can then wait for the other one to read.
    """
    found: SimpleQueue[str | None] = SimpleQueue()
    threading.Thread(target=_read, args=(found,), daemon=True).start()
    return iter(found.get, None)


def _read(found: SimpleQueue[str | None]) -> None:
    partial = b""
    # Not through sys.stdin: its lock would be held when the interpreter ends.
    while data := os.read(_INPUT, _READ_BYTES):
        *lines, partial = (partial + data).split(b"\n")
        for line in lines:
            found.put(line.decode())
    found.put(None)


if __name__ == "__main__":
    main()
