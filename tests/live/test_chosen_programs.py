"""Options that name a program: a trial runs that program, and the target's description names it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from bench.scenario.model import LoadedScenario
from bench.targets.base import Box, BoxProxy, Target
from bench.util import proc
from bench.util.cache import file_digest
from bench.util.errors import BoxbenchError
from tests.lab import Lab, ProxiedTarget
from tests.needs import need


def tool(name: str, package: str) -> Path:
    """Where this host has it; skipped where it has not."""
    try:
        return Path(proc.require_tool(name, package=package))
    except BoxbenchError as error:
        need(error.message)
        raise


class Watched(BoxProxy):
    """A box whose main process's program is noted whenever its processes are read."""

    def __init__(self, inner: Box, programs: list[str]) -> None:
        super().__init__(inner)
        self._programs = programs

    def processes(self) -> Mapping[str, Sequence[int]]:
        pid = self.inner.main_pid()
        if pid is not None:
            self._programs.append(Path(f"/proc/{pid}/cmdline").read_text().split("\0")[0])
        return self.inner.processes()


def run(lab: Lab, loaded: LoadedScenario, name: str, **options: str) -> tuple[Target, list[str]]:
    """A whole life of a box of this target, of which nothing is left. Returns the target and the programs seen."""
    target = lab.make(name, **options)
    programs: list[str] = []
    trialed = lab.run(ProxiedTarget(target, box=lambda box: Watched(box, programs)), loaded)
    assert trialed.record.outcome == "ok", (trialed.record.failure, trialed.output)
    trialed.assert_gone()
    return target, programs


def test_another_build_of_a_runtime(lab: Lab, loaded: LoadedScenario, tmp_path: Path) -> None:
    """A copy that leaves its mark, so that it is seen to have run."""
    real, own = tmp_path / "real-runc", tmp_path / "runc"
    shutil.copy(tool("runc", "runc"), real)
    own.write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/calls\nexec {real} "$@"\n')
    own.chmod(0o755)
    words = run(lab, loaded, "runc", program=str(own))[0].describe()
    assert words["program"] == f"{own}, sha256 {file_digest(own)}"
    calls = (tmp_path / "calls").read_text().splitlines()
    assert any(" run --detach " in call for call in calls)
    assert any(" delete --force " in call for call in calls)
    (tmp_path / "copy").mkdir()
    copy = Path(shutil.copy(real, tmp_path / "copy" / "runc"))
    words = run(lab, loaded, "runc", program=str(copy))[0].describe()
    assert words["program"] == f"{copy}, sha256 {file_digest(tool('runc', 'runc'))}"


@pytest.mark.parametrize("name", ["microvm", "libvirt"])
def test_another_qemu(lab: Lab, loaded: LoadedScenario, tmp_path: Path, name: str) -> None:
    """By a symbolic link: a copy would look for its firmware beside itself."""
    link = tmp_path / "qemu-system-x86_64"
    link.symlink_to(tool("qemu-system-x86_64", "qemu-system-x86"))
    default = lab.target(name).describe()
    target, programs = run(lab, loaded, name, emulator=str(link))
    assert programs
    assert set(programs) == {str(link)}
    assert target.describe() == {**default, "emulator": f"{link}, sha256 {file_digest(link)}"}
