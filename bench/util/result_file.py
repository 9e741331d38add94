"""Result files of commands: whole or absent, and an expected error when they cannot be written."""

from __future__ import annotations

import os
from pathlib import Path

from bench.util.durable import write_durably
from bench.util.errors import ResultError, UsageError
from bench.util.paths import descriptor_at, exists, is_directory, is_file


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


def check_result_place(file: Path, *, hint: str) -> None:
    """Refuse a place where ``write_result_file`` cannot write, before the work that makes the content.

    Args:
        hint: the next step.

    Raises:
        UsageError: a directory, or in none that can be written or made.
    """
    if is_directory(file):
        raise UsageError(f"{file} is a directory", hint=f"{hint}; or name a file in it")
    if descriptor_at(file) is not None or (exists(file) and not is_file(file)):
        return  # such as /dev/stdout, which is written directly
    # A directory that is missing is made in the first one above it that is there.
    above = next((place for place in file.absolute().parents if exists(place)), Path("/"))
    if not is_directory(above):
        raise UsageError(f"{file} cannot be written: {above} is not a directory", hint=hint)
    if not os.access(above, os.W_OK | os.X_OK):
        raise UsageError(f"{file} cannot be written: {above} cannot be written", hint=hint)
