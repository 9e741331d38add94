"""What must hold after every attack: nothing gained, nothing lost, nothing left."""

from __future__ import annotations

import json
import os
import secrets
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench.host.mounts import read_mounts, unmount
from bench.host.run_directory import campaign_tag
from bench.records.campaign import read_records
from bench.records.manifest import read_manifest
from bench.records.record import Record, parse_record
from bench.run.cleanup import find_containers, find_leftovers
from bench.util.errors import ExitCode
from bench.util.tree import remove_tree
from tests.lab import Trialed
from tests.live.command import Command

INTRUDER: Final = 65534
"""The user and the group of attackers on the host; in no other group."""
MOST_LINE_BYTES: Final = 2**20
"""No record is larger, whatever a box says."""


@dataclass
class Ground:
    """A directory on the host that every user can enter, with what an attack must not touch and where it may write."""

    place: Path
    secret: str = field(default_factory=lambda: secrets.token_hex(16))
    """A text that only root may see; it is in ``precious`` and in the environment of the commands."""
    _before: dict[str, tuple[int, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Fill the directory."""
        self.place.chmod(0o755)
        (self.victim / "sub").mkdir(parents=True)
        for file in (self.victim / "precious", self.victim / "sub" / "precious"):
            file.write_text(self.secret)
            file.chmod(0o600)
        self.proofs.mkdir()
        # Everybody may write here, without the sticky bit.
        self.proofs.chmod(0o777)
        self._before = _state(self.victim)

    @property
    def victim(self) -> Path:
        """A tree of root."""
        return self.place / "victim"

    @property
    def proofs(self) -> Path:
        """Where code of an attacker writes; a file of root here proves that root ran it."""
        return self.place / "proofs"

    def assert_nothing_gained(self, *shown: str | Path) -> None:
        """The victim is as it was, root made no file for an attacker, and the secret is nowhere in ``shown``.

        Args:
            shown: texts, and files or directories, that others see or that hold what boxes said.
        """
        assert _state(self.victim) == self._before
        assert [str(path) for path in self.proofs.rglob("*") if path.lstat().st_uid == 0] == []
        for item in shown:
            for name, content in _contents(item):
                assert self.secret.encode() not in content, f"the secret is in {name}"


def _state(top: Path) -> dict[str, tuple[int, ...]]:
    """Kind, mode, owner, size and time of a directory and of every entry below it."""
    found: dict[str, tuple[int, ...]] = {}
    for folder, _, files in os.walk(top):
        for path in (Path(folder), *(Path(folder, name) for name in files)):
            with suppress(FileNotFoundError):
                entry = path.lstat()
                size = entry.st_size if stat.S_ISREG(entry.st_mode) else 0
                found[str(path)] = (entry.st_mode, entry.st_uid, entry.st_gid, size, entry.st_mtime_ns)
    return found


def _contents(item: str | Path) -> Iterator[tuple[str, bytes]]:
    if isinstance(item, str):
        yield "what was shown", item.encode("utf-8", "replace")
    elif item.is_dir():
        yield from ((str(path), path.read_bytes()) for path in item.rglob("*") if stat.S_ISREG(path.lstat().st_mode))
    else:
        yield str(item), item.read_bytes()


@contextmanager
def open_ground() -> Iterator[Ground]:
    """A ground below /tmp; removed afterwards."""
    place = Path(tempfile.mkdtemp(prefix="attack-", dir="/tmp"))
    try:
        yield Ground(place)
    finally:
        # An attack that succeeded may have mounted something here.
        for mount in reversed(read_mounts()):
            if Path(mount.point).is_relative_to(place):
                unmount(mount.point)
        remove_tree(place)


def assert_nothing_lost(boxbench: Command, out: Path, hostile: Mapping[str, str]) -> dict[str, list[Record]]:
    """Every trial of the plan has one valid record; those of other scenarios are ok. Returns the hostile ones.

    Args:
        hostile: by the name of a scenario that attacks, what its records say if it failed; empty: it must not fail.
    """
    lines = (out / "records.jsonl").read_bytes().split(b"\n")
    assert lines.pop() == b""
    records = [parse_record(line.decode(), where="records.jsonl") for line in lines]
    assert [record.trial for record in records] == list(read_manifest(out).plan)
    assert list(read_records(out)) == records
    assert max(map(len, lines)) < MOST_LINE_BYTES
    for record in records:
        assert not [mark for mark in record.doubts if mark.startswith("not removed:")], record.doubts
        for file in record.artefacts.values():
            assert (out / file).is_file()
        said = hostile.get(record.trial.cell.scenario, "")
        if record.outcome != "ok":
            assert said, (record.trial.cell.key, record.failure)
            assert record.failure is not None
            assert record.failure.code != "InternalError", record.failure
            told = " ".join((record.failure.message, record.failure.hint, *record.doubts))
            assert said in told, (record.trial.cell.key, told)
    assert json.loads(boxbench("report", out, "--json").text)["summaries"]
    return {name: [found for found in records if found.trial.cell.scenario == name] for name in hostile}


def assert_nothing_left(boxbench: Command, tag: str, before: set[str]) -> None:
    """Nothing on the host carries the tag.

    Args:
        before: what ``boxbench.on_host()`` found before the attack.
    """
    assert [str(found) for found in find_leftovers(tag)] == []
    assert [str(found) for found in find_containers(boxbench.lab.client, tag)] == []
    assert boxbench.on_host() - before == set()


@dataclass
class Judge:
    """The three checks for what an attack left: of a campaign, of a single trial, of a command that was refused."""

    boxbench: Command
    ground: Ground
    before: set[str]
    """What carried our label before the attack."""

    def campaign(self, out: Path, shown: str, hostile: Mapping[str, str]) -> dict[str, list[Record]]:
        """Judge a whole campaign; returns the records of the scenarios that attack.

        Args:
            shown: stdout and stderr of the command.
            hostile: see ``assert_nothing_lost``.
        """
        assert "Traceback" not in shown, shown
        self.ground.assert_nothing_gained(shown, out)
        records = assert_nothing_lost(self.boxbench, out, hostile)
        tag = campaign_tag(read_manifest(out).id)
        assert_nothing_left(self.boxbench, tag, self.before)
        listed = self.boxbench("clean", "--dry-run")
        assert listed.returncode == ExitCode.OK, listed.stderr.decode()
        assert tag not in listed.text
        return records

    def trial(self, found: Trialed) -> Record:
        """Judge one trial of the session's campaign; returns its record."""
        texts = () if found.output is None else (found.output.stdout, found.output.stderr)
        self.ground.assert_nothing_gained(found.record.line(), *(text.decode(errors="replace") for text in texts))
        assert parse_record(found.record.line(), where="the trial") == found.record
        assert len(found.record.line()) < MOST_LINE_BYTES
        failure = found.record.failure
        assert failure is None or failure.code != "InternalError", failure
        assert not [mark for mark in found.record.doubts if mark.startswith("not removed:")], found.record.doubts
        assert_nothing_left(self.boxbench, found.tag, self.before)
        return found.record

    def refused(self) -> None:
        """Judge a command that made no campaign."""
        self.ground.assert_nothing_gained()
        assert self.boxbench.on_host() - self.before == set()
        assert not os.path.lexists(self.boxbench.cwd / "out")
