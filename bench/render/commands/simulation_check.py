"""The check of a simulation for a terminal, as JSON, and as one self-contained page with a figure per target."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bench.analysis.estimates import Interval
from bench.render.commands.check_words import (
    capital,
    headline,
    headline_parts,
    score_sentences,
    share,
    verdict_sentences,
)
from bench.render.figures.base import Figure
from bench.render.figures.simulation_check import draw
from bench.render.results import draw_all, write_results
from bench.render.simulation.glossary import GLOSSARY
from bench.render.simulation.skeleton import render_page
from bench.render.text import MISSING, clean, quantity, with_interval
from bench.sim.answer.answer import Band
from bench.sim.answer.terms import emulated_sentences
from bench.sim.check.baselines import CONSTANT, CPU_ONLY, LINE, SHARED, SPREAD
from bench.sim.check.result import Check, LevelError, LevelView, MemoryScore, StatisticView, TargetCheck
from bench.sim.check.verdict import Verdict
from bench.util.errors import ExitCode

STORM_HEAD: Final = ("box", "storm", "of", "measured", "simulated [95 %]", "error", "bias", "ceiling", "skill", "held")
LEVEL_HEAD: Final = ("box", "boxes", "error of times", "limit of times", "error of CPU time", "limit of CPU time")
MEMORY_HEAD: Final = ("box", "boxes", "measured", "simulated [95 %]", "error", "band", "verdict")
WORDS: Final = (
    "error",
    "noise ceiling",
    "skill",
    CONSTANT,
    CPU_ONLY,
    LINE,
    SPREAD,
    SHARED,
    "held",
)
"""Words of the glossary that a terminal explains; pages explain all that occur."""
_WHERE: Final = "of a check: "
_MEANINGS: Final = {word.name: word.meaning for word in GLOSSARY}
NOTE: Final = "Simulated values; fitted storms are not scored."
_NARROW: Final = tuple(at for at, name in enumerate(STORM_HEAD) if name not in ("box", "bias", "ceiling"))
"""The columns that fit a terminal of 80 columns."""
_LONGEST: Final = 600
"""Characters of a note."""
JSON: Final = "answer.json"
_STYLES: Final = {
    Verdict.EXPLAINED: "green",
    Verdict.BETTER: "green",
    Verdict.CPU: "green",
    Verdict.LINE: "green",
    Verdict.CONSTANT: "green",
    Verdict.TOO_FAR: "yellow",
    Verdict.NO_BETTER: "bold red",
    Verdict.WORSE: "bold red",
    Verdict.CANNOT_TELL: "yellow",
}

Row = tuple[str, ...]


def storm_rows(found: Check) -> tuple[Row, ...]:
    """One row per scored statistic with the columns of STORM_HEAD."""
    return tuple(
        _storm_row(target, level, view)
        for target in found.targets
        for level in target.levels
        for view in level.statistics
        if view.score is not None
    )


def _storm_row(target: TargetCheck, level: LevelView, view: StatisticView) -> Row:
    score = view.score
    if score is None:
        raise ValueError("a fitted level has no score")
    over_cpu = next((one for one in score.skills if one.baseline == CPU_ONLY), None)
    widest = score.coverage[-1]
    return (
        clean(target.label),
        f"{level.boxes}" + (f" beside {level.residents}" if level.residents else ""),
        str(view.statistic),
        quantity(float("inf") if view.measured is None else view.measured, "ns"),
        _band(view.predicted, "ns"),
        share(score.error, score.error_interval),
        MISSING if score.bias is None else f"{score.bias:+.0%}",
        MISSING if score.ceiling is None else f"{score.ceiling:.0%}",
        MISSING if over_cpu is None else f"{over_cpu.value:+.2f}",
        f"{widest.hits}/{widest.n}",
    )


def memory_rows(found: Check) -> tuple[Row, ...]:
    """One row per level of memory with the columns of MEMORY_HEAD."""
    return tuple(_memory_row(target, score) for target in found.targets for score in target.memory)


def _memory_row(target: TargetCheck, score: MemoryScore) -> Row:
    return (
        clean(target.label),
        f"{score.boxes}" + (" and daemons" if score.daemons else ""),
        quantity(score.measured, "bytes"),
        _band(score.predicted, "bytes"),
        f"{score.error:+.1%}",
        f"{score.width:.1%} wide",
        f"{score.verdict}: {score.why}",
    )


def level_rows(found: Check) -> tuple[Row, ...]:
    """One row per scored level that counts, with the columns of LEVEL_HEAD."""
    return tuple(row for target in found.targets for row in _level_rows(target))


def _level_rows(target: TargetCheck) -> Iterator[Row]:
    cpu = {(one.boxes, one.residents): one for one in target.cpu.by_level} if target.cpu is not None else {}
    for one in target.by_level:
        yield (
            clean(target.label),
            one.name,
            *_accepted(one),
            *_accepted(cpu.get((one.boxes, one.residents))),
        )


def _accepted(one: LevelError | None) -> tuple[str, str]:
    """The error, and whether it is within the limit, which only the largest levels must hold."""
    if one is None:
        return MISSING, MISSING
    word = "within" if one.error <= one.limit else "above"
    return share(one.error, one.interval), f"{word} {one.limit:.0%}" + ("" if one.largest else ", does not decide")


def target_sentences(target: TargetCheck) -> Iterator[str]:
    """The verdict on one target, its errors by level, its CPU time, its skills and its coverage."""
    yield from verdict_sentences(target)
    yield from score_sentences(target)
    yield from map(clean, target.assumed)


def _band(band: Band, unit: str) -> str:
    return with_interval(band.middle, Interval(band.low95, band.high95, 0.95), unit)


def view_check(found: Check) -> RenderableType:
    """The headline, and for each target its verdict and tables, for a terminal. Never prints."""
    style = "bold red" if found.exit_code is ExitCode.REGRESSION else "bold"
    said = headline_parts(found) or (headline(found),)
    lines: list[RenderableType] = [*(Text(part, style=style) for part in said), Text(_made(found), style="dim")]
    for target in found.targets:
        lines += ["", *_view_target(found, target)]
    notes = (*_warnings(found), *_notes(found), NOTE)
    lines += ["", *(Text(f"· {clean(note, limit=_LONGEST)}", style="dim") for note in notes)]
    lines += [Text(f"· {word}: {_MEANINGS[word].removeprefix(_WHERE)}", style="dim") for word in WORDS]
    return Group(*lines)


def _view_target(found: Check, target: TargetCheck) -> Iterator[RenderableType]:
    verdict = next(verdict_sentences(target), clean(target.label))
    yield Text(verdict, style="bold" if target.verdict is None else _STYLES[target.verdict])
    storms = [row for row in storm_rows(found) if row[0] == clean(target.label)]
    if storms:
        yield _table([STORM_HEAD[at] for at in _NARROW], [tuple(row[at] for at in _NARROW) for row in storms])
    memory = [row for row in memory_rows(found) if row[0] == clean(target.label)]
    for row in memory:
        values = dict(zip(MEMORY_HEAD, row, strict=True))
        both = f"{values['simulated [95 %]']} simulated, {values['measured']} measured"
        yield Text(f"memory of {values['boxes']} boxes: {both}. {capital(values['verdict'])}")
    for sentence in (*score_sentences(target), *map(clean, target.assumed)):
        yield Text(sentence, style="dim")


def _notes(found: Check) -> tuple[str, ...]:
    """How it was done, and what was left out."""
    return (*found.notes, *found.left_out)


def _made(found: Check) -> str:
    return f"{found.design}; scored: {', '.join(map(clean, found.sources))}, {found.cpus} CPUs; seed {found.seed}"


def _table(head: Sequence[str], rows: Sequence[Row]) -> Table:
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for number, name in enumerate(head):
        shown.add_column(Text(name), justify="left" if number == 0 else "right", overflow="fold")
    for row in rows:
        shown.add_row(*map(Text, row))
    return shown


def check_json(found: Check) -> dict[str, Any]:
    """A JSON value."""
    accepted = {target.label: target.accepted for target in found.targets}
    return {
        "headline": headline(found),
        "exit_code": int(found.exit_code),
        "accepted": accepted,
        **found.model_dump(mode="json"),
    }


def figures(found: Check) -> tuple[Figure, ...]:
    """One figure per target and number of residents."""
    return draw_all(lambda: [drawing for target in found.targets for drawing in draw(target, found.cpus)])


def write_check(found: Check, directory: Path, *, command: str) -> Path:
    """Write the page, ``answer.json`` and the figures into a directory; returns the page. It has the same bytes again.

    Args:
        command: that makes the same check.

    Raises:
        UsageError: the directory holds something else.
        ResultError: a file cannot be written.
    """
    text = json.dumps(check_json(found), indent=2, ensure_ascii=False) + "\n"
    drawn = figures(found)
    page = render_page(
        "simulation-check.html.j2",
        figures=drawn,
        warnings=_warnings(found),
        eyebrow="simulated, checked on measurements",
        figures_title="Simulated against measured",
        command=command,
        provenance=f"Scored: {', '.join(map(clean, found.sources))}; seed {found.seed}",
        files={JSON: text.encode()},
        headline=headline(found),
        made=_made(found),
        targets=[(clean(target.label), tuple(target_sentences(target))) for target in found.targets],
        storms=(STORM_HEAD, *storm_rows(found)),
        levels=(LEVEL_HEAD, *level_rows(found)),
        memory=(MEMORY_HEAD, *memory_rows(found)),
        notes=(*(clean(note, limit=_LONGEST) for note in _notes(found)), NOTE),
    )
    return write_results(directory, page, drawn, {JSON: text})


def _warnings(found: Check) -> tuple[str, ...]:
    """Sentences above the headline: what must not be overlooked."""
    alarm = ("Do not use this model for the targets that it misses.",) if found.exit_code is ExitCode.REGRESSION else ()
    return (*alarm, *emulated_sentences([target.label for target in found.targets]))
