"""The warning before a scenario file of somebody else makes us execute a program on this host."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.cli.loading import load
from bench.cli.trust import warn_of_programs
from bench.scenario.model import LoadedScenario
from bench.scenario.programs import programs_of
from tests.lab import write_scenario

Write = Callable[..., Path]
Said = Callable[[], str]


@pytest.fixture
def program(tmp_path: Path) -> Path:
    made = tmp_path / "builds" / "runc"
    made.parent.mkdir()
    made.write_text("#!/bin/sh\n", encoding="ascii")
    made.chmod(0o755)
    return made


@pytest.fixture
def file(tmp_path: Path, program: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A scenario file that names a program, with a cache that has seen nothing."""
    monkeypatch.setenv("BOXBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SUDO_UID", raising=False)
    made = write_scenario(tmp_path / "theirs", "FROM scratch\n", name="theirs")
    targets = f"targets: [process, docker, {{target: runc, options: {{program: {program}}}}}]"
    made.write_text(made.read_text(encoding="utf-8").replace("targets: [process]", targets), encoding="utf-8")
    return made


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Said:
    return lambda: capsys.readouterr().err


def _load(file: Path, targets: str | None = None, *, starts: bool = True) -> LoadedScenario:
    (loaded,) = load([str(file)], targets=targets, starts=starts)
    return loaded


def test_a_new_file_of_our_own_is_named_once(file: Path, program: Path, said: Said) -> None:
    _load(file)
    user = pwd.getpwuid(os.geteuid()).pw_name
    assert f"{file} makes boxbench execute {program} on this host as {user}" in (first := said())
    assert "boxbench has not run this content before" in first
    _load(file)
    assert said() == ""
    file.write_text(file.read_text(encoding="utf-8") + "# changed\n", encoding="utf-8")
    _load(file)
    assert "boxbench has not run this content before" in said()


def test_a_file_of_another_user_is_named_every_time(file: Path, said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = file.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 4242)
    loaded = _load(file, starts=False).model_copy(update={"file": file})
    monkeypatch.setattr("bench.cli.trust._ROOT", owner + 4243)
    monkeypatch.setattr("bench.cli.trust._is_new", lambda _key: False)
    for _ in range(2):
        warn_of_programs((loaded,))
        assert f"the file belongs to {pwd.getpwuid(owner).pw_name}" in said()


@pytest.mark.parametrize(("sudo", "is_foreign"), [("4242", False), ("4243", True), (None, True), ("x", True)])
def test_who_called_sudo_is_not_another_user(
    file: Path, said: Said, monkeypatch: pytest.MonkeyPatch, sudo: str | None, is_foreign: bool
) -> None:
    loaded = _load(file, starts=False)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr("bench.cli.trust._is_new", lambda _key: False)
    stat = os.stat_result((0o100644, 0, 0, 1, 4242, 4242, 0, 0, 0, 0))
    monkeypatch.setattr(Path, "stat", lambda _self, **_kwargs: stat)
    if sudo is not None:
        monkeypatch.setenv("SUDO_UID", sudo)
    warn_of_programs((loaded,))
    assert ("the file belongs to user 4242" in said()) == is_foreign


def test_nothing_is_said_without_a_program_of_the_file(file: Path, program: Path, said: Said) -> None:
    assert programs_of(_load(file, "docker,process")) == ()
    assert programs_of(_load(file, starts=False)) == (str(program),)
    assert said() == ""


def test_a_program_of_the_command_line_is_the_users_own(file: Path, program: Path, said: Said) -> None:
    other = program.parent / "other" / "runc"
    other.parent.mkdir()
    other.write_bytes(program.read_bytes())
    other.chmod(0o755)
    _load(file, f"runc[program={other}]")
    assert "makes boxbench execute" not in said()


def test_a_plan_starts_nothing_and_warns_of_nothing(file: Path, said: Said) -> None:
    _load(file, starts=False)
    assert said() == ""
    _load(file)
    assert "boxbench has not run this content before" in said()


def test_a_path_that_the_text_writes_with_escapes_is_named(file: Path, program: Path, said: Said) -> None:
    text = file.read_text(encoding="utf-8").replace(str(program), rf'"\x2f{str(program)[1:]}"')
    file.write_text(text, encoding="utf-8")
    _load(file)
    assert f"makes boxbench execute {program} on this host" in said()


def test_a_stored_campaign_cannot_hide_a_program_behind_another_text(file: Path, program: Path, said: Said) -> None:
    warn_of_programs((_load(file, starts=False).model_copy(update={"text": "harmless", "file": file}),))
    assert f"makes boxbench execute {program} on this host" in said()
