"""What does the check say of fitted models, and of predictors without a mechanism, on a measured campaign?

    python -m tests.studies.simulation_check CAMPAIGN [SEED ...]

Three designs: fitted on storms of 1 and 2 boxes, on those of 1, 2 and 4, and on odd blocks. Each is fitted with every
seed. One row per design and target: the verdicts with how many seeds gave them, and the medians over seeds, with the
range of the errors: over all levels, at the largest ones, and of CPU time there. Then the toys of
``tests.replay_and_multiply`` on the first design: what they are called is what the check is worth.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from bench.sim.check.baselines import CPU_ONLY, LINE, SHARED, SPREAD
from bench.sim.check.check import CheckTerms, check
from bench.sim.check.design import Levels, Split, all_but_largest, by_levels, memory_levels, odd_even
from bench.sim.check.predict import ModelPredictor
from bench.sim.check.result import Check, CpuScore, TargetCheck
from bench.sim.fit.fit import fit
from bench.sim.observe.campaign import observe
from bench.sim.observe.trials import Observations
from tests.replay_and_multiply import toys

OVER: Final = (CPU_ONLY, SPREAD, SHARED, LINE)
HEAD: Final = (
    "target",
    "verdict",
    "error",
    "at the largest",
    "limit",
    "CPU time",
    *(f"over {name}" for name in OVER),
    "50 / 80 / 95 % hold",
    "bands",
)


def designs() -> dict[str, Callable[[Observations], Split]]:
    """By name, what is fitted and what is scored."""

    def up_to(*levels: int) -> Callable[[Observations], Split]:
        return lambda seen: by_levels(seen, Levels(fit=frozenset(levels)), all_but_largest(memory_levels(seen)))

    return {"{1, 2} → {4, 8}": up_to(1, 2), "{1, 2, 4} → 8": up_to(1, 2, 4), "odd → even blocks": odd_even}


def checked(split: Split, seed: int) -> Check:
    """A model that is fitted with one seed, and scored."""
    model = fit(split.to_fit, seed=seed)
    return check(split, ModelPredictor(model=model, seed=seed), CheckTerms(seed=seed))


def rows(found: Sequence[Check]) -> Iterator[tuple[str, ...]]:
    """One row per target, over checks with different seeds."""
    for label in [target.label for target in found[0].targets]:
        yield _row(label, [target for one in found for target in one.targets if target.label == label])


def _row(label: str, ones: Sequence[TargetCheck]) -> tuple[str, ...]:
    verdicts = Counter(str(one.verdict) for one in ones)
    words = ", ".join(name + (f" ({count})" if len(ones) > 1 else "") for name, count in verdicts.most_common())
    errors = [one.error for one in ones if one.error is not None]
    limits = [one.limit for one in ones if one.limit is not None]
    bands = Counter("too few storms" if one.bands is None else one.bands.word for one in ones)
    return (
        label,
        words,
        _range(errors),
        _range([_largest(one) for one in ones if one.by_level]),
        f"{np.median(limits):.0%}" if limits else "–",
        _range([_largest(one.cpu) for one in ones if one.cpu is not None]),
        *(_skill(ones, name) for name in OVER),
        " / ".join(_held(ones, place) for place in range(3)),
        ", ".join(name + (f" ({count})" if len(ones) > 1 else "") for name, count in bands.most_common()),
    )


def _largest(one: TargetCheck | CpuScore) -> float:
    """The error at the largest levels, the worst of them."""
    return max(level.error for level in one.by_level if level.largest)


def _range(errors: Sequence[float]) -> str:
    if not errors:
        return "–"
    ends = f" ({min(errors):.0%} to {max(errors):.0%})" if len(errors) > 1 else ""
    return f"{np.median(errors):.0%}{ends}"


def _skill(ones: Sequence[TargetCheck], baseline: str) -> str:
    values = [skill.value for one in ones for skill in one.skills if skill.baseline == baseline]
    return f"{np.median(values):+.2f}" if values else "–"


def _held(ones: Sequence[TargetCheck], place: int) -> str:
    shares = [one.coverage[place].hits / one.coverage[place].n for one in ones if one.coverage]
    return f"{np.median(shares) * 100:.0f}" if shares else "–"


def table(title: str, found: Sequence[tuple[str, ...]]) -> str:
    """A table in Markdown."""
    lines = [f"### {title}", "", "| " + " | ".join(HEAD) + " |", "|" + " :-- |" * len(HEAD)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in found), ""])


def main() -> None:
    """Print the tables."""
    seen = observe([Path(sys.argv[1])])
    seeds = [int(text) for text in sys.argv[2:]] or [1]
    for name, design in designs().items():
        split = design(seen)
        print(table(f"{name}, seeds {', '.join(map(str, seeds))}", list(rows([checked(split, s) for s in seeds]))))
        sys.stdout.flush()
    split = designs()["{1, 2} → {4, 8}"](seen)
    for name, toy in toys(split.fit).items():
        print(table(f"without a mechanism: {name}", list(rows([check(split, toy, CheckTerms(seed=seeds[0]))]))))


if __name__ == "__main__":
    main()
