"""A campaign on disk: manifest, append-only records, artefacts, a lock. Everything else there is derived."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from bench.plan.trials import Trial
from bench.records.certificate import Certificate
from bench.records.record import Record, parse_record
from bench.scenario.model import Scenario
from bench.scenario.validation import first_problem
from bench.util.errors import CampaignError

MANIFEST: Final = "manifest.json"
RECORDS: Final = "records.jsonl"
ARTEFACTS: Final = "artefacts"
LOCK: Final = "lock"
_REMEDY: Final = "make room, then continue with `boxbench resume`"


class ScenarioEntry(BaseModel):
    """A scenario as the campaign runs it."""

    model_config = ConfigDict(frozen=True)

    scenario: Scenario
    directory: str
    """Of the scenario file, relative to the campaign: the two may move together."""
    text: str


class LayerEntry(BaseModel):
    """One layer of an image, bytes."""

    model_config = ConfigDict(frozen=True)

    unpacked: int
    """As the tar that it is."""
    compressed: int
    """As gzip, the form in which registries keep it."""


class ImageEntry(BaseModel):
    """The image a scenario was built to."""

    model_config = ConfigDict(frozen=True)

    id: str
    """The engine's content address of the image."""
    digest: str
    """Tree digest: SHA-256 over paths, types, modes, owners and contents."""
    sizes_bytes: dict[str, int]
    """``unpacked``, ``layers``, ``compressed``, ``disk_logical``, ``disk_allocated``: absent where not made."""
    layers: dict[str, LayerEntry] = {}
    """By content address, so that what images share can be told; empty in campaigns from before it was looked at."""


class Manifest(BaseModel):
    """Everything needed to redo the campaign, written once before the first trial."""

    model_config = ConfigDict(frozen=True)

    schema_number: Literal[2] = 2
    id: str
    created_at: str
    boxbench: str
    """Version."""
    command: tuple[str, ...]
    """The command line that started it."""
    seed: int
    scenarios: dict[str, ScenarioEntry]
    images: dict[str, ImageEntry]
    targets: dict[str, dict[str, str]]
    """By cell box (``docker``, ``libvirt/tcg``): versions, machine type, disk format, cache mode."""
    certificates: dict[str, Certificate] = {}
    """By scenario. In the manifest, not a file of its own: it is written once, before the first trial, and whoever
    judges the records needs it beside them. Empty in campaigns from before there were certificates."""
    plan: tuple[Trial, ...]
    host: dict[str, Any]
    """Host facts, and ``fingerprint``."""
    notes: tuple[str, ...] = ()
    """Sentences for every report: targets left out and why, doubts about the host."""


def new_campaign_id() -> str:
    """Short, random, safe in names of containers, domains, mounts and sockets."""
    return secrets.token_hex(4)


class Campaign:
    """An open campaign directory, locked against a second writer."""

    def __init__(self, path: Path, manifest: Manifest, lock_fd: int) -> None:
        self.path = path
        self.manifest = manifest
        self._lock_fd = lock_fd

    @classmethod
    @contextmanager
    def create(cls, path: Path, manifest: Manifest) -> Iterator[Campaign]:
        """A new directory with its manifest. Raises CampaignError when it exists or cannot be written."""
        reserve_directory(path)
        _write_once(path / MANIFEST, manifest.model_dump_json(indent=1) + "\n")
        with cls.open(path) as campaign:
            yield campaign

    @classmethod
    @contextmanager
    def open(cls, path: Path) -> Iterator[Campaign]:
        """An existing campaign for appending; a line torn by a crash is cut off first."""
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
            CampaignError: the disk is full or gone; what was written of the line is taken back.
        """
        append_record(self.path, record, remedy=_REMEDY)

    def remaining(self) -> tuple[Trial, ...]:
        """The plan without the trials that have a record, in order."""
        done = {record.trial.id for record in read_records(self.path)}
        return tuple(trial for trial in self.manifest.plan if trial.id not in done)

    def keep_output(self, trial: Trial, contents: Mapping[str, bytes]) -> dict[str, str]:
        """Store raw output of a trial, by name; the paths relative to the campaign. Raises CampaignError."""
        return keep_output(self.path, trial, contents, remedy=_REMEDY)


def append_record(directory: Path, record: Record, *, remedy: str) -> None:
    """Add one record to the lines of a directory and push it to the disk before returning.

    Args:
        remedy: how to go on where the disk is full: the hint of the error.

    Raises:
        CampaignError: the disk is full or gone; what was written of the line is taken back.
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
        # The next record must not be glued to half a line.
        with contextlib.suppress(OSError):
            _cut_torn_line(file)
        raise CampaignError(
            f"the record of trial {record.trial.id} cannot be written to {file}: {error.strerror}", hint=remedy
        ) from None


def keep_output(directory: Path, trial: Trial, contents: Mapping[str, bytes], *, remedy: str) -> dict[str, str]:
    """Store raw output of a trial, by name, in a directory; the paths relative to it.

    Args:
        remedy: as of ``append_record``.

    Raises:
        CampaignError: the disk is full or gone; written again, the same names are replaced.
    """
    folder = directory / ARTEFACTS / trial.id
    try:
        for name, content in contents.items():
            folder.mkdir(parents=True, exist_ok=True)
            with (folder / name).open("wb") as stream:
                stream.write(content)
                stream.flush()
                # The record that names it is on the disk when it is told.
                os.fsync(stream.fileno())
    except OSError as error:
        raise CampaignError(
            f"the output of trial {trial.id} cannot be written to {folder}: {error.strerror}", hint=remedy
        ) from None
    return {name: str((folder / name).relative_to(directory)) for name in contents}


def reserve_directory(path: Path) -> None:
    """Make the campaign's directory, early, so that a bad place costs no time.

    Raises:
        CampaignError: it exists with something in it, or cannot be written.
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


def read_manifest(path: Path) -> Manifest:
    """The manifest of a campaign directory. Raises CampaignError."""
    file = path / MANIFEST
    try:
        return Manifest.model_validate_json(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise CampaignError(
            f"{path} is not a campaign directory: {file.name}: {error.strerror}",
            hint="name the directory that `boxbench run` printed",
        ) from None
    except ValidationError as error:
        raise CampaignError(
            f"{file}: not a manifest: {first_problem(error)}",
            hint="the file was edited, or written by another version of boxbench",
        ) from None


def read_records(path: Path) -> tuple[Record, ...]:
    """All records of a campaign, in the order written; a torn last line is left out.

    Raises:
        RecordError: a line in the middle is not a record.
    """
    file = path / RECORDS
    if not file.exists():
        return ()
    lines = file.read_text(encoding="utf-8", errors="replace").split("\n")
    # What stands behind the last newline was being written when the harness died.
    return tuple(parse_record(line, where=f"{file}:{number}") for number, line in enumerate(lines[:-1], start=1))


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
    if not file.exists():
        return
    content = file.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        with file.open("r+b") as stream:
            stream.truncate(whole)
