"""The sentences below the tables of a report: how its numbers, brackets and words are read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bench.analysis.in_order import ENOUGH
from bench.analysis.results import Analysis
from bench.render.content import PSS_HEAD, Section
from bench.render.sections.exercises import EXERCISE_NOTE
from bench.render.sections.first_start import FIRST_START_NOTE
from bench.render.sections.residents import PSS_NOTE, RESIDENTS_NOTE
from bench.render.sections.storms import STORM_NOTE

INFINITE: Final = (
    "∞: a boot that timed out or failed counts as worse than every boot that succeeded: its time and its cost as "
    "infinite, its rate as 0."
)
P95: Final = (
    "p95 needs boots that are worth 72 independent ones, in each sitting. With fewer it has no interval, and is often "
    "just the largest value seen."
)
LEVEL: Final = (
    "Square brackets are 95 % intervals. That of a ratio or a slope is about the blocks of this campaign, that of a "
    "median about its sitting; it is wider than for independent boots, because boots resemble their neighbours. Round "
    "brackets are ranges and no intervals: the smallest and the largest boot of a sitting with fewer than "
    f"{ENOUGH} boots, or the smallest and the largest median of two or three sittings."
)


def footnotes(sections: Sequence[Section], analysis: Analysis) -> tuple[str, ...]:
    """How the tables of a report are read: what holds for all of them, then what these sections need."""
    text = " ".join(row.headline + row.ratio for section in sections for row in section.rows)
    small = any(row.p95.startswith("n <") for section in sections for row in section.rows)
    found = [LEVEL]
    found += [_words(tested)] if (tested := sum(one.p_value is not None for one in analysis.comparisons)) else []
    found += [INFINITE] if "∞" in text else []
    found += [P95] if small else []
    found += [EXERCISE_NOTE] if any(section.exercises for section in sections) else []
    found += [RESIDENTS_NOTE] if any(section.residents for section in sections) else []
    found += [PSS_NOTE] if any(section.memory == PSS_HEAD for section in sections) else []
    found += [FIRST_START_NOTE] if any(section.first_starts for section in sections) else []
    found += [STORM_NOTE] if any(section.storms for section in sections) else []
    return tuple(found)


def brief_footnotes(sections: Sequence[Section]) -> tuple[str, ...]:
    """The same in two lines, for a terminal, whose reader wants the numbers; the page has all of it."""
    text = " ".join(row.headline + row.ratio for section in sections for row in section.rows)
    ranges = "; (smallest–largest) of what was seen, where boots are too few for one" if "(" in text else ""
    found = [f"[95 % interval]{ranges}. sure: the interval excludes 1, and a test adjusted for all rows agrees."]
    found += [INFINITE] if "∞" in text else []
    return (*found, "The page and report.md explain every word and every column.")


def _words(tested: int) -> str:
    return (
        '"Sure", with "slower", "faster", "more" or "less": the interval of the ratio excludes 1, and an exact test '
        f"agrees. It is adjusted (Benjamini-Hochberg) for all {tested} tested pairs of box and metric here: "
        "on average at most 5 % of such words are false, and where nothing differs at most 5 % of reports have one. "
        '"Same": the whole interval lies within 5 % of 1. "Cannot tell": everything else. A ratio with a word is read '
        'upwards: "3.80× faster" is 0.263 of the time. One without a word is the box over the baseline.'
    )
