"""A campaign on disk: manifest, append-only records, artefacts, a lock. Every other file there is derived."""

from __future__ import annotations

import fcntl
import os
import shlex
import stat
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import Final

from bench.plan.trials import Trial
from bench.records.manifest import MANIFEST, Manifest, SittingEntry, read_manifest
from bench.records.record import Record, parse_record
from bench.util.durable import (
    append_durably,
    create_durably,
    make_directories_durably,
    remove_temporaries,
    write_durably,
)
from bench.util.errors import BoxbenchWarning, CampaignError, RecordError
from bench.util.memory import collection_paused
from bench.util.nofollow import read_regular, regular_file
from bench.util.tree import remove_tree

RECORDS: Final = "records.jsonl"
ARTEFACTS: Final = "artefacts"
LOCK: Final = "lock"
_END_BYTES: Final = 16 * 2**10
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
        try:
            create_durably(path / MANIFEST, manifest.model_dump_json(indent=1) + "\n")
        except OSError as error:
            raise CampaignError(
                f"the manifest cannot be written to {path}: {error.strerror}",
                hint="make room, or choose another place with --out",
            ) from None
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

    @property
    def sitting(self) -> int:
        """The number of the sitting that is going on, from 0."""
        return max(0, len(self.manifest.sittings) - 1)

    def begin_sitting(self, sitting: SittingEntry, further: tuple[Trial, ...] = ()) -> None:
        """Write down that another sitting begins, and its further trials. Raises CampaignError: cannot be written."""
        manifest = self.manifest.with_sitting(sitting, further)
        try:
            write_durably(self.path / MANIFEST, manifest.model_dump_json(indent=1) + "\n")
        except OSError as error:
            raise CampaignError(
                f"the manifest in {self.path} cannot be written: {error.strerror}", hint=_REMEDY
            ) from None
        self.manifest = manifest

    def append(self, record: Record) -> None:
        """Add one record and push it to the disk before returning.

        Raises:
            CampaignError: the disk is full or gone; the line is removed again, and the trial counts as not run.
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
        CampaignError: the disk is full or gone; the line is removed again.
    """
    file = directory / RECORDS
    try:
        append_durably(file, record.line().encode())
    except OSError as error:
        raise CampaignError(
            f"the record of trial {record.trial.id} cannot be written to {file}: {error.strerror}", hint=remedy
        ) from None


def keep_output(directory: Path, trial: Trial, contents: Mapping[str, bytes], *, remedy: str) -> dict[str, str]:
    """Store raw output of a trial in a directory, by name. It replaces what an interrupted run of the trial stored.

    Args:
        remedy: as for ``append_record``.

    Returns:
        The paths, relative to the directory.

    Raises:
        CampaignError: the disk is full or gone.
    """
    folder = directory / ARTEFACTS / trial.id
    try:
        # The record that names a file is written afterwards, so it is never on the disk before the file.
        remove_tree(folder)
        if contents:
            make_directories_durably(folder)
        for name, content in contents.items():
            write_durably(folder / name, content)
    except OSError as error:
        raise CampaignError(
            f"the output of trial {trial.id} cannot be written to {folder}: {error.strerror}", hint=remedy
        ) from None
    return {name: str((folder / name).relative_to(directory)) for name in contents}


def last_output(directory: Path, trial: Trial, *, lines: int = 3) -> tuple[str, ...]:
    """The last lines that are not empty of what a trial's box wrote: of standard error, else of standard output.

    The text is the box's and may be hostile: it is decoded, not cleaned. Empty when nothing was kept.
    """
    for name in ("stderr", "stdout"):
        written = _end_of(directory / ARTEFACTS / trial.id / name).decode("utf-8", "replace")
        if found := [line for line in written.splitlines() if line.strip()]:
            return tuple(found[-lines:])
    return ()


def _end_of(file: Path) -> bytes:
    """The last bytes of a regular file; nothing when there is none, or it cannot be read."""
    try:
        # Output of boxes may be a FIFO or a link, too.
        with regular_file(file) as descriptor:
            size = os.fstat(descriptor).st_size
            return os.pread(descriptor, _END_BYTES, max(0, size - _END_BYTES))
    except OSError:
        return b""


def refuse_foreign(path: Path, files: Sequence[str] = (MANIFEST, RECORDS)) -> None:
    """Refuse to continue a campaign that another user can write, when we are root: its scenarios run as us.

    Args:
        files: names in the directory whose content says what runs.

    Raises:
        CampaignError: the directory or one of the files is a link or belongs to another user.
    """
    if os.geteuid() != 0:
        return
    with suppress(OSError):  # a directory that cannot be read or written is refused when the campaign is opened
        # Some file systems give all files to one user, whoever makes them.
        with TemporaryFile(dir=path) as probe:
            ours = os.fstat(probe.fileno()).st_uid
        for file in (path.resolve(), *(path / name for name in files)):
            if file.exists():
                _refuse_foreign_file(file, path, path / files[0], ours)


def _refuse_foreign_file(file: Path, campaign: Path, main: Path, ours: int) -> None:
    found = file.lstat()
    if stat.S_ISLNK(found.st_mode):
        raise CampaignError(
            f"{file} is a link, and root would run what a campaign's files say",
            hint="put the file itself in the link's place, if you trust it",
        )
    if found.st_uid != ours:
        raise CampaignError(
            f"{file} belongs to the user with uid {found.st_uid}, and root would run what a campaign's files say",
            hint=f"resume the campaign as that user; or read {main}, and if you trust it, run "
            f"`chown -R root {shlex.quote(str(campaign))}` and resume again",
        )


def check_directory(path: Path) -> None:
    """Refuse a campaign's directory that is taken. It need not exist, and is not made. Raises CampaignError."""
    try:
        if not path.exists():
            return
        # What a kill left of a manifest that was being written must not make the directory unusable.
        remove_temporaries(path / MANIFEST)
        occupied = any(path.iterdir())
    except OSError as error:
        raise _not_writable(path, error) from None
    if occupied:
        raise CampaignError(
            f"the output directory {path} exists and is not empty",
            hint="continue it with `boxbench resume`, or choose another with --out",
        )


def reserve_directory(path: Path) -> None:
    """Make the campaign's directory, early, so that a wrong directory costs no time.

    Raises:
        CampaignError: it exists and is not empty, or cannot be written.
    """
    check_directory(path)
    try:
        make_directories_durably(path)
        probe = path / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise _not_writable(path, error) from None


def _not_writable(path: Path, error: OSError) -> CampaignError:
    return CampaignError(
        f"the output directory {path} cannot be written: {error.strerror}",
        hint="choose another with --out",
    )


def read_campaign(path: Path) -> tuple[Manifest, tuple[Record, ...]]:
    """The manifest and the records of a campaign. A line that is no record is left out and is a note of the manifest.

    Raises:
        CampaignError, RecordError: as ``read_manifest`` and ``read_records``.
    """
    manifest = read_manifest(path)
    damaged: list[str] = []
    records = _all_records(path, damaged)
    return manifest.model_copy(update={"notes": (*manifest.notes, *damaged)}), records


def read_records(path: Path) -> tuple[Record, ...]:
    """All records of a campaign, in the order written; an incomplete last line is left out.

    Every line is read by itself: one that is no record is left out, with a ``BoxbenchWarning`` that names it.

    Raises:
        CampaignError: the file cannot be read.
        RecordError: a trial has two records.
    """
    return _all_records(path, [])


def each_record(path: Path, damaged: list[str]) -> Iterator[Record]:
    """The records of a campaign one after another, as ``read_records`` reads them.

    Args:
        damaged: gets a sentence for each line that is no record; each is also a warning.

    Raises:
        CampaignError, RecordError: as ``read_records``.
    """
    file = path / RECORDS
    found: dict[str, int] = {}
    for number, line in enumerate(_lines(file), start=1):
        try:
            record = parse_record(line, where=f"{file.name}:{number}")
        except RecordError as error:
            damaged.append(f"{error.message}; the line was left out, and its trial counts as not run.")
            again = f"`boxbench resume {shlex.quote(str(path))}` runs it again on the same host."
            warnings.warn(f"{path}: {damaged[-1]} {again}", BoxbenchWarning, stacklevel=2)
            continue
        first = found.setdefault(record.trial.id, number)
        if first != number:
            raise RecordError(
                f"{file}:{number}: trial {record.trial.id} has more than one record; the first is in line {first}",
                hint="the file was edited, or joined from two; restore it",
            )
        yield record


def _all_records(path: Path, damaged: list[str]) -> tuple[Record, ...]:
    with collection_paused():
        return tuple(each_record(path, damaged))


def _lines(file: Path) -> Iterator[bytes]:
    """The lines of a file without their ends; none when there is no such file. Raises CampaignError."""
    try:
        # A campaign may come from elsewhere: a FIFO would block us, and a link would show another file of this host.
        with regular_file(file) as descriptor, os.fdopen(descriptor, "rb", closefd=False) as stream:
            # Text after the last newline was being written when boxbench died.
            yield from (line[:-1] for line in stream if line.endswith(b"\n"))
    except FileNotFoundError:
        return
    except OSError as error:
        raise _unreadable(file, error) from None


def _read(file: Path) -> bytes:
    """The content of a file; nothing when there is no such file. Raises CampaignError."""
    try:
        return read_regular(file)
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise _unreadable(file, error) from None


def _unreadable(file: Path, error: OSError) -> CampaignError:
    return CampaignError(f"{file} cannot be read: {error.strerror}", hint="restore the file, or run the campaign again")


def _lock(path: Path) -> int:
    try:
        fd = os.open(path / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
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
