"""Result files of commands: whole or absent, and an expected error when they cannot be written."""

from __future__ import annotations

from pathlib import Path

from bench.util.durable import write_durably
from bench.util.errors import ResultError


def write_result_file(file: Path, content: bytes | str, *, hint: str) -> None:
    """Write a file, and the directories that it lies in, so that readers see all of it or none.

    Args:
        hint: the next step when it cannot be written.

    Raises:
        ResultError: the disk is full or fails, or the place is wrong. A former file is as before.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_durably(file, content)
    except OSError as error:
        raise ResultError(f"{file} cannot be written: {error.strerror}", hint=hint) from None
