"""A worker process of a sweep: ``python -m bench.sim.sweep.worker MODEL``.

It reads a task per line from standard input and writes a result per line to standard output. It ends when its input
ends, so it does not outlive a sweep that was killed by more than the unit that it is at.
"""

from __future__ import annotations

import sys
from pathlib import Path

from bench.sim.sweep.unit import run_unit


def main() -> None:
    """Work until the input ends."""
    model_text = Path(sys.argv[1]).read_text(encoding="utf-8")
    for line in sys.stdin:
        sys.stdout.write(run_unit(model_text, line) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
