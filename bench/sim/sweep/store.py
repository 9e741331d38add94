"""The directory of a sweep: what was asked, the model, and what is finished.

``sweep.json`` says what is computed and with which versions, ``model.json`` is the model, ``units.jsonl`` has a line
per finished piece of a unit, in the order in which they were finished. A sweep that was interrupted or killed goes on
from there, however its units are cut then.
"""

from __future__ import annotations

import fcntl
import json
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from bench.sim.sweep.cut import Stretch
from bench.sim.sweep.plan import Plan
from bench.sim.sweep.samples import Samples
from bench.sim.sweep.unit import UnitResult, result_lines
from bench.sim.sweep.versions import versions
from bench.util.durable import (
    append_durably,
    create_durably,
    make_directories_durably,
    remove_temporaries,
    write_durably,
)
from bench.util.errors import BoxbenchWarning, ExitCode, ResultError, UsageError

MANIFEST: Final = "sweep.json"
MODEL: Final = "model.json"
UNITS: Final = "units.jsonl"
LOCK: Final = "lock"
KEPT: Final = (MANIFEST, MODEL, UNITS, LOCK)
"""What the directory has beside results."""
_SCHEMA: Final = 3
"""1 to 2: a unit can have several lines. 2 to 3: a sample can be null, for never."""
_OTHER: Final = "choose another directory with -o, or remove this one"
_ROOM: Final = "make room, then start the same command again; it goes on with what is finished"


class OtherSweepError(UsageError):
    """The directory belongs to another sweep, or to something else."""

    exit_code = ExitCode.USAGE


class SweepDirectory:
    """An open directory, locked against a second writer."""

    def __init__(self, path: Path, plan: Plan) -> None:
        self.path = path
        self._plan = plan
        self._keys = {unit.key for unit in plan.units}
        self._draws = 0
        self.samples: dict[str, Samples] = {}
        """Of units of which something is finished, by key."""

    @property
    def finished(self) -> int:
        """How many units' worth of draws are finished."""
        return self._draws // len(self._plan.draws)

    def append(self, results: Sequence[UnitResult]) -> None:
        """Add finished pieces and push them to the disk. Raises ResultError: the disk is full or fails."""
        try:
            append_durably(self.path / UNITS, result_lines(results))
        except OSError as error:
            raise ResultError(f"{self.path / UNITS} cannot be written: {error.strerror}", hint=_ROOM) from None
        for result in results:
            if not self.take(result):
                raise ValueError(f"{result.key}: the samples are not those of the plan")

    def take(self, result: UnitResult) -> bool:
        """Add a finished piece that is on the disk; False: it is none of this sweep."""
        if result.key not in self._keys:
            return False
        found = self.samples.get(result.key) or self._none()
        before = found.draws
        if not found.add(result):
            return False
        self._draws += found.draws - before
        self.samples[result.key] = found
        return True

    def _none(self) -> Samples:
        plan = self._plan
        return Samples(plan.question.sampled, draws=len(plan.draws), replications=plan.sweep.replications)

    def missing(self) -> Iterator[Stretch]:
        """What is not finished, in the order of the plan."""
        for unit in self._plan.units:
            found = self.samples.get(unit.key)
            stretches = [(0, len(self._plan.draws))] if found is None else list(found.missing())
            yield from (Stretch(unit, first, draws) for first, draws in stretches)


@contextmanager
def opened(path: Path, plan: Plan, *, model_text: str, digest: str) -> Iterator[SweepDirectory]:
    """The directory of a sweep, made when missing; else what is finished in it is kept.

    Nothing is written before the directory is locked, and nothing at all into a directory of something else.

    Raises:
        OtherSweepError: it is not empty and no sweep, or another sweep: other values, another model, other versions.
        UsageError: another boxbench is writing it.
        ResultError: it cannot be written.
    """
    with _io_errors(path):
        _check_free(path)
        make_directories_durably(path)
        lock = _locked(path)
    try:
        place = SweepDirectory(path, plan)
        with _io_errors(path):
            _begin(path, manifest_of(plan, digest), model_text)
            _cut_torn_line(path / UNITS)
            _read(place)
        yield place
    finally:
        os.close(lock)


@contextmanager
def _io_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ResultError(
            f"{error.filename or path} cannot be read or written: {error.strerror}", hint="choose another place with -o"
        ) from None


def manifest_of(plan: Plan, digest: str) -> dict[str, Any]:
    """What a sweep computes."""
    return {
        "schema": _SCHEMA,
        "model": digest,
        "sweep": plan.sweep.model_dump(mode="json", by_alias=True),
        "targets": list(plan.targets),
        "draws": list(plan.draws),
        "units": len(plan.units),
        "inputs": dict(plan.inputs),
        "versions": dict(versions()),
    }


def _check_free(path: Path) -> None:
    """Raise OtherSweepError for a file, or for a directory of something else. Raises OSError."""
    if not path.exists():
        return
    if not path.is_dir():
        raise OtherSweepError(f"{path} is a file, not a directory", hint="choose a directory with -o")
    names = sorted(entry.name for entry in path.iterdir())
    if MANIFEST not in names and LOCK not in names:
        _refuse_strangers(path, names)


def _refuse_strangers(path: Path, names: Sequence[str]) -> None:
    # A kill can leave the model and the lock before there is a manifest.
    strangers = [name for name in names if name not in (MODEL, LOCK)]
    if strangers:
        raise OtherSweepError(f"{path} is not empty and holds no sweep (but {strangers[0]})", hint=_OTHER)


def _locked(path: Path) -> int:
    """A descriptor that holds the lock. Raises OSError, UsageError."""
    descriptor = os.open(path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise UsageError(f"the sweep {path} is being written by another boxbench", hint="wait for it to end") from None
    return descriptor


def _begin(path: Path, manifest: dict[str, Any], model_text: str) -> None:
    """Write the manifest and the model, or compare them. The lock is held. Raises OSError, OtherSweepError."""
    # What a kill left while files were written.
    for name in (MANIFEST, MODEL):
        remove_temporaries(path / name)
    if (path / MANIFEST).exists():
        _refuse_other(path, manifest)
        _write_model(path, model_text)
        return
    _refuse_strangers(path, sorted(entry.name for entry in path.iterdir()))
    _write_model(path, model_text)
    create_durably(path / MANIFEST, json.dumps(manifest, indent=1, sort_keys=True) + "\n")


def _write_model(path: Path, text: str) -> None:
    """Workers read this file; it is written again when somebody has removed or changed it. Raises OSError."""
    file = path / MODEL
    if not file.is_file() or file.read_bytes() != text.encode():
        write_durably(file, text)


def _refuse_other(path: Path, manifest: dict[str, Any]) -> None:
    file = path / MANIFEST
    try:
        found = json.loads(file.read_bytes())
        # Other versions also write other digests of the same model, so they come first.
        keys = sorted({*found, *manifest}, key=lambda key: (key != "versions", key))
    except (OSError, ValueError, TypeError) as error:
        raise OtherSweepError(f"{file} cannot be read: {error}", hint=_OTHER) from None
    for key in keys:
        if found.get(key) != manifest.get(key):
            what = _difference(found.get(key), manifest.get(key))
            raise OtherSweepError(f"{path} holds another sweep: {key} differs: {what}", hint=_OTHER)


def _difference(stored: Any, asked: Any) -> str:
    """The first thing that differs, with both values."""
    if isinstance(stored, dict) and isinstance(asked, dict):
        key = next(key for key in sorted({*stored, *asked}) if stored.get(key) != asked.get(key))
        return f"{key} {_difference(stored.get(key), asked.get(key))}"
    return f"was {_shown(stored)}, is {_shown(asked)}"


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else f"{text[:79]}…"


def _cut_torn_line(file: Path) -> None:
    content = file.read_bytes() if file.exists() else b""
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        with file.open("r+b") as stream:
            stream.truncate(whole)


def _read(place: SweepDirectory) -> None:
    """Take what is finished. A damaged line is named in a warning, and its piece runs again. Raises OSError."""
    file = place.path / UNITS
    if not file.exists():
        return
    with file.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                known = place.take(UnitResult.model_validate_json(line))
            except ValidationError:
                known = False
            if not known:
                warnings.warn(f"{file}:{number} is damaged; its unit runs again", BoxbenchWarning, stacklevel=2)
