"""How often do change point detectors raise false alarms, and how often do they find a step? On made-up series.

    python -m tests.studies.steps [REPLICATES]
    python -m tests.studies.steps ranges REPLICATES
    python -m tests.studies.steps horizon REPLICATES

Each family of series has mean 0 and standard deviation 1 (t(3) is scaled). A step of some standard deviations is at a
random place in the middle half. "False alarms" are series without a step in which a change point was found. "Found" are
series with a change point within NEAR commits of the step, by size of the step (SIZES). "Extra" are series with a step
and further change points. All detectors get the same series and use their default settings: ours (level 0.01), Apache
Otava (as a library, with the Python that its command uses) and ruptures (PELT, least squares, the BIC penalty with a
robust sigma).
"""

from __future__ import annotations

import json
import math
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.history.otava import find_otava
from bench.history.steps import commits_needed, find_steps
from bench.util import proc

Floats = NDArray[np.float64]
Family = Callable[[int, np.random.Generator], Floats]
Detector = Callable[[Sequence[Floats]], list[list[int]]]

COMMITS: Final = (30, 60)
SIZES: Final = (1.5, 2.0, 3.0)
NEAR: Final = 3
WORKER: Final = Path(__file__).with_name("otava_worker.py")


def _log_normal(n: int, rng: np.random.Generator) -> Floats:
    sigma = 0.7
    raw = np.exp(rng.normal(0, sigma, n))
    mean, variance = np.exp(sigma**2 / 2), (np.exp(sigma**2) - 1) * np.exp(sigma**2)
    return np.asarray((raw - mean) / np.sqrt(variance))


def _bimodal(n: int, rng: np.random.Generator) -> Floats:
    """Two modes: 30 % of the values are in a slow one, four of a mode's standard deviations away."""
    raw = np.where(rng.random(n) < 0.3, 4.0, 0.0) + rng.normal(size=n)
    return np.asarray((raw - 1.2) / np.sqrt(1 + 16 * 0.21))


def _correlated(n: int, rng: np.random.Generator) -> Floats:
    values, noise = np.empty(n), rng.normal(size=n)
    values[0] = noise[0]
    for at in range(1, n):
        values[at] = 0.5 * values[at - 1] + np.sqrt(0.75) * noise[at]
    return values


FAMILIES: Final[dict[str, Family]] = {
    "Gaussian": lambda n, rng: rng.normal(size=n),
    "log-normal": _log_normal,
    "t(3)": lambda n, rng: rng.standard_t(3, n) / np.sqrt(3),
    "bimodal": _bimodal,
    "AR(1) 0.5": _correlated,
}


def ours(series: Sequence[Floats]) -> list[list[int]]:
    """``bench.history.steps.find_steps`` with its default level."""
    return [[step.index for step in find_steps(values.tolist())] for values in series]


def by_otava(series: Sequence[Floats]) -> list[list[int]]:
    """Apache Otava with its default options, all series in one process."""
    python = Path(find_otava()).resolve().with_name("python")
    # It computes relative changes, so the series get a mean of 100 and 1 % of noise.
    lines = "".join(json.dumps((100 + values).tolist()) + "\n" for values in series)
    done = proc.run([python, WORKER], timeout_s=1800, stdin=lines.encode())
    return [json.loads(line) for line in done.text.splitlines()]


def by_ruptures(series: Sequence[Floats]) -> list[list[int]]:
    """PELT with least squares; the penalty is 2 sigma^2 log n, sigma from the differences of neighbouring values."""
    import ruptures

    found = []
    for values in series:
        sigma = float(np.median(np.abs(np.diff(values)))) / (0.6745 * np.sqrt(2))
        search = ruptures.Pelt(model="l2", min_size=3, jump=1).fit(values)
        found.append(search.predict(pen=2 * sigma**2 * np.log(len(values)))[:-1])
    return found


DETECTORS: Final[dict[str, Detector]] = {"ours": ours, "otava": by_otava, "ruptures": by_ruptures}


@dataclass(frozen=True)
class Score:
    """Shares of series, in [0, 1]. The first one is of series without a step, the others of series with a step."""

    false_alarms: float
    found: dict[float, float]
    extra: float


def draw(family: Family, n: int, size: float, count: int, seed: int) -> tuple[list[Floats], list[int]]:
    """``count`` series with a step of ``size`` and the places of the steps. Size 0 means no step."""
    rng = np.random.default_rng((seed, n, round(size * 10)))
    series, places = [], []
    for _ in range(count):
        values, place = family(n, rng), int(rng.integers(n // 4, n - n // 4))
        values[place:] += size
        series.append(values)
        places.append(place)
    return series, places


def score(found: Sequence[Sequence[list[int]]], places: Sequence[Sequence[int]]) -> Score:
    """The results of a detector in the series without a step, then in those of each size of step."""
    still, *stepped = found
    hits: dict[float, float] = {}
    extra = []
    for size, answers, truth in zip(SIZES, stepped, places[1:], strict=True):
        near = [any(abs(at - place) <= NEAR for at in cuts) for cuts, place in zip(answers, truth, strict=True)]
        hits[size] = sum(near) / len(near)
        extra += [len(cuts) > hit for cuts, hit in zip(answers, near, strict=True)]
    return Score(sum(map(bool, still)) / len(still), hits, sum(extra) / len(extra))


def scores(count: int, detectors: Sequence[str], *, seed: int) -> dict[tuple[str, int], dict[str, Score]]:
    """The shares by family and length, and by detector. Each detector is called once, with all series."""
    sizes = (0.0, *SIZES)
    drawn = {
        (family, n): [draw(make, n, size, count, seed + zlib.crc32(family.encode())) for size in sizes]
        for family, make in FAMILIES.items()
        for n in COMMITS
    }
    everything = [values for groups in drawn.values() for series, _ in groups for values in series]
    results: dict[tuple[str, int], dict[str, Score]] = {key: {} for key in drawn}
    for name in detectors:
        answers = iter(DETECTORS[name](everything))
        for key, groups in drawn.items():
            found = [[next(answers) for _ in series] for series, _ in groups]
            results[key][name] = score(found, [places for _, places in groups])
    return results


def table(count: int, detectors: Sequence[str] = tuple(DETECTORS), *, seed: int = 1) -> Iterator[str]:
    """The lines of a Markdown table, in per cent."""
    head = [f"{name}: {what}" for name in detectors for what in ("false alarms", "found", "extra")]
    yield "| family | commits | " + " | ".join(head) + " |"
    yield "| :-- | --: |" + " --: |" * len(head)
    for (family, n), row in scores(count, detectors, seed=seed).items():
        cells = []
        for name in detectors:
            one = row[name]
            hits = " / ".join(f"{100 * share:.0f}" for share in one.found.values())
            cells += [f"{100 * one.false_alarms:.1f}", hits, f"{100 * one.extra:.1f}"]
        yield f"| {family} | {n} | " + " | ".join(cells) + " |"


def ranges(count: int, *, seed: int = 2) -> Iterator[str]:
    """How often our range of a found step contains the truth, and how often a temporary slowdown becomes two steps."""
    for family, make in FAMILIES.items():
        held = []
        for n in COMMITS:
            for size in SIZES:
                for values, place in zip(*draw(make, n, size, count, seed), strict=True):
                    near = [step for step in find_steps(values.tolist()) if abs(step.index - place) <= NEAR]
                    held += [near[0].earliest <= place <= near[0].latest] if near else []
        yield f"{family}: the range holds the truth in {100 * sum(held) / len(held):.1f} % of {len(held)} steps"
    for commits in (10, 15, 20):
        rng = np.random.default_rng((seed, commits))
        spells = [rng.normal(size=40 + commits) for _ in range(count)]
        for values in spells:
            values[20 : 20 + commits] += 10
        both = sum(len(find_steps(values.tolist())) == 2 for values in spells)
        yield f"a spell of {commits} commits, 20 before and after, 10 standard deviations: {100 * both / count:.0f} %"


def horizon(count: int, *, seed: int = 3) -> Iterator[str]:
    """How many series without a change show one in at least one of the checks at each of their commits."""
    yield "| correlation of neighbours | checks | at the last | at any |"
    yield "| --: | :-- | --: | --: |"
    for rho in (0.0, 0.3, 0.5):
        rng = np.random.default_rng((seed, round(10 * rho)))
        ends = {30: 0, 100: 0}
        last = dict(ends)
        for _ in range(count):
            noise = rng.normal(size=max(ends))
            values = noise.copy()
            for at in range(1, len(values)):
                values[at] = rho * values[at - 1] + math.sqrt(1 - rho * rho) * noise[at]
            alarms = [n for n in range(commits_needed(), len(values) + 1) if find_steps(values[:n].tolist())]
            for end in ends:
                ends[end] += any(n <= end for n in alarms)
                last[end] += end in alarms
        for end, hits in ends.items():
            checks = f"commits {commits_needed()} to {end}"
            yield f"| {rho} | {checks} | {100 * last[end] / count:.1f} | {100 * hits / count:.1f} |"


def main(arguments: Sequence[str]) -> None:
    """Write the table to stdout."""
    if arguments[:1] == ["ranges"]:
        sys.stdout.writelines(f"{line}\n" for line in ranges(int(arguments[1])))
        return
    if arguments[:1] == ["horizon"]:
        sys.stdout.writelines(f"{line}\n" for line in horizon(int(arguments[1])))
        return
    for line in table(int(arguments[0]) if arguments else 1000):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
