"""Results for other programs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.common import app, shown
from bench.util.errors import UsageError

if TYPE_CHECKING:
    from bench.export.base import Export

Metrics = Annotated[
    list[str] | None,
    typer.Option("--metric", "-m", metavar="PATTERN", help="Metrics by name or pattern [headline, memory, CPU, disk]."),
]


def _list_formats(wanted: bool) -> None:
    if wanted:
        from bench.export.formats import FORMATS

        for name, known in FORMATS.items():
            print(f"{name:24} {known.summary} (from a {known.source})")
        raise typer.Exit()


@app.command()
def export(
    source: Annotated[Path, typer.Argument(metavar="CAMPAIGN", help="A campaign, a gate's directory or a history.")],
    format_name: Annotated[str, typer.Option("--format", "-f", metavar="NAME", help="One of --formats.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE|DIR", help="One file, or a directory for several.")
    ] = None,
    metric: Metrics = None,
    boots: Annotated[
        int | None, typer.Option("--boots", min=2, help="Only so many boots of each cell, to equal another campaign's.")
    ] = None,
    repository: Annotated[
        Path | None, typer.Option("--repository", metavar="DIR", help="Of a history's commits [here].")
    ] = None,
    formats: Annotated[
        bool, typer.Option("--formats", callback=_list_formats, is_eager=True, help="List the formats and exit.")
    ] = False,
) -> None:
    """Write results as other programs read them."""
    from bench.export.formats import export_from

    del formats
    made = export_from(source, format_name, metrics=metric or (), boots=boots, repository=repository)
    for note in made.notes:
        print(shown(f"note: {note}"), file=sys.stderr)
    _deliver(made, out)


def _deliver(made: Export, out: Path | None) -> None:
    """One file goes to stdout or to a file, several to a directory."""
    if out is None and len(made.files) == 1:
        sys.stdout.buffer.write(next(iter(made.files.values())))
        return
    if out is None:
        raise UsageError(f"this format has {len(made.files)} files", hint="name a directory with --out")
    try:
        for file in _written(made, out):
            print(file)
    except OSError as error:
        raise UsageError(f"{out} cannot be written: {error.strerror}", hint="choose another --out") from None


def _written(made: Export, out: Path) -> list[Path]:
    single = len(made.files) == 1 and not out.is_dir() and out.suffix != ""
    files = {out: next(iter(made.files.values()))} if single else {out / n: c for n, c in made.files.items()}
    for file, content in files.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return list(files)
