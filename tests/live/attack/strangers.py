"""What other people of the host have that looks like ours: none of it may be touched."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

import docker

from bench.host.mounts import read_mounts, unmount
from bench.image.base import ensure_base
from bench.image.stores.docker import DockerStore
from bench.scenario.model import Base
from bench.util import proc
from tests.waiting import LIMIT_S, wait_until

_SLEEP: Final = "while :; do sleep 1000; done"
_IMAGE: Final = "boxbench/base-busybox:latest"


def imitation(words: list[str]) -> subprocess.Popen[bytes]:
    """A process of root with this command line; it only sleeps."""
    program, *rest = words
    return subprocess.Popen(
        [program, "-c", _SLEEP, *rest], executable=os.path.realpath("/bin/sh"), start_new_session=True
    )


@contextmanager
def strangers(place: Path, client: docker.DockerClient, engine: str) -> Iterator[Callable[[], list[str]]]:
    """Processes, a control group, a mount, a directory and containers. Yields what names those that are gone.

    Args:
        place: for the mount and the directory.
        engine: the address of the engine that has the containers.
    """
    ensure_base(DockerStore(client), Base(tag=_IMAGE, packages=("busybox-static",), variant="extract"))
    with ExitStack() as stack:
        gone = [
            stack.enter_context(_process(["qemu-system-x86_64", "-drive", "file=/srv/images/boxbench-dev.qcow2"])),
            stack.enter_context(_process(["qemu-system-x86_64", "-name", "guest=boxbench-dev"])),
            stack.enter_context(_process(["dockerd", "--data-root", "/srv/boxbench-docker", "--host", engine])),
            stack.enter_context(_process(["dockerd", "boxbench-x", "--host", "unix:///var/run/docker.sock"])),
            stack.enter_context(_service("boxbench-exporter.service")),
            stack.enter_context(_mount(place / "boxbench-data")),
            *(stack.enter_context(_container(client, name, labels)) for name, labels in _CONTAINERS.items()),
        ]
        yield lambda: [name for name, is_gone in gone if is_gone()]


_CONTAINERS: Final[dict[str, list[str]]] = {
    "somebodys-database": [],
    "boxbench-debug": [],
    "boxbench-dev": ["boxbench"],
}
"""Names of containers with their labels. The last one was made from an image of ours, which passes on its label."""

_Stranger = tuple[str, Callable[[], bool]]


@contextmanager
def _process(words: list[str], *, group: Path | None = None) -> Iterator[_Stranger]:
    process = imitation(words)
    try:
        if group is not None:
            (group / "cgroup.procs").write_text(str(process.pid))
        yield " ".join(words), lambda: process.poll() is not None
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def _service(name: str) -> Iterator[_Stranger]:
    top = next(Path(mount.point) for mount in read_mounts() if mount.kind in ("cgroup", "cgroup2"))
    group = top / name
    group.mkdir()
    try:
        with _process(["exporter"], group=group) as (_, has_ended):
            yield name, has_ended
        wait_until(lambda: not (group / "cgroup.procs").read_text(), f"the end of all processes in {group}")
    finally:
        group.rmdir()


@contextmanager
def _mount(point: Path) -> Iterator[_Stranger]:
    point.mkdir()
    proc.run(["mount", "-t", "tmpfs", "somebody", point], timeout_s=LIMIT_S)
    (point / "precious").write_text("precious")
    try:
        yield str(point), lambda: not (point / "precious").exists()
    finally:
        unmount(str(point))


@contextmanager
def _container(client: docker.DockerClient, name: str, labels: list[str]) -> Iterator[_Stranger]:
    made = client.containers.run(
        _IMAGE,
        ["/usr/bin/busybox", "sleep", "1000"],
        name=name,
        labels=labels,
        network_mode="none",
        detach=True,
    )

    def gone() -> bool:
        try:
            made.reload()
        except docker.errors.NotFound:
            return True
        return bool(made.status != "running")

    try:
        yield f"container {name}", gone
    finally:
        with suppress(docker.errors.NotFound):
            made.remove(force=True)
