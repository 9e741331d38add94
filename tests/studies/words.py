"""How often does a report on equal boxes call one of them faster or slower?

    python -m tests.studies.words [REPLAYS]

Each replay is an A/A report with 30 comparisons: ten boxes against one baseline in three metrics, all of one law.
Boots share the state of their block, and the metrics of a boot are correlated. Counted are reports with at least one
false word: by the intervals alone, as reports had it once, and as they have it now.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.analysis.compare import compared, only_discoveries
from bench.analysis.metrics import CPU, MEMORY, Metric
from bench.analysis.paired import Pair
from bench.analysis.results import Comparison
from bench.analysis.verdicts import RatioVerdict
from bench.plan.trials import Cell

Floats = NDArray[np.float64]
Law = Callable[[tuple[int, ...], np.random.Generator], Floats]

BOXES: Final = 10
METRICS: Final = (Metric("endpoint.ready_ns"), CPU, MEMORY)
COUNTS: Final = (5, 7, 10, 20)


def _normal(shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
    return rng.normal(0.0, 0.1, shape)


def _two_modes(shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
    slow = np.where(rng.random(shape) < 0.3, np.log(1.6), 0.0)
    return np.asarray(slow + rng.normal(0.0, 0.05, shape))


def _heavy(shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
    return np.asarray(0.1 * rng.standard_t(3, shape))


LAWS: Final[dict[str, Law]] = {"log-normal 10 %": _normal, "bimodal 30 %": _two_modes, "t(3) logs": _heavy}


def report(boots: int, rng: np.random.Generator, law: Law, drift: float) -> tuple[Comparison, ...]:
    """The comparisons of one A/A report before they are adjusted. ``drift``: sd of the state of a block."""
    state = rng.normal(0.0, drift, boots) if drift else np.zeros(boots)
    of_boot = law((BOXES + 1, boots), rng)
    own = law((len(METRICS), BOXES + 1, boots), rng)
    values = np.exp((of_boot + own) / np.sqrt(2) + state)
    cells = [Cell(scenario="s", target=f"box{number}", accel="native") for number in range(BOXES + 1)]
    return tuple(
        compared(metric, (cells[0], cells[number]), Pair(values[place][0], values[place][number], 0, has_zero=False))
        for place, metric in enumerate(METRICS)
        for number in range(1, BOXES + 1)
    )


def has_word(found: Sequence[Comparison]) -> bool:
    """Whether some box is called faster or slower."""
    return any(one.verdict in (RatioVerdict.FASTER, RatioVerdict.SLOWER) for one in found)


def false_words(
    *, boots: int, replays: int, seed: int, law: Law = _normal, drift: float = 0.1, adjusted: bool = True
) -> list[bool]:
    """For each replay, whether its report has a false word."""
    rng = np.random.default_rng(seed)
    found = (report(boots, rng, law, drift) for _ in range(replays))
    return [has_word(only_discoveries(one) if adjusted else one) for one in found]


def table(replays: int) -> Iterator[str]:
    """The lines of a Markdown table: reports with a false word, in per cent."""
    yield "| law | drift of blocks | boots | intervals alone | now |"
    yield "| :-- | --: | --: | --: | --: |"
    for name, law in LAWS.items():
        for drift in (0.0, 0.2):
            for boots in COUNTS:
                shares = [
                    100
                    * np.mean(
                        false_words(boots=boots, replays=replays, seed=1, law=law, drift=drift, adjusted=adjusted)
                    )
                    for adjusted in (False, True)
                ]
                yield f"| {name} | {drift:.0%} | {boots} | {shares[0]:.1f} | {shares[1]:.1f} |"


def main(arguments: Sequence[str]) -> None:
    """Write the table to stdout."""
    for line in table(int(arguments[0]) if arguments else 1000):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
