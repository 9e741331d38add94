"""A report as GitHub-flavoured Markdown. Text from guests and users is escaped."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from bench.render.content import BoxRow, Section, View
from bench.render.sections.certificate import CertificateView
from bench.render.sections.glossary import WORDS
from bench.render.sections.preparation import PREPARATION_NOTE
from bench.render.sections.problems import ProblemGroup, TrialProblem, doubts_note
from bench.render.sections.published import PUBLISHED_NOTE
from bench.render.sections.table import ReportTable

# Characters with a meaning in Markdown, and those that GitHub turns into links, mentions and HTML.
_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]<>#!|~&@$]|^[-+](?=\s)|(?<=^\d)[.)])")

Picture = tuple[str, str, str]
"""Scenario, alt text and path relative to the report."""


def escape(text: str) -> str:
    """Text that Markdown shows unchanged, also in a table cell."""
    escaped = _SPECIAL.sub(r"\\\1", text)
    # Bare addresses would become links, and a guest must not add links to a report.
    return re.sub(r"(?i)(https?|ftp|www)([:.])", r"\1&#8203;\2", escaped)


def report(view: View, pictures: Sequence[Picture] = ()) -> str:
    """The whole report, with ``pictures`` below the table of their scenario."""
    parts = [f"# Boxbench: {escape(view.title)}", f"{escape(view.created_at)} · {escape(view.extent)}"]
    parts += [f"> **{escape(view.origin)}**"] if view.origin else []
    parts += [_answer(section) for section in view.sections]
    for section in view.sections:
        parts += _section(section, [picture for picture in pictures if picture[0] == section.name], view.made)
    parts.append("\n".join(f"- {escape(note)}" for note in view.footnotes))
    parts += _listed("Left out, and notes on the host", view.left_out)
    parts += _failures(view.failures)
    parts += _listed("Doubts", view.doubt_kinds) + _doubts(view.doubts, doubts_note(view.disturbed))
    parts += _certificates(view.certificates)
    parts.append("## What ran")
    parts += [table(view.images.head, view.images.rows, numbers=True)] if view.images else []
    parts += [table(view.origins.head, view.origins.rows)] if view.origins else []
    for box, facts in view.targets:
        parts += [f"### {escape(box)}", table(("", ""), facts)]
    parts += _inside(view.inside)
    parts += ["## Host", table(("fact", "value"), view.host)]
    parts += ["## Words", "\n".join(f"- **{word}**: {escape(meaning)}" for word, meaning in WORDS)]
    parts += ["## Redo", escape(view.redo_note), fence("\n".join(view.redo))]
    return "\n\n".join(part for part in parts if part) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: bool = False) -> str:
    """A Markdown table; with ``numbers`` every column but the first is aligned to the right."""
    align = [":--", *(["--:"] if numbers else [":--"]) * (len(head) - 1)]
    lines = [[escape(cell) for cell in head], align, *([escape(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def fence(text: str) -> str:
    """A code block with a fence that its content cannot close."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    ticks = "`" * max(3, longest + 1)
    return f"{ticks}\n{text}\n{ticks}"


def _answer(section: Section) -> str:
    """The answer in bold; what an emulated CPU showed follows in plain type."""
    answer = section.answer
    warning = f"⚠ {escape(answer.warning)}" if answer.warning else ""
    return "  \n".join(filter(None, [f"**{escape(answer.text)}**", escape(answer.shape), warning]))


def _section(section: Section, pictures: Sequence[Picture], source: str) -> list[str]:
    made = f" ({source})" if source else ""
    columns = [("box", _label), *section.times, *section.costs]
    head = [name for name, _ in columns]
    rows = [[read(row) for _, read in columns] for row in section.rows]
    parts = [f"## {escape(section.name)}{made}", escape(section.question), table(head, rows, numbers=True)]
    parts.append(escape(section.columns))
    parts.append("\n".join(f"- {escape(note)}" for note in section.notes))
    several = (*section.first_starts, *section.storms, *section.residents, *section.exercises)
    for found in (*several, section.endpoints):
        parts += [table(found.head, found.rows, numbers=True)] if found else []
    parts += [escape(section.polled)] if section.polled else []
    for found in (section.daemons, section.cpu, section.disk):
        parts += [table(found.head, found.rows, numbers=True)] if found else []
    for said, note in ((section.preparation, PREPARATION_NOTE), (section.published, PUBLISHED_NOTE)):
        parts += [f"**{escape(said.title)}**", escape(note), table(said.head, said.rows)] if said else []
    # Alt texts hold labels of users; file names are made by us.
    return parts + [f"![{escape(alt)}]({path})" for _, alt, path in pictures]


def _label(row: BoxRow) -> str:
    return row.label


def _listed(title: str, lines: Sequence[str]) -> list[str]:
    return [f"## {title}", "\n".join(f"- {escape(line)}" for line in lines)] if lines else []


def _failures(groups: Sequence[ProblemGroup]) -> list[str]:
    parts = ["## Failures"] if groups else []
    for group in groups:
        parts.append(f"- **{escape(group.title)}**, blocks {escape(group.blocks)}: {escape(group.text)}")
        parts += ["The box's last words:", fence("\n".join(group.said))] if group.said else []
    return parts


def _doubts(problems: Sequence[TrialProblem], note: str) -> list[str]:
    if not problems:
        return []
    head = ("trial", "cell", "block", "what")
    rows = [(p.trial, p.cell, p.shown_block, p.text) for p in problems]
    return ["## Doubts by trial", note, table(head, rows)]


def _certificates(views: Sequence[CertificateView]) -> list[str]:
    parts = ["## Do the boxes run the same?"]
    for view in views:
        parts += [f"### {escape(view.scenario)}", f"{'✓' if view.ok else '⚠'} {escape(view.sentence)}"]
        parts += [table(found.head, found.rows) for found in view.tables if found.rows]
    return parts


def _inside(tables: Sequence[ReportTable]) -> list[str]:
    parts = ["## Also seen inside each box"] if tables else []
    for found in tables:
        parts += [f"### {escape(found.title)}", table(found.head, found.rows)]
    return parts
