"""A campaign on disk: manifest, append-only records, artefacts, a lock. Every other file there is derived."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.plan.trials import Trial
from bench.records.manifest import MANIFEST, Manifest, read_manifest
from bench.records.record import Record, parse_record
from bench.util.errors import CampaignError

RECORDS: Final = "records.jsonl"
ARTEFACTS: Final = "artefacts"
LOCK: Final = "lock"
_REMEDY: Final = "make room, then continue with `boxbench resume`"


class Campaign:
    """An open campaign directory, locked against a second writer."""

    def __init__(self, path: Path, manifest: Manifest, lock_fd: int) -> None:
        self.path = path
        self.manifest = manifest
        self._lock_fd = lock_fd

    @classmethod
    @contextmanager
    def create(cls, path: Path, manifest: Manifest) -> Iterator[Campaign]:
        """Make a new directory with its manifest and open it. Raises CampaignError: taken, or cannot be written."""
        reserve_directory(path)
        _write_once(path / MANIFEST, manifest.model_dump_json(indent=1) + "\n")
        with cls.open(path) as campaign:
            yield campaign

    @classmethod
    @contextmanager
    def open(cls, path: Path) -> Iterator[Campaign]:
        """Open an existing campaign for appending; a line that a crash left incomplete is cut off first."""
        manifest = read_manifest(path)
        lock_fd = _lock(path)
        try:
            _cut_torn_line(path / RECORDS)
            yield cls(path, manifest, lock_fd)
        finally:
            os.close(lock_fd)

    def append(self, record: Record) -> None:
        """Add one record and push it to the disk before returning.

        Raises:
            CampaignError: the disk is full or gone; an incomplete line is removed again.
        """
        append_record(self.path, record, remedy=_REMEDY)

    def remaining(self) -> tuple[Trial, ...]:
        """The plan without the trials that have a record, in order."""
        done = {record.trial.id for record in read_records(self.path)}
        return tuple(trial for trial in self.manifest.plan if trial.id not in done)

    def keep_output(self, trial: Trial, contents: Mapping[str, bytes]) -> dict[str, str]:
        """Store raw output of a trial, by name; returns paths relative to the campaign. Raises CampaignError."""
        return keep_output(self.path, trial, contents, remedy=_REMEDY)


def append_record(directory: Path, record: Record, *, remedy: str) -> None:
    """Append one record to the records of a directory and push it to the disk before returning.

    Args:
        remedy: the hint of the error: how to go on when the disk is full.

    Raises:
        CampaignError: the disk is full or gone; an incomplete line is removed again.
    """
    file = directory / RECORDS
    try:
        with file.open("ab", buffering=0) as stream:
            line = record.line().encode()
            written = stream.write(line)
            if written != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(stream.fileno())
    except OSError as error:
        # The next record must not continue an incomplete line.
        with contextlib.suppress(OSError):
            _cut_torn_line(file)
        raise CampaignError(
            f"the record of trial {record.trial.id} cannot be written to {file}: {error.strerror}", hint=remedy
        ) from None


def keep_output(directory: Path, trial: Trial, contents: Mapping[str, bytes], *, remedy: str) -> dict[str, str]:
    """Store raw output of a trial in a directory, by name; existing files are replaced.

    Args:
        remedy: as for ``append_record``.

    Returns:
        The paths, relative to the directory.

    Raises:
        CampaignError: the disk is full or gone.
    """
    folder = directory / ARTEFACTS / trial.id
    try:
        for name, content in contents.items():
            folder.mkdir(parents=True, exist_ok=True)
            with (folder / name).open("wb") as stream:
                stream.write(content)
                stream.flush()
                # The record that names the file must not be on the disk before it.
                os.fsync(stream.fileno())
    except OSError as error:
        raise CampaignError(
            f"the output of trial {trial.id} cannot be written to {folder}: {error.strerror}", hint=remedy
        ) from None
    return {name: str((folder / name).relative_to(directory)) for name in contents}


def reserve_directory(path: Path) -> None:
    """Make the campaign's directory, early, so that a wrong directory costs no time.

    Raises:
        CampaignError: it exists and is not empty, or cannot be written.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        occupied = any(path.iterdir())
        probe = path / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise CampaignError(
            f"the output directory {path} cannot be written: {error.strerror}",
            hint="choose another with --out",
        ) from None
    if occupied:
        raise CampaignError(
            f"the output directory {path} exists and is not empty",
            hint="continue it with `boxbench resume`, or choose another with --out",
        )


def read_records(path: Path) -> tuple[Record, ...]:
    """All records of a campaign, in the order written; an incomplete last line is left out.

    Raises:
        CampaignError: the file cannot be read.
        RecordError: a line in the middle is not a record.
    """
    file = path / RECORDS
    lines = _read(file).decode("utf-8", errors="replace").split("\n")
    # Text after the last newline was being written when boxbench died.
    return tuple(parse_record(line, where=f"{file}:{number}") for number, line in enumerate(lines[:-1], start=1))


def _read(file: Path) -> bytes:
    """The content of a file; nothing when there is no such file. Raises CampaignError."""
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise CampaignError(
            f"{file} cannot be read: {error.strerror}", hint="restore the file, or run the campaign again"
        ) from None


def _write_once(file: Path, text: str) -> None:
    with file.open("x", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())


def _lock(path: Path) -> int:
    try:
        fd = os.open(path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise CampaignError(f"{path} cannot be written: {error.strerror}", hint="check its owner and mode") from None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise CampaignError(
            f"the campaign {path} is being written by another boxbench", hint="wait for it to end"
        ) from None
    return fd


def _cut_torn_line(file: Path) -> None:
    content = _read(file)
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        with file.open("r+b") as stream:
            stream.truncate(whole)
