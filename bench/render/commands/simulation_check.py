"""The check of a simulation for a terminal, as JSON, and as one self-contained page with a figure per target."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from markupsafe import Markup
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bench.analysis.stats import Interval
from bench.render.figures.base import Figure, finish, styled, with_variables, write_figure
from bench.render.figures.simulation_check import draw
from bench.render.html import page_environment
from bench.render.palette import PALETTE
from bench.render.text import MISSING, clean, quantity, significant, with_interval
from bench.sim.answer.answer import Band
from bench.sim.answer.terms import emulated_sentences
from bench.sim.check.result import Check, Coverage, LevelView, Limits, MemoryScore, Skill, StatisticView, TargetCheck
from bench.sim.check.verdict import Verdict
from bench.util.errors import ExitCode
from bench.util.result_file import write_result_file

STORM_HEAD: Final = ("box", "storm", "of", "measured", "simulated [95 %]", "error", "bias", "ceiling", "skill", "held")
MEMORY_HEAD: Final = ("box", "boxes", "measured", "simulated [95 %]", "error", "band", "verdict")
NOTE: Final = (
    "error: median over storms of |simulated / measured − 1|, with its 95 % interval. bias: simulated over the median "
    "storm. ceiling: the error with which one half of the storms predicts the other. skill: over CPU only, by CRPS; "
    "0 is no better. held: storms in the 95 % band. Simulated values; fitted storms are not scored."
)
_TERMINAL_NOTE: Final = NOTE.replace("bias: simulated over the median storm. ", "").replace(
    "ceiling: the error with which one half of the storms predicts the other. ", ""
)
_NARROW: Final = tuple(at for at, name in enumerate(STORM_HEAD) if name not in ("box", "bias", "ceiling"))
"""The columns that fit a terminal of 80 columns."""
_BY_YOU: Final = "by you"
_HINT: Final = "choose another --out, and check the free space"
_STYLES: Final = {
    Verdict.EXPLAINED: "green",
    Verdict.BETTER: "green",
    Verdict.CPU: "green",
    Verdict.NO_BETTER: "bold red",
    Verdict.WORSE: "bold red",
    Verdict.CANNOT_TELL: "yellow",
}

Row = tuple[str, ...]


def headline(found: Check) -> str:
    """The verdicts in one sentence."""
    groups: dict[str, list[str]] = {}
    for target in found.targets:
        if target.verdict is not None:
            groups.setdefault(str(target.verdict), []).append(clean(target.label))
    missed = [clean(one.label) for one in found.targets if any(score.verdict == "missed" for score in one.memory)]
    parts = [f"{', '.join(labels)}: {verdict}" for verdict, labels in groups.items()]
    parts += [f"{', '.join(missed)}: memory missed"] if missed else []
    return "; ".join(parts) or _only_memory(found)


def _only_memory(found: Check) -> str:
    scores = [(target, score) for target in found.targets for score in target.memory]
    if not scores:
        return "nothing was scored"
    return "; ".join(f"{clean(target.label)}: memory {score.verdict}" for target, score in scores)


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
    over_cpu = next((one for one in score.skills if one.baseline == "CPU only"), None)
    widest = score.coverage[-1]
    return (
        clean(target.label),
        f"{level.boxes}" + (f" beside {level.residents}" if level.residents else ""),
        str(view.statistic),
        quantity(float("inf") if view.measured is None else view.measured, "ns"),
        _band(view.predicted, "ns"),
        _share(score.error, score.error_interval),
        MISSING if score.bias is None else f"{score.bias:+.0%}",
        MISSING if score.ceiling is None else f"{score.ceiling:.0%}",
        MISSING if over_cpu is None else f"{over_cpu.value:+.2f}",
        f"{widest.hits} of {widest.n}",
    )


def memory_rows(found: Check) -> tuple[Row, ...]:
    """One row per level of memory with the columns of MEMORY_HEAD."""
    return tuple(_memory_row(target, score) for target in found.targets for score in target.memory)


def _memory_row(target: TargetCheck, score: MemoryScore) -> Row:
    return (
        clean(target.label),
        str(score.boxes),
        quantity(score.measured, "bytes"),
        _band(score.predicted, "bytes"),
        f"{score.error:+.1%}",
        f"{score.width:.1%} wide",
        f"{score.verdict}: {score.why}",
    )


def target_sentences(target: TargetCheck) -> Iterator[str]:
    """The verdict on one target, its skills and its coverage."""
    if target.verdict is not None:
        ceiling = "" if target.ceiling is None else f" Noise ceiling {target.ceiling:.0%}."
        yield f"{clean(target.label)}: {target.verdict}. {_capital(target.why)}.{ceiling}"
    if target.skills:
        yield "skill over " + ", ".join(_skill(one) for one in target.skills)
    pooled = _pooled_coverage(target)
    if pooled:
        yield "storms held: " + ", ".join(f"{hits} of {n} by the {level:.0%} band" for level, hits, n in pooled)
    yield from map(clean, target.assumed)


def _skill(one: Skill) -> str:
    limits = "" if one.interval is None else f" [{one.interval.low:+.2f}, {one.interval.high:+.2f}]"
    return f"{one.baseline} {one.value:+.2f}{limits}"


def _pooled_coverage(target: TargetCheck) -> list[tuple[float, int, int]]:
    found: dict[float, list[Coverage]] = {}
    for level in target.levels:
        for view in level.statistics:
            for one in view.score.coverage if view.score is not None else ():
                found.setdefault(one.level, []).append(one)
    return [(level, sum(one.hits for one in ones), sum(one.n for one in ones)) for level, ones in found.items()]


def _band(band: Band, unit: str) -> str:
    return with_interval(band.middle, Interval(band.low95, band.high95, 0.95), unit)


def _share(value: float, limits: Limits | None) -> str:
    text = f"{value:.0%}"
    return text if limits is None else f"{text} [{significant(limits.low * 100)}, {significant(limits.high * 100)}]"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def view_check(found: Check) -> RenderableType:
    """The headline, and for each target its verdict and tables, for a terminal. Never prints."""
    style = "bold red" if found.exit_code is ExitCode.REGRESSION else "bold"
    lines: list[RenderableType] = [Text(headline(found), style=style), Text(_made(found), style="dim")]
    for target in found.targets:
        lines += ["", *_view_target(found, target)]
    lines += ["", *(Text(f"· {clean(note)}", style="dim") for note in (*_notes(found), _TERMINAL_NOTE))]
    return Group(*lines)


def _view_target(found: Check, target: TargetCheck) -> Iterator[RenderableType]:
    first, *rest = [*target_sentences(target), clean(target.label)]
    yield Text(first, style="bold" if target.verdict is None else _STYLES[target.verdict])
    storms = [row for row in storm_rows(found) if row[0] == clean(target.label)]
    if storms:
        yield _table([STORM_HEAD[at] for at in _NARROW], [tuple(row[at] for at in _NARROW) for row in storms])
    memory = [row for row in memory_rows(found) if row[0] == clean(target.label)]
    for row in memory:
        values = dict(zip(MEMORY_HEAD, row, strict=True))
        both = f"{values['simulated [95 %]']} simulated, {values['measured']} measured"
        yield Text(f"memory of {values['boxes']} boxes: {both}. {_capital(values['verdict'])}")
    for sentence in rest[:-1]:
        if _BY_YOU in sentence or not sentence.startswith(f"{clean(target.label)}: "):
            yield Text(sentence, style="dim")


def _notes(found: Check) -> tuple[str, ...]:
    """What was left out, and which CPUs were emulated."""
    return (*found.left_out, *emulated_sentences([target.label for target in found.targets]))


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
    with styled():
        return tuple(finish(drawing) for target in found.targets for drawing in draw(target))


def write_check(found: Check, directory: Path) -> Path:
    """Write ``check.html`` and its figures into a directory; returns the page. Raises ResultError."""
    drawn = figures(found)
    environment = page_environment()
    text = environment.get_template("simulation-check.html.j2").render(
        style=Markup(environment.get_template("report.css.j2").render(colours=PALETTE)),
        headline=headline(found),
        made=_made(found),
        alarm=found.exit_code is ExitCode.REGRESSION,
        targets=[(clean(target.label), tuple(target_sentences(target))) for target in found.targets],
        storms=(STORM_HEAD, storm_rows(found)),
        memory=(MEMORY_HEAD, memory_rows(found)),
        notes=(*map(clean, _notes(found)), NOTE),
        figures=[
            {"title": one.title, "svg": Markup(with_variables(one.light_svg)), "how": one.how, "table": one.table}
            for one in drawn
        ],
    )
    page = directory / "check.html"
    write_result_file(page, text, hint=_HINT)
    for figure in drawn:
        write_figure(directory, figure)
    return page
