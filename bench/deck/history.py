"""The slides of a history: what became worse, and at which commit."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bench import __version__
from bench.analysis.metrics import Metric
from bench.deck.drawn import drawn
from bench.deck.made import picture_slide, repeat_slide
from bench.deck.part import Part
from bench.deck.slides import Slide, Source
from bench.deck.text import fitted_rows, key_of, paragraphs, shortened
from bench.history.acknowledge import FILE, read_acknowledgements
from bench.history.detect import Change, Checked, check_lines
from bench.history.git import BranchStore
from bench.history.series import Series
from bench.history.store import DirectoryStore, read_history
from bench.render.commands.history import headline
from bench.render.figures.base import Figure
from bench.render.figures.history import draw, format_change
from bench.render.sections.headline import ACCEL_WARNING
from bench.render.text import clean, quantity
from bench.sim.answer.words import count_text

_MOST: Final = 6
"""Series with a slide, those that changed first."""
_MOST_BACKUP: Final = 12


@dataclass(frozen=True)
class HistoryBranch:
    """A history on a git branch."""

    name: str
    repository: Path = Path()

    @property
    def words(self) -> tuple[str, ...]:
        """The options that name it on a command line."""
        return ("--branch", self.name, *(("--repository", str(self.repository)) if self.repository != Path() else ()))


def checked_history(place: Path | HistoryBranch) -> Checked:
    """A history, with the changes that the file of accepted changes names.

    Raises HistoryError: there is none, a line is damaged, or the branch cannot be read.
    """
    store = BranchStore(place.repository, place.name) if isinstance(place, HistoryBranch) else DirectoryStore(place)
    return check_lines(
        read_history(store),
        acknowledgements=read_acknowledgements(Path(FILE)) if Path(FILE).exists() else (),
        today=datetime.now(UTC).date(),
    )


def check_command(place: Path | HistoryBranch) -> str:
    """The command that checks it again."""
    return shlex.join(["boxbench", "history", "check", *_place_words(place)])


def _place_words(place: Path | HistoryBranch) -> tuple[str, ...]:
    return place.words if isinstance(place, HistoryBranch) else ("--dir", str(place))


def history_part(place: Path | HistoryBranch) -> Part:
    """The part of a history. Raises as ``checked_history``."""
    checked = checked_history(place)
    commits = {commit.id: commit for series in checked.series for commit in series.commits}
    hosts = ", ".join(dict.fromkeys(clean(series.fingerprint) for series in checked.series))
    last = max(commits.values(), key=lambda commit: commit.committed_s, default=None)
    source = Source(command=check_command(place), host=hosts)
    ordered = sorted(checked.series, key=lambda series: not _of(checked, series))
    pictures = _pictures(checked, ordered[: _MOST + _MOST_BACKUP], source)
    slides = [_question(checked, len(commits), source), _verdict(checked, source)]
    slides += pictures[:_MOST]
    slides += [_limits(checked, source), repeat_slide(source, version=f"boxbench {__version__}", does="checks")]
    return Part(
        title="Did anything become worse?",
        subtitle=f"{count_text(len(commits), 'commit')}, {len(checked.series)} series, host {hosts}",
        date=clean(last.committed_at[:10]) if last else "",
        slides=(*slides, *pictures[_MOST:]),
    )


def _of(checked: Checked, series: Series) -> list[Change]:
    return [change for change in checked.changes if change.series is series]


def _question(checked: Checked, commits: int, source: Source) -> Slide:
    return Slide(
        key="question",
        sentence=f"Did anything become worse over {count_text(commits, 'commit')}?",
        lines=(
            f"{len(checked.series)} series: each is one metric of one box on one host.",
            f"A change is told from chance from {checked.needed} commits on.",
        ),
        notes=f"Changes were looked for with the detector {checked.detector}.",
        source=source,
    )


def _verdict(checked: Checked, source: Source) -> Slide:
    said = headline(checked)
    rows = tuple(
        (
            clean(change.series.cell),
            Metric(change.series.metric).label,
            change.commits,
            f"{_value(change, change.step.before)} → {_value(change, change.step.after)}",
            format_change(change),
            str(change.state),
        )
        for change in sorted(checked.changes, key=lambda one: one not in checked.open)
    )
    head = ("cell", "metric", "commits", "before → after", "change", "state")
    return Slide(
        key="verdict",
        sentence=shortened(f"{said[:1].upper()}{said[1:]}."),
        table=fitted_rows((head, *rows), 7) if rows else None,
        lines=() if rows else ("No series has a change that can be told from chance.",),
        caveat=_caveat(*(change.series for change in checked.changes)),
        notes=paragraphs(*(f"{row[0]}, {row[1]}: {row[3]} in {row[2]} ({row[5]})" for row in rows[:20])),
        source=source,
    )


def _caveat(*series: Series) -> str:
    """What has to stand beside numbers of these series: that a CPU was emulated, or that time was virtual."""
    accels = dict.fromkeys(one.accel for one in series)
    return " ".join(ACCEL_WARNING[accel] for accel in accels if accel in ACCEL_WARNING)


def _value(change: Change, value: float) -> str:
    return quantity(value, Metric(change.series.metric).unit)


def _pictures(checked: Checked, series: list[Series], source: Source) -> list[Slide]:
    """A slide for each series that has a figure; after the first ones they are backup."""
    found: list[tuple[Series, Figure]] = []
    for number, one in enumerate(series):
        changes = _of(checked, one)
        figures = drawn(lambda one=one, changes=changes, number=number: filter(None, [draw(one, changes, number)]))  # type: ignore[misc]
        found += [(one, figure) for figure in figures]
    return [
        picture_slide(
            figure,
            key_of("series", str(place)),
            source=source,
            sentence=_sentence(one, _of(checked, one)),
            caveat=_caveat(one),
            hidden=place > _MOST,
        )
        for place, (one, figure) in enumerate(found, start=1)
    ]


def _sentence(series: Series, changes: list[Change]) -> str:
    """What a series shows, of its latest change."""
    name = f"{clean(series.cell)}, {Metric(series.metric).label}"
    if not changes:
        return f"{name}: no change that can be told from chance over {count_text(len(series.values), 'commit')}."
    last = changes[-1]
    before, after = _value(last, last.step.before), _value(last, last.step.after)
    return f"{name}: from {before} to {after} in {last.commits} ({last.state})."


def _limits(checked: Checked, source: Source) -> Slide:
    verb = "is" if checked.too_short == 1 else "are"
    short = (
        f"{checked.too_short} of {len(checked.series)} series {verb} too short to show a change."
        if checked.too_short
        else f"Every series has the {checked.needed} commits that tell a change from chance."
    )
    left = f"{checked.left_out} series are left out: they have none of the latest commits." if checked.left_out else ""
    lines = tuple(filter(None, (short, left, "A change of the host looks like a change of the code.")))
    return Slide(key="limits", sentence="A history shows where numbers moved, not why.", lines=lines, source=source)
