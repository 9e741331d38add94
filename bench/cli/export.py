"""``boxbench export``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.completing import complete_results, one_of
from bench.cli.messages import note
from bench.cli.options import AllowSimulated, given_path
from bench.cli.workflow import apart_in_file, under_runner
from bench.export.base import Export
from bench.export.formats import FORMATS, export_from
from bench.util.durable import write_durably
from bench.util.errors import UsageError
from bench.util.paths import descriptor_at, exists, is_directory, is_file


def _list_formats(wanted: bool) -> None:
    if wanted:
        for name, known in FORMATS.items():
            print(f"{name:24} {known.summary} (from a {known.source})")
        raise typer.Exit()


Source = Annotated[
    Path,
    typer.Argument(
        metavar="SOURCE",
        parser=given_path,
        help="Directory of a campaign, a gate or a history.",
        show_default=False,
        autocompletion=complete_results,
    ),
]
FormatName = Annotated[
    str,
    typer.Option(
        "--format",
        "-f",
        metavar="NAME",
        help="One of the formats that --formats lists.",
        show_default=False,
        autocompletion=one_of(FORMATS),
    ),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", "-o", metavar="FILE|DIR", help="A file, or a directory for several.", show_default="stdout"),
]
Metrics = Annotated[
    list[str] | None,
    typer.Option(
        "--metric",
        "-m",
        metavar="PATTERN",
        help="A metric, by name or pattern; repeat it for several.",
        show_default="headline, memory, CPU, disk",
    ),
]
Boots = Annotated[
    int | None,
    typer.Option("--boots", metavar="N", min=2, help="Only the first N boots of each cell.", show_default="all"),
]
Repository = Annotated[
    Path | None,
    typer.Option("--repository", metavar="DIR", help="Git repository of a history's commits.", show_default="here"),
]
Formats = Annotated[
    bool, typer.Option("--formats", callback=_list_formats, is_eager=True, help="List the formats and exit.")
]


def export(
    source: Source,
    format_name: FormatName,
    out: Out = None,
    metric: Metrics = None,
    boots: Boots = None,
    repository: Repository = None,
    allow_simulated: AllowSimulated = False,
    formats: Formats = False,
) -> None:
    """`boxbench export --formats` lists what can be written: CSV, Parquet, JUnit XML, traces and others."""
    del formats
    made = export_from(
        source,
        format_name,
        metrics=metric or (),
        boots=boots,
        repository=repository,
        allow_simulated=allow_simulated,
    )
    for text in made.notes:
        note(f"note: {text}")
    _deliver(made, format_name, out)


def _deliver(made: Export, format_name: str, out: Path | None) -> None:
    """Write one file to stdout or to a file, several to a directory."""
    if out is None and len(made.files) == 1:
        name, content = next(iter(made.files.items()))
        # The format of workflow commands is made for the runner, and encodes what boxes have said.
        safe = apart_in_file(name, content) if under_runner() and format_name != "annotations" else content
        sys.stdout.buffer.write(safe)
        return
    if out is None:
        raise UsageError(f"this format has {len(made.files)} files", hint="name a directory with --out")
    try:
        for file in _written(made, out):
            # The name of a device, or of what a shell has opened as /dev/stdout, would stand behind the content.
            if is_file(file) and descriptor_at(file) is None:
                print(file)
    except OSError as error:
        raise UsageError(f"{out} cannot be written: {error.strerror}", hint="choose another --out") from None


def _written(made: Export, out: Path) -> list[Path]:
    # What has a suffix is a file. So is what is there as one, such as /dev/stdout.
    single = len(made.files) == 1 and not is_directory(out) and (out.suffix != "" or exists(out))
    files = {out: next(iter(made.files.values()))} if single else {out / n: c for n, c in made.files.items()}
    for file, content in files.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        write_durably(file, content)
    return list(files)
