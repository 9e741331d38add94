"""The time of `boxbench --help`, which must be at most 1.5 times that of `python -c "import typer"`. Runs alternate."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Final

from bench.analysis.ratios import median_ratio
from bench.util import proc
from bench.util.clock import MonotonicClock
from bench.util.units import format_ns

LIMIT: Final = 1.5
CLOCK: Final = MonotonicClock()
# Both sides use the interpreter of this environment. The warm-ups compile the byte code.
SIDES: Final = {
    "help": [sys.executable, str(Path(sys.executable).with_name("boxbench")), "--help"],
    "bare": [sys.executable, "-c", "import typer"],
}


def took_ns(words: list[str]) -> int:
    """The time of one run, ns."""
    begun = CLOCK.now_ns()
    proc.run(words, timeout_s=60)
    return CLOCK.now_ns() - begun


def measure(*, rounds: int, warmups: int) -> dict[str, list[int]]:
    """Run both sides in every round; their order alternates from round to round."""
    took: dict[str, list[int]] = {side: [] for side in SIDES}
    for number in range(warmups + rounds):
        for side in sorted(SIDES, reverse=bool(number % 2)):
            value = took_ns(SIDES[side])
            if number >= warmups:
                took[side].append(value)
    return took


def main() -> int:
    """Print the ratio. Returns 1 if its whole interval is above the limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--warmups", type=int, default=3)
    words = parser.parse_args()
    took = measure(rounds=words.rounds, warmups=words.warmups)
    ratio = median_ratio(dict(enumerate(took["bare"])), dict(enumerate(took["help"])))
    medians = [format_ns(sorted(took[side])[len(took[side]) // 2]) for side in ("help", "bare")]
    if ratio.value is None or ratio.interval is None:
        print("too few rounds for an interval")
        return 2
    low, high = ratio.interval.low, ratio.interval.high
    print(
        f"boxbench --help / import typer = {ratio.value:.3f} [{low:.3f}, {high:.3f}], n = {words.rounds}; "
        f"medians {medians[0]} and {medians[1]}; limit {LIMIT}"
    )
    return int(low > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
