"""Hostile images: their names, links, devices, owners and depth reach nothing of the host."""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from bench.image.build import build_image
from bench.image.model import Image
from bench.scenario.model import LoadedScenario, Resources
from bench.targets.base import Order
from bench.util.cache import file_digest
from bench.util.errors import BuildError
from tests.lab import ProxiedTarget, Wrap
from tests.live.attack.verdict import Judge

MIB: Final = 2**20
BASE: Final = "FROM boxbench/base-busybox:latest\n"
SLEEP: Final = 'CMD ["/usr/bin/busybox", "sh", "-c", "echo up; exec busybox sleep 1000"]\n'
LARGE: Final = Resources(cpus=1, memory=128 * MIB, disk=512 * MIB)
# What the kernel allows in a tree: other people's programs, devices of the host, names that terminals and lists break
# on, more levels than a stack has, and paths as long as a path can be.
TREE: Final = r"""#!/usr/bin/busybox sh
set -e
for tool in cp chmod mknod mkdir ln touch truncate mkfifo chown printf; do
    busybox ln -s /usr/bin/busybox /usr/bin/$tool
done
mkdir /odd
cd /odd
cp /usr/bin/busybox setuid; chown 0:0 setuid; chmod 6755 setuid
mknod -m 666 disk b 7 0
mknod -m 666 memory c 1 1
mkfifo fifo
ln setuid hard-link
ln -s /proc/1/root/etc/shadow link-out
ln -s ../../../../../../etc/shadow link-up
touch "$(printf 'a\nboxbench-00000000-t0000\nb')" "$(printf 'tab\tbell\a\033[2J\033]0;title\a')"
touch "$(printf 'not-utf8-\377\376')" "$(printf '::error file=x::forged')"
touch "$(printf '%%0A##[error]forged')" ' ' './-rf' '*'
truncate -s 64M sparse
many=d
i=0; while [ $i -lt 10 ]; do many=$many/d; i=$((i+1)); done
i=0; while [ $i -lt 140 ]; do mkdir -p $many; cd $many; i=$((i+1)); done
cd /odd
name=0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789
i=0; while [ $i -lt 30 ]; do mkdir $name; cd $name; i=$((i+1)); done
"""
ODD: Final = BASE + 'COPY make.sh /make.sh\nRUN ["/usr/bin/busybox", "sh", "/make.sh"]\n' + SLEEP


@pytest.mark.parametrize("target", ["process", "runc", "docker", "namespaces", "microvm"])
def test_an_image_with_odd_files_runs_like_any_other(
    make_scenario: Callable[..., LoadedScenario], judge: Judge, target: str
) -> None:
    loaded = make_scenario(ODD, name="odd", files={"make.sh": TREE}, resources=LARGE)
    record = judge.trial(judge.boxbench.lab.run(target, loaded))
    assert record.outcome == "ok", record.failure


@pytest.fixture(scope="session")
def calm(make_scenario: Callable[..., LoadedScenario]) -> LoadedScenario:
    """A workload that does nothing."""
    return make_scenario(BASE + SLEEP, name="calm")


def shell(*commands: str) -> str:
    return "".join(f'RUN ["/usr/bin/busybox", "sh", "-c", "{command}"]\n' for command in commands)


OURS: Final = {
    "a link out": "busybox ln -s {victim} /.boxbench",
    "a file": "busybox touch /.boxbench",
    "the channel is a link out": "busybox mkdir /.boxbench; busybox ln -s {victim} /.boxbench/ch",
    "the channel is a link to root": "busybox mkdir /.boxbench; busybox ln -s / /.boxbench/ch",
    "the agent is a link out": "busybox mkdir /.boxbench; busybox ln -s {victim}/precious /.boxbench/boxinit",
    "the channel has files": "busybox mkdir -p /.boxbench/ch; busybox ln -s {victim}/precious /.boxbench/ch/box.conf",
    "the channel has FIFOs": "busybox mkdir -p /.boxbench/ch; busybox mkfifo -m 666 /.boxbench/ch/events",
}


@pytest.mark.parametrize("target", ["process", "namespaces[mount=false]"])
@pytest.mark.parametrize("how", OURS)
def test_our_place_in_an_image_is_ours_or_the_image_is_refused(
    make_scenario: Callable[..., LoadedScenario], judge: Judge, how: str, target: str
) -> None:
    """The agent is started, and its files are made, inside the tree and nowhere else."""
    hostile = BASE + shell(OURS[how].format(victim=judge.ground.victim)) + SLEEP
    loaded = make_scenario(hostile, name="ours")
    run_or_refuse(loaded, judge, target)


def with_links(image: Image, links: Mapping[str, Path], directory: Path) -> Image:
    """The image with links instead of these entries of its root. Docker never exports one, but other engines may."""
    hostile = directory / "hostile.tar"
    with tarfile.open(image.tree_tar) as whole, tarfile.open(hostile, "w") as changed:
        for member in whole:
            if member.name.strip("/").partition("/")[0] not in links:
                changed.addfile(member, whole.extractfile(member) if member.isreg() else None)
        for name, goal in links.items():
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, str(goal)
            changed.addfile(link)
    return replace(image, tree_tar=hostile, content=file_digest(hostile))


@pytest.mark.parametrize("target", ["process", "namespaces", "namespaces[mount=false]", "runc"])
@pytest.mark.parametrize("names", [("proc",), ("sys", "dev"), ("tmp", "etc", "run", ".boxbench")], ids=",".join)
def test_links_out_of_an_image_are_not_followed_on_the_host(
    calm: LoadedScenario, judge: Judge, tmp_path: Path, names: tuple[str, ...], target: str
) -> None:
    """Root mounts and makes files at these places of the tree before the workload runs."""

    def linked(order: Order) -> Order:
        return replace(order, image=with_links(order.image, dict.fromkeys(names, judge.ground.victim), tmp_path))

    run_or_refuse(calm, judge, target, wrap=lambda real: ProxiedTarget(real, order=linked))


def run_or_refuse(loaded: LoadedScenario, judge: Judge, target: str, *, wrap: Wrap | None = None) -> None:
    """The image is refused, or its box runs or fails; nothing of the host is touched."""
    lab = judge.boxbench.lab
    name, _, options = target.partition("[")
    chosen = lab.make(name, "tcg", mount=False) if options else lab.target(name)
    try:
        found = lab.run(chosen, loaded, wrap=wrap)
    except BuildError:
        judge.refused()
        return
    record = judge.trial(found)
    assert record.outcome == "ok" or record.failure is not None


TOO_LARGE: Final = 2**32
"""As a uid of 32 bits this is 0."""


@pytest.mark.parametrize("row", [f"mallory:x:{TOO_LARGE}:100::/:", f"mallory:x:100:{TOO_LARGE}::/:"])
def test_a_user_whose_number_wraps_to_root_is_refused(
    make_scenario: Callable[..., LoadedScenario], judge: Judge, row: str
) -> None:
    loaded = make_scenario(
        f"{BASE}COPY passwd /etc/passwd\n{SLEEP}USER mallory\n", name="mallory", files={"passwd": f"{row}\n"}
    )
    with pytest.raises(BuildError, match=r"4294967296|mallory"):
        build_image(judge.boxbench.lab.store, loaded, lambda _line: None)
    judge.refused()


def test_a_user_number_that_wraps_to_root_is_refused(
    make_scenario: Callable[..., LoadedScenario], judge: Judge
) -> None:
    with pytest.raises(BuildError, match=str(TOO_LARGE)):
        build_image(
            judge.boxbench.lab.store,
            make_scenario(f"{BASE}{SLEEP}USER {TOO_LARGE}\n", name="mallory"),
            lambda _line: None,
        )
    judge.refused()
