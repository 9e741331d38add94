"""The Markdown summary of a gate, appended to a file: for a CI job's page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bench.util.errors import UsageError

if TYPE_CHECKING:
    from bench.gate.model import GateResult


def check_summary(file: Path | None) -> None:
    """Raise UsageError when a summary cannot be appended: told now, and not after an hour of boots."""
    if file is None or (file.exists() and not file.is_file() and not file.is_dir()):
        # A pipe or a terminal is not tried: opening one may wait for its reader.
        return
    new = not file.exists()
    try:
        with file.open("a", encoding="utf-8"):
            pass
        if new:
            file.unlink()
    except OSError as error:
        raise _unwritable(file, error) from None


def append_summary(result: GateResult, file: Path) -> None:
    """Add the summary to a file. Raises UsageError: it cannot be written."""
    from bench.export.jobsummary import bounded, summary

    try:
        with file.open("a", encoding="utf-8") as stream:
            stream.write(bounded(summary(result)))
    except OSError as error:
        raise _unwritable(file, error) from None


def _unwritable(file: Path, error: OSError) -> UsageError:
    return UsageError(
        f"--summary {file} cannot be written: {error.strerror}", hint="name a file in a directory that exists"
    )
