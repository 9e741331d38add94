"""The export formats: a literal table with the source of each and the function that makes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Final, Literal

from bench.analysis.sources import marked, refuse_unmeasured
from bench.export.base import Export, ExportError, make_table
from bench.gate.model import RESULT, GateResult
from bench.gate.result import read_result
from bench.history.store import DirectoryStore, read_history
from bench.records.campaign import read_campaign
from bench.records.manifest import MANIFEST
from bench.util.errors import RecordError, UsageError
from bench.util.text import meant_or_listed

Source = Literal["campaign", "gate", "history"]


@dataclass(frozen=True)
class Format:
    """One export format.

    Attributes:
        source: the kind of directory that it is made from.
        maker: ``module:function`` as text, so that a format's library is imported only when it is used.
        summary: one line for the help text.
        censored: the format can mark a boot as failed; for formats made from campaigns.
    """

    source: Source
    maker: str
    summary: str
    censored: bool = False


FORMATS: Final[dict[str, Format]] = {
    "pyperf": Format("campaign", "bench.export.pyperf:export", "pyperf JSON, for `pyperf stats`, `compare_to`"),
    "hyperfine": Format("campaign", "bench.export.hyperfine:export", "hyperfine's --export-json"),
    "google-benchmark": Format("campaign", "bench.export.googlebench:export", "Google Benchmark JSON, for compare.py"),
    "go": Format("campaign", "bench.export.gotext:export", "Go benchmark text, for benchstat"),
    "github-action-benchmark": Format("campaign", "bench.export.actionbench:export", "two files, one per direction"),
    "bencher": Format("campaign", "bench.export.bmf:export", "Bencher Metric Format"),
    "csv": Format("campaign", "bench.export.tables:csv", "one row per boot and metric", censored=True),
    "parquet": Format("campaign", "bench.export.tables:parquet", "the same, typed", censored=True),
    "otava": Format("history", "bench.export.otava:export", "Apache Otava: CSV and its configuration"),
    "asv": Format("history", "bench.export.asv:export", "airspeed velocity's results directory, for `asv publish`"),
    "junit": Format("gate", "bench.export.junit:export", "JUnit XML"),
    "summary": Format("gate", "bench.export.jobsummary:export", "Markdown for a CI job's summary"),
    "annotations": Format("gate", "bench.export.annotations:export", "GitHub workflow commands"),
}

_NEEDS: Final = {
    "campaign": "a campaign directory, which `boxbench run` prints",
    "gate": f"a gate's directory, with a {RESULT} in it",
    "history": "a history directory, which `boxbench history add` makes",
}


def export_from(
    path: Path,
    name: str,
    *,
    metrics: Sequence[str] = (),
    boots: int | None = None,
    repository: Path | None = None,
    allow_simulated: bool = False,
) -> Export:
    """The files of one format.

    Args:
        path: a directory of the kind that the format needs.
        metrics, boots: see ``make_table``; for formats made from campaigns.
        repository: the git repository of a history's commits, for formats that read it.
        allow_simulated: also of a campaign for which no box ran; the names of its scenarios then say so.

    Raises:
        UsageError: an unknown format, or a directory of another kind.
        ExportError: nothing to export.
        NotComparableError: no box ran for the campaign, and that is not allowed.
    """
    chosen = FORMATS.get(name)
    if chosen is None:
        raise UsageError(
            f"there is no export format {name!r}",
            hint=meant_or_listed(name, FORMATS, f"there are {', '.join(FORMATS)}"),
        )
    found = kind_of(path)
    if found != chosen.source:
        others = ", ".join(n for n, f in FORMATS.items() if f.source == found)
        raise ExportError(
            f"the format {name} is made from {_NEEDS[chosen.source]}; {path} is {_describe(found)}",
            hint=f"formats for it: {others}" if others else "name the directory that the command printed",
        )
    module, _, function = chosen.maker.partition(":")
    make = getattr(import_module(module), function)
    if chosen.source == "gate":
        return _checked(make(read_gate(path)))
    if chosen.source == "history":
        return _checked(make(read_history(DirectoryStore(path)), repository))
    manifest, records = read_campaign(path)
    use = "and other programs cannot tell them from measured ones"
    refuse_unmeasured(manifest, records, use=use, allowed=allow_simulated, option="--allow-simulated")
    manifest, records = marked(manifest, records)
    return _checked(make(make_table(manifest, records, metrics=metrics, boots=boots, censored=chosen.censored)))


def kind_of(path: Path) -> Source | None:
    """The kind of a directory, by the files in it; None for none of the three."""
    if (path / RESULT).is_file():
        return "gate"
    if (path / MANIFEST).is_file():
        return "campaign"
    return "history" if any(path.glob("*.jsonl")) else None


def read_gate(path: Path) -> GateResult:
    """The result in a gate's directory. Raises ExportError."""
    try:
        return read_result(path)
    except RecordError as error:
        raise ExportError(error.message, hint=error.hint) from None


def _describe(kind: Source | None) -> str:
    return "neither a campaign nor a gate nor a history" if kind is None else f"a {kind}'s"


def _checked(export: Export) -> Export:
    # Names hold fingerprints from the manifest, which is untrusted.
    for name in export.files:
        if name.startswith("/") or ".." in name.split("/"):
            raise ExportError(f"the file name {name!r} leads out of the directory", hint="look at the manifest's host")
    return export
