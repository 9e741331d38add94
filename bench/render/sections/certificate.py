"""The certificate (proof that the boxes run the same) as a sentence and tables, and for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table as RichTable
from rich.text import Text

from bench.certificate.facts import FACT, proves
from bench.certificate.judge import difference, rejudged
from bench.plan.trials import FIRST_START
from bench.records.certificate import Certificate, Finding, Status
from bench.records.manifest import Manifest
from bench.render.fitted import column_parts
from bench.render.sections.table import ReportTable
from bench.render.text import MISSING, clean

NONE: Final = "No certificate: nothing on record proves that the boxes ran the same."
SAME: Final = "="
NOT_EQUAL: Final = "NOT EQUAL"
_STATUS: Final[Mapping[Status, str]] = {
    "equal": "equal",
    "unequal": NOT_EQUAL,
    "declared": "differs, declared",
    "unknown": "unknown",
    "same": "same",
    "differs": "differs",
}
_STYLES: Final[Mapping[Status, str]] = {
    "equal": "green",
    "unequal": "bold red",
    "declared": "yellow",
    "unknown": "yellow",
}
_LONGEST: Final = 60


@dataclass(frozen=True)
class CertificateView:
    """The certificate of one scenario as clean text.

    Attributes:
        ok: False when a fact that must be equal differs or is unknown, and when there is no certificate.
        sentence: the whole certificate in a line.
        tables: facts that must be equal, facts that are only reported, and reasons for differences.
    """

    scenario: str
    ok: bool
    sentence: str
    tables: tuple[ReportTable, ...]


def certificate_views(manifest: Manifest) -> tuple[CertificateView, ...]:
    """One for each scenario of a campaign, with or without a certificate."""
    return tuple(
        CertificateView(clean(name), False, NONE, ())
        if (found := manifest.certificates.get(name)) is None
        else certificate_view(rejudged(found))
        for name in manifest.scenarios
    )


def certificate_view(certificate: Certificate) -> CertificateView:
    """The view of one certificate."""
    must = [finding for finding in certificate.findings if finding.must]
    reported = [finding for finding in certificate.findings if not finding.must]
    boxes = [_box(name) for name in certificate.boxes]
    tables = (
        ReportTable(
            "must be equal", ("fact", "asked for", *boxes, "result"), _rows(must, certificate), (0, len(boxes) + 2)
        ),
        ReportTable("reported", ("fact", *boxes, "result"), _rows(reported, certificate), (0, len(boxes) + 1)),
        ReportTable("why", ("fact", "why it differs"), _reasons(certificate)),
    )
    ok = bool(boxes) and all(finding.status in ("equal", "declared") for finding in must)
    return CertificateView(clean(certificate.scenario), ok, sentence(certificate), tables if boxes else ())


def sentence(certificate: Certificate) -> str:
    """The whole certificate in a line."""
    if not certificate.boxes:
        return "No certificate: none of the boxes has an agent."
    must = [finding for finding in certificate.findings if finding.must]
    by: dict[Status, list[Finding]] = {}
    for finding in must:
        by.setdefault(finding.status, []).append(finding)
    digest = certificate.finding("digest")
    tree = f" (tree digest {digest.asked[:12]})" if digest and digest.asked and digest.status == "equal" else ""
    names = _listed([_box(name) for name in certificate.boxes])
    parts = [f"Seen from inside, {names} {'agree' if len(certificate.boxes) > 1 else 'is as asked for'}"]
    parts[0] += f" in {len(by.get('equal', []))} of {len(must)} facts that must be equal{tree}"
    parts += [f"NOT EQUAL: {_listed(_titles(by['unequal']))}"] if "unequal" in by else []
    parts += [f"declared different: {', '.join(_declared(f) for f in by['declared'])}"] if "declared" in by else []
    parts += [f"unknown: {', '.join(_unknown(f) for f in by['unknown'])}"] if "unknown" in by else []
    parts += [f"{_box(name)}: {clean(why)}" for name, why in certificate.silent.items()]
    return "; ".join(parts) + "."


def certificates_report(certificates: Sequence[Certificate]) -> RenderableType:
    """Certificates for a terminal: the sentence of each, then its tables. Never prints."""
    parts: list[RenderableType] = []
    for certificate in certificates:
        view = certificate_view(certificate)
        parts += [Text(view.scenario, style="bold"), certificate_line(view)]
        for table in view.tables:
            parts += [Text(""), _Parts(table)]
        parts.append(Text(""))
    return Group(*parts)


def certificate_line(view: CertificateView) -> Text:
    """The sentence behind a check mark or a warning sign."""
    return Text(f"{'✓' if view.ok else '⚠'} {view.sentence}", style="green" if view.ok else "yellow")


def _rows(findings: Sequence[Finding], certificate: Certificate) -> tuple[tuple[str, ...], ...]:
    return tuple(_row(finding, certificate) for finding in findings)


def _row(finding: Finding, certificate: Certificate) -> tuple[str, ...]:
    show = FACT[finding.fact].show
    asked = None if finding.asked is None else clean(show(finding.asked), limit=_LONGEST)
    cells = [_cell(finding, finding.seen.get(name), asked) for name in certificate.boxes]
    start = (FACT[finding.fact].title,) if asked is None else (FACT[finding.fact].title, asked)
    return (*start, *cells, _STATUS[finding.status])


def _cell(finding: Finding, seen: str | None, asked: str | None) -> str:
    if seen is None:
        return MISSING
    if finding.status == "unequal" and finding.asked is not None and seen != finding.asked:
        return clean(difference(finding.fact, finding.asked, seen)[1], limit=_LONGEST)
    shown = clean(FACT[finding.fact].show(seen), limit=_LONGEST)
    return SAME if shown == asked else shown


def _reasons(certificate: Certificate) -> tuple[tuple[str, ...], ...]:
    rows = []
    for finding in certificate.findings:
        boxes: dict[str, list[str]] = {}
        for name, why in finding.why.items():
            boxes.setdefault(why, []).append(_box(name))
        reasons = [f"{', '.join(names)}: {clean(why)}" for why, names in boxes.items()]
        reasons += [f"declared: {clean(finding.declared)}"] if finding.status == "declared" and finding.declared else []
        if reasons:
            rows.append((FACT[finding.fact].title, "; ".join(reasons)))
    return tuple(rows)


def _titles(findings: Sequence[Finding]) -> list[str]:
    return [FACT[finding.fact].title for finding in findings]


def _declared(finding: Finding) -> str:
    title = FACT[finding.fact].title
    return f"{title} ({clean(finding.declared)})" if finding.declared else title


def _unknown(finding: Finding) -> str:
    asked = finding.asked or ""
    silent = [box for box, value in finding.seen.items() if value is None or not proves(finding.fact, asked, value)]
    return f"{FACT[finding.fact].title} in {_listed([_box(name) for name in silent])}"


def _box(name: str) -> str:
    """``docker (first start)`` for ``docker, first start``, which a list of boxes would tear apart."""
    shown = clean(name)
    first = f", {FIRST_START}"
    return f"{shown.removesuffix(first)} ({FIRST_START})" if shown.endswith(first) else shown


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


class _Parts:
    """A table in as many parts as the width needs, each with the facts and their results."""

    def __init__(self, table: ReportTable) -> None:
        self._table = table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        table = self._table
        for columns in column_parts(table.head, table.rows, options.max_width, keys=table.keys):
            yield _rich(table, sorted(columns))


def _rich(table: ReportTable, columns: Sequence[int]) -> RichTable:
    made = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        made.add_column(Text(table.head[column]), overflow="fold")
    styles = {_STATUS[status]: style for status, style in _STYLES.items()}
    for row in table.rows:
        made.add_row(*(Text(row[column], style=styles.get(row[column], "")) for column in columns))
    return made
