"""The gate with ``--accel icount``: both sides counted in instructions."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bench.cli.common import console, shown
from bench.cli.gate.order import How, both_sides, make_place, tell_plan

if TYPE_CHECKING:
    from bench.gate.model import GateResult


def count_sides(
    words: list[str],
    out: Path | None,
    targets: str | None,
    commits: tuple[str, str] | None,
    baseline: Path | None,
    how: How,
) -> tuple[GateResult, Path]:
    """Both sides counted in instructions, and where that is kept."""
    from bench.cli.progress import make_progress
    from bench.gate.instructions import (
        SOURCE,
        CountOrder,
        Watchers,
        nothing_left_without_counts,
        read_counts,
        run_counted,
    )
    from bench.instructions.machine import SEED
    from bench.render.commands.instructions import write_files

    stored = None if baseline is None else read_counts(baseline)
    place = make_place(out, words)
    with nothing_left_without_counts(place), make_progress(console(stderr=True)) as progress:
        # Counts go to the directories that revisions are unpacked into otherwise.
        both = both_sides(words, targets, commits, baseline, place / SOURCE)
        order = CountOrder(
            order=how.order(both, place, baseline),
            asked=targets is not None or both.a.explicit or both.b.explicit,
            runs=how.blocks or 1,
            seed=SEED if how.seed is None else how.seed,
            baseline=stored,
        )
        return run_counted(order, write_files, Watchers(progress, tell_plan, _warn)), place


def _warn(sentence: str) -> None:
    print(shown(sentence), file=sys.stderr)
