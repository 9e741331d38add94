"""The directory of a sweep: what was asked, the model, and the finished units.

``sweep.json`` says what is computed and with which versions, ``model.json`` is the model, ``units.jsonl`` has a line
per finished unit, in the order in which they were finished. A sweep that was interrupted or killed goes on from there.
"""

from __future__ import annotations

import fcntl
import json
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from bench.sim.sweep.plan import Plan
from bench.sim.sweep.unit import UnitResult, result_line
from bench.sim.sweep.versions import versions
from bench.util.durable import append_durably, create_durably, make_directories_durably, remove_temporaries
from bench.util.errors import BoxbenchWarning, ExitCode, ResultError, UsageError

MANIFEST: Final = "sweep.json"
MODEL: Final = "model.json"
UNITS: Final = "units.jsonl"
_LOCK: Final = "lock"
_SCHEMA: Final = 1
_OTHER: Final = "choose another directory with -o, or remove this one"
_ROOM: Final = "make room, then start the same command again; it goes on with what is finished"


class OtherSweepError(UsageError):
    """The directory belongs to another sweep, or to something else."""

    exit_code = ExitCode.USAGE


class SweepDirectory:
    """An open directory, locked against a second writer."""

    def __init__(self, path: Path, done: dict[str, UnitResult]) -> None:
        self.path = path
        self.done = done
        """Finished units by key."""

    def append(self, result: UnitResult) -> None:
        """Add a finished unit and push it to the disk. Raises ResultError: the disk is full or fails."""
        try:
            append_durably(self.path / UNITS, result_line(result))
        except OSError as error:
            raise ResultError(f"{self.path / UNITS} cannot be written: {error.strerror}", hint=_ROOM) from None
        self.done[result.key] = result


@contextmanager
def opened(path: Path, plan: Plan, *, model_text: str, digest: str) -> Iterator[SweepDirectory]:
    """The directory of a sweep, made when missing; else what is finished in it is kept.

    Raises:
        OtherSweepError: it is not empty and no sweep, or another sweep: other values, another model, other versions.
        UsageError: another boxbench is writing it.
        ResultError: it cannot be written.
    """
    manifest = manifest_of(plan, digest)
    try:
        _create(path, manifest, model_text)
        lock = _locked(path)
    except OSError as error:
        raise ResultError(f"{path} cannot be written: {error.strerror}", hint="choose another place with -o") from None
    try:
        _refuse_other(path, manifest)
        _cut_torn_line(path / UNITS)
        keys = {unit.key for unit in plan.units}
        found = _read(path / UNITS, length=len(plan.draws) * plan.sweep.replications)
        yield SweepDirectory(path, {key: result for key, result in found.items() if key in keys})
    finally:
        os.close(lock)


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


def _create(path: Path, manifest: dict[str, Any], model_text: str) -> None:
    """Make the directory and its files, the manifest last; nothing when there is a manifest. Raises OSError."""
    make_directories_durably(path)
    if (path / MANIFEST).exists():
        return
    # What a kill left while the first files were written.
    for name in (MANIFEST, MODEL):
        remove_temporaries(path / name)
    strangers = sorted(entry.name for entry in path.iterdir() if entry.name not in (MODEL, _LOCK))
    if strangers:
        raise OtherSweepError(f"{path} is not empty and holds no sweep (but {strangers[0]})", hint=_OTHER)
    (path / MODEL).unlink(missing_ok=True)
    create_durably(path / MODEL, model_text)
    create_durably(path / MANIFEST, json.dumps(manifest, indent=1, sort_keys=True) + "\n")


def _locked(path: Path) -> int:
    """A descriptor that holds the lock. Raises OSError, UsageError."""
    descriptor = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise UsageError(f"the sweep {path} is being written by another boxbench", hint="wait for it to end") from None
    return descriptor


def _refuse_other(path: Path, manifest: dict[str, Any]) -> None:
    file = path / MANIFEST
    try:
        found = json.loads(file.read_bytes())
        keys = sorted({*found, *manifest})
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


def _read(file: Path, *, length: int) -> dict[str, UnitResult]:
    """Finished units by key. A damaged line is named in a warning, and its unit runs again.

    Args:
        length: samples of each quantity.
    """
    found: dict[str, UnitResult] = {}
    lines = file.read_bytes().split(b"\n")[:-1] if file.exists() else []
    for number, line in enumerate(lines, start=1):
        try:
            result = UnitResult.model_validate_json(line)
            whole = bool(result.samples) and all(len(values) == length for values in result.samples.values())
        except ValidationError:
            whole = False
        if not whole:
            warnings.warn(f"{file}:{number} is damaged; its unit runs again", BoxbenchWarning, stacklevel=2)
            continue
        found[result.key] = result
    return found
