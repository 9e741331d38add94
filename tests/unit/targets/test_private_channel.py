"""Who can use a box's channel: the agent, as whatever user an engine starts it, and nobody else."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench.agent.boxconf import BoxConfig
from bench.engines.dockerd import DockerEngine
from bench.scenario.readiness import ReadyFirstLine
from bench.targets.containers.docker import DockerTarget
from bench.targets.rootfs_box import AGENT_AS_ROOT, agent_user, open_channel
from tests.stranger import NOBODY, done_to, everything_below

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
WORKLOAD = 4321
FILES = {"box.conf", "commands", "events"}


def order(uid: int) -> Any:
    config = BoxConfig(("/bin/true",), ("TOKEN=hush",), "/", uid, 0, (), "", 15)
    return SimpleNamespace(image=SimpleNamespace(config=config), ready=ReadyFirstLine(when="first-line"))


@contextmanager
def mounted(directory: Path, agent: int | None) -> Iterator[Path]:
    """A channel as the box sees it: the directories above it, which keep other users out, are not on its path."""
    with open_channel(directory / "ch", order(WORKLOAD), agent=agent) as ends:
        for above in (*ends.directory.parents, ends.directory):
            if above.is_relative_to("/tmp") and above != Path("/tmp") and above != ends.directory:
                above.chmod(0o711)
        yield ends.directory


def files_in(done: list[str], what: str) -> set[str]:
    return {Path(line.partition(f"{what} ")[2]).name for line in done if line.startswith(f"{what} ")}


@needs_root
@pytest.mark.host
def test_only_the_agent_opens_the_channel_also_where_it_can_be_reached(tmp_path: Path) -> None:
    with mounted(tmp_path, WORKLOAD) as directory:
        theirs = done_to(everything_below(directory), uid=NOBODY)
        assert files_in(theirs, "read") == files_in(theirs, "write") == set()
        ours = done_to(everything_below(directory), uid=WORKLOAD)
        assert files_in(ours, "read") >= FILES
        assert files_in(ours, "write") >= {"commands", "events"}


@needs_root
@pytest.mark.host
def test_an_agent_that_is_root_shares_it_with_no_user_of_the_box(tmp_path: Path) -> None:
    with mounted(tmp_path, AGENT_AS_ROOT) as directory:
        done = done_to(everything_below(directory), uid=WORKLOAD)
        assert files_in(done, "read") == files_in(done, "write") == set()


@needs_root
@pytest.mark.host
def test_an_agent_of_an_unknown_uid_can_use_it(tmp_path: Path) -> None:
    """An engine that maps users to others starts it. Only the directories above protect the channel then."""
    with mounted(tmp_path, None) as directory:
        done = done_to(everything_below(directory), uid=231072)
        assert files_in(done, "read") >= FILES
        assert files_in(done, "write") == {"commands", "events"}
        tmp_path.chmod(0o700)
        assert done_to([directory, *everything_below(directory)], uid=231072) == []


@pytest.mark.parametrize(
    ("uid", "maps_users", "agent"), [(0, False, WORKLOAD), (0, True, None), (1000, False, None), (1000, True, None)]
)
def test_whose_files_they_are(uid: int, maps_users: bool, agent: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    assert agent_user(order(WORKLOAD), maps_users=maps_users) == agent


@pytest.mark.parametrize(
    ("options", "maps_users", "rootless"),
    [
        ([], False, False),
        (None, False, False),
        (["name=seccomp,profile=builtin", "name=cgroupns"], False, False),
        (["name=seccomp,profile=builtin", "name=userns"], True, False),
        (["name=seccomp,profile=builtin", "name=rootless"], True, True),
    ],
)
def test_an_engine_says_whether_it_maps_users(options: list[str] | None, maps_users: bool, rootless: bool) -> None:
    engine = DockerEngine(client(options), private=False, daemon_pids={})
    assert (engine.maps_users, engine.rootless) == (maps_users, rootless)


def client(options: list[str] | None) -> Any:
    info: dict[str, Any] = {"SecurityOptions": options, "Runtimes": {"runc": {}}}
    return SimpleNamespace(info=lambda: info, ping=lambda: True)


@pytest.mark.parametrize(("uid", "refused"), [(0, True), (1000, False)])
def test_a_rootless_engine_is_for_its_own_user(uid: int, refused: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """It cannot mount a directory that only root may enter."""
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    engines: Any = SimpleNamespace(docker=DockerEngine(client(["name=rootless"]), private=False, daemon_pids={}))
    reason = DockerTarget({}, engines, accel="auto").why_unavailable()
    assert (reason is not None and "rootless" in reason) is refused
