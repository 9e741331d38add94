"""The long run: ``python -m tests.fuzz --inputs 1000000``. Readers run in parallel on all CPUs.

Prints a table of inputs and findings by reader and, for each finding, the words that replay it. Exits with 1 when there
is a finding. Writes nothing but scratch files, which it removes, and the file that ``--out`` names.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.fuzz.registry import READERS
from tests.fuzz.replay import decoded, replay
from tests.fuzz.session import Report, run_session


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="nox -s fuzz --", description=__doc__)
    parser.add_argument("--inputs", type=int, default=20_000, help="how many inputs, over all readers (20000)")
    parser.add_argument("--seed", type=int, default=None, help="of all chance; drawn and printed when it is not given")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes at a time (all CPUs)")
    parser.add_argument("--reader", action="append", choices=sorted(READERS), help="only this reader; repeatable")
    parser.add_argument("--out", type=Path, help="also write the report to this file")
    parser.add_argument("--replay", nargs=2, metavar=("READER", "INPUT"), help="check one printed input again")
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> int:
    """Run or replay. Returns the exit code."""
    chosen = _arguments(words)
    if chosen.replay:
        reader, coded = chosen.replay
        return replay(READERS[reader], decoded(coded))
    seed = chosen.seed if chosen.seed is not None else int.from_bytes(os.urandom(4), "big")
    names = chosen.reader or list(READERS)
    begun = time.monotonic()
    report = run_session([READERS[name] for name in names], chosen.inputs, seed=seed, workers=chosen.workers)
    text = _text(report, seed, time.monotonic() - begun)
    print(text)
    if chosen.out is not None:
        chosen.out.write_text(text + "\n", encoding="utf-8")
    return 1 if report.findings else 0


def _text(report: Report, seed: int, took_s: float) -> str:
    lines = [f"{'reader':24}{'inputs':>10}{'accepted':>10}{'refused':>10}{'kinds':>7}{'findings':>10}{'s CPU':>8}"]
    for row in report.rows:
        kinds = len(row.kinds)
        lines.append(
            f"{row.reader:24}{row.inputs:>10}{row.accepted:>10}{row.refused:>10}{kinds:>7}{row.found:>10}"
            f"{row.cpu_s:>8.0f}"
        )
    inputs, found = sum(row.inputs for row in report.rows), sum(row.found for row in report.rows)
    lines.append(f"seed {seed}: {inputs} inputs, {found} findings of {len(report.findings)} kinds, {took_s:.0f} s")
    lines += [f"not run: {name}: {why}" for name, why in report.left_out]
    for finding in report.findings:
        lines += ["", f"FINDING in {finding.reader}", finding.trace.rstrip(), f"replay: {finding.words}"]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
