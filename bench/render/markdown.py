"""A campaign as GitHub-flavoured Markdown; everything that a guest or a user wrote is escaped."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from bench.render.sections.certificate import CertificateView
from bench.render.sections.facts import Table
from bench.render.sections.problems import Trouble
from bench.render.view import Row, Section, View

# What Markdown reads as structure, and what GitHub turns into links, mentions and HTML.
_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]<>#!|~&@$]|^[-+](?=\s)|(?<=^\d)[.)])")

Picture = tuple[str, str, str]
"""Scenario, alt text and path relative to the report."""


def escape(text: str) -> str:
    """Text that Markdown shows as it is, inside a table cell too."""
    escaped = _SPECIAL.sub(r"\\\1", text)
    # Bare addresses would become links: a report must not link to where a guest wants it to.
    return re.sub(r"(?i)(https?|ftp|www)([:.])", r"\1&#8203;\2", escaped)


def report(view: View, pictures: Sequence[Picture] = ()) -> str:
    """The whole report; ``pictures`` are linked below the table of their scenario."""
    parts = [f"# Boxbench: {escape(view.title)}", f"{escape(view.created_at)}"]
    parts += [_lead(section) for section in view.sections]
    for section in view.sections:
        parts += _section(section, [picture for picture in pictures if picture[0] == section.name])
    parts.append("\n".join(f"- {escape(note)}" for note in view.footnotes))
    parts += _listed("Left out, and notes on the host", view.left_out)
    parts += _troubles("Failures", view.failures)
    parts += _listed("Doubts", view.doubt_kinds) + _troubles("Doubts by trial", view.doubts)
    parts += _certificates(view.certificates)
    parts.append("## What ran")
    parts += [table(view.images.head, view.images.rows, numbers=True)] if view.images else []
    for box, facts in view.targets:
        parts += [f"### {escape(box)}", table(("", ""), facts)]
    parts += _inside(view.inside)
    parts += ["## Host", table(("fact", "value"), view.host)]
    parts += ["## Redo", fence("\n".join(view.redo))]
    return "\n\n".join(part for part in parts if part) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: bool = False) -> str:
    """A Markdown table; with ``numbers`` every column but the first is aligned to the right."""
    align = [":--", *(["--:"] if numbers else [":--"]) * (len(head) - 1)]
    lines = [[escape(cell) for cell in head], align, *([escape(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def fence(text: str) -> str:
    """A code block that its own content cannot close."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    ticks = "`" * max(3, longest + 1)
    return f"{ticks}\n{text}\n{ticks}"


def _lead(section: Section) -> str:
    warning = f"  \n⚠ {escape(section.lead.warning)}" if section.lead.warning else ""
    return f"**{escape(section.lead.text)}**{warning}"


def _section(section: Section, pictures: Sequence[Picture]) -> list[str]:
    columns: list[tuple[str, Callable[[Row], str]]] = [
        ("box", lambda row: row.label),
        ("boots", lambda row: row.boots),
        (f"{section.headline} [95 %]", lambda row: row.headline),
        *([("p95", _p95)] if section.has_p95 else []),
        (f"× {section.base} [95 %]", lambda row: row.ratio),
        ("memory, PSS", lambda row: row.memory),
        ("CPU per start", lambda row: row.cpu),
        ("own disk", lambda row: row.disk),
        ("doubts", lambda row: str(row.doubts or "")),
    ]
    head = [name for name, _ in columns]
    rows = [[read(row) for _, read in columns] for row in section.rows]
    parts = [f"## {escape(section.name)}", escape(section.question), table(head, rows, numbers=True)]
    parts.append("\n".join(f"- {escape(note)}" for note in section.notes))
    several = (*section.storms, *section.residents, *section.exercises)
    for found in (*several, section.endpoints, section.daemons, section.cpu, section.disk):
        parts += [table(found.head, found.rows, numbers=True)] if found else []
    # The file names are ours; the alt text holds labels.
    return parts + [f"![{escape(alt)}]({path})" for _, alt, path in pictures]


def _p95(row: Row) -> str:
    return row.p95


def _listed(title: str, lines: Sequence[str]) -> list[str]:
    return [f"## {title}", "\n".join(f"- {escape(line)}" for line in lines)] if lines else []


def _troubles(title: str, troubles: Sequence[Trouble]) -> list[str]:
    if not troubles:
        return []
    head = ("trial", "cell", "block", "what")
    rows = [(t.trial, t.cell, f"{t.block}{' (warm-up)' if t.warmup else ''}", t.text) for t in troubles]
    return [f"## {title}", table(head, rows)]


def _certificates(views: Sequence[CertificateView]) -> list[str]:
    parts = ["## Do the boxes run the same?"]
    for view in views:
        parts += [f"### {escape(view.scenario)}", f"{'✓' if view.ok else '⚠'} {escape(view.sentence)}"]
        parts += [table(found.head, found.rows) for found in view.tables if found.rows]
    return parts


def _inside(tables: Sequence[Table]) -> list[str]:
    parts = ["## Seen inside each box"] if tables else []
    for found in tables:
        parts += [f"### {escape(found.title)}", table(found.head, found.rows)]
    return parts
