"""The cost of the sampler: idle boxes with samples at the default rate, and without, in alternation.

It reports the share of one CPU that Boxbench uses during the idle time, including its waiting threads, and the share of
the box. Run it on an otherwise idle machine: ``nox -s bench``.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from bench.analysis.order_statistics import within_blocks
from bench.plan.trials import Cell, Trial
from bench.run.box import Setting
from bench.run.trial import run_trial
from bench.scenario.model import Design
from tests.bench.hello_cells import hello_cells


def shares(setting: Setting, cell: Cell, number: int, *, on: bool, idle_s: float) -> dict[str, float]:
    """Boot once. Returns shares of one CPU during the idle time. Raises RuntimeError if the trial failed."""
    design = Design(blocks=1, warmups=0, idle=round(idle_s * 1e9), sample=Design().sample if on else None)
    changed = replace(setting, scenario=setting.scenario.model_copy(update={"design": design}))
    record, _ = run_trial(Trial(number=number, block=number, cell=cell, warmup=False), changed)
    if record.failure is not None:
        raise RuntimeError(record.failure.message)
    samples = 0 if record.samples is None else len(record.samples.at_ns)
    if on != (samples > 1):
        raise RuntimeError(f"{samples} samples with the sampler {'on' if on else 'off'}")
    used = record.cpu_ns
    return {"harness": used["idle.harness"] / used["idle.window"], "box": used["idle.total"] / used["idle.window"]}


def measure(settings: dict[Cell, Setting], *, rounds: int, idle_s: float) -> list[dict[str, Any]]:
    """In each round boot every cell with samples and without; their order alternates from round to round."""
    found: dict[tuple[Cell, bool], list[dict[str, float]]] = {}
    number = 0
    for turn in range(rounds):
        for cell, setting in settings.items():
            for on in (True, False) if turn % 2 else (False, True):
                number += 1
                found.setdefault((cell, on), []).append(shares(setting, cell, number, on=on, idle_s=idle_s))
        print(f"round {turn + 1} of {rounds}", file=sys.stderr)
    return [_result(cell, found[cell, True], found[cell, False]) for cell in settings]


def _result(cell: Cell, on: list[dict[str, float]], off: list[dict[str, float]]) -> dict[str, Any]:
    extra = within_blocks([with_["harness"] - without["harness"] for with_, without in zip(on, off, strict=True)])
    return {
        "box": cell.box,
        "n": len(on),
        "sampler": extra.value,
        "interval": None if extra.interval is None else [extra.interval.low, extra.interval.high],
        "on": on,
        "off": off,
    }


def main() -> None:
    """Print a line per box and, with ``--json FILE``, store every value. Returns 1 if a sampler takes 1 % or more."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--idle", type=float, default=2.0, metavar="SECONDS")
    parser.add_argument("--target", action="append", metavar="NAME", help="default: docker and libvirt")
    parser.add_argument("--json", type=Path)
    words = parser.parse_args()
    with hello_cells(words.target or ["docker", "libvirt"]) as settings:
        results = measure(settings, rounds=words.rounds, idle_s=words.idle)
    for result in results:
        show(result)
    if words.json:
        words.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    sys.exit(any(result["sampler"] >= 0.01 for result in results))


def show(result: dict[str, Any]) -> None:
    """Print one line."""
    low, high = result["interval"] or (float("nan"), float("nan"))
    harness, box = (
        " and ".join(f"{median(boot[name] for boot in result[side]):.3%}" for side in ("on", "off"))
        for name in ("harness", "box")
    )
    print(
        f"{result['box']}: the sampler takes {result['sampler']:.3%} [{low:.3%}, {high:.3%}] of one CPU, n = "
        f"{result['n']}; with and without it the harness {harness}, the box {box}"
    )


if __name__ == "__main__":
    main()
