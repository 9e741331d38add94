"""What another user of the host plants at the places that a run uses next is refused."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from bench.agent.compile import agent_binary, static_program
from bench.util.errors import ExitCode
from bench.util.tree import remove_tree
from tests.lab import write_scenario
from tests.live.attack.verdict import INTRUDER, Ground, Judge
from tests.live.command import refused
from tests.needs import host_cannot

DOCKERFILE: Final = 'FROM boxbench/base-busybox:latest\nCMD ["/usr/bin/busybox", "sleep", "1000"]\n'
POISON: Final = "#!/bin/sh\n/usr/bin/touch {proofs}/$(/usr/bin/basename $0)-ran\nexit 1\n"


def of_the_intruder(path: Path) -> None:
    os.chown(path, INTRUDER, INTRUDER)


def link_to_it(path: Path) -> None:
    """The directory is the intruder's; a link of the intruder leads to it."""
    real = path.with_name("real")
    path.rename(real)
    path.symlink_to(real)
    os.chown(real, INTRUDER, INTRUDER)
    os.lchown(path, INTRUDER, INTRUDER)


def below_an_open_directory(path: Path) -> None:
    """It is root's, but everybody can put another one into its place."""
    path.parent.chmod(0o777)


def open_for_all(path: Path) -> None:
    """It is root's, but everybody could write to it."""
    for directory in (path, path / "agent"):
        directory.chmod(0o777)
    for file in (path / "agent").iterdir():
        os.chown(file, INTRUDER, INTRUDER)


@pytest.mark.parametrize("plant", [of_the_intruder, link_to_it, below_an_open_directory, open_for_all])
def test_a_cache_that_another_user_can_write_is_refused(
    judge: Judge, ground: Ground, tmp_path: Path, plant: Callable[[Path], None]
) -> None:
    """The names of its entries can be computed, and root would execute them."""
    cache = ground.place / "planted" / "cache"
    programs = (agent_binary(), static_program("bench.targets.launcher", "boxlaunch"))
    for program in programs:
        poison = cache / "agent" / program.name
        poison.parent.mkdir(parents=True, exist_ok=True)
        poison.write_text(POISON.format(proofs=ground.proofs))
        poison.chmod(0o755)
    plant(cache)
    scenario = write_scenario(tmp_path / "sleeper", DOCKERFILE, name="sleeper")
    words = ("run", scenario, "-t", "process", "-o", "out")
    refused(judge.boxbench(*words, env={"BOXBENCH_CACHE": str(cache)}), ExitCode.HOST_UNFIT, str(cache.parent))
    judge.refused()


@pytest.mark.parametrize("plant", [of_the_intruder, link_to_it])
def test_an_ordinary_user_refuses_the_run_directory_of_another(
    judge: Judge, ground: Ground, tmp_path: Path, plant: Callable[[Path], None]
) -> None:
    """Without XDG_RUNTIME_DIR its name is known beforehand, and /tmp is everybody's."""
    user = 4321
    top = Path(f"/tmp/boxbench-{user}")
    if os.path.lexists(top):
        host_cannot(f"{top} is somebody's")
    read = ("--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search")
    inside = ("setpriv", "--reuid", str(user), "--regid", str(user), "--clear-groups", *read)
    mine = ground.place / "mine"
    mine.mkdir()
    os.chown(mine, user, user)
    env = {"BOXBENCH_CACHE": str(mine), "XDG_RUNTIME_DIR": ""}
    scenario = write_scenario(tmp_path / "sleeper", DOCKERFILE, name="sleeper")
    planted = ground.proofs if plant is link_to_it else top
    try:
        if plant is link_to_it:
            top.symlink_to(planted)
            os.lchown(top, INTRUDER, INTRUDER)
        else:
            top.mkdir()
            plant(top)
        words = ("run", scenario, "-t", "docker", "-o", mine / "out")
        refused(judge.boxbench(*words, env=env, inside=inside), ExitCode.HOST_UNFIT, str(top))
        assert list(planted.iterdir()) == []
    finally:
        if top.is_symlink():
            top.unlink()
        else:
            remove_tree(top)
    judge.refused()
