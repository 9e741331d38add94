"""Find what a box or a campaign left on the host by its tag, and remove it by its id, never by a broad name."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench.agent.boxconf import CHANNEL_IN_BOX
from bench.host.cgroup import remove_groups
from bench.host.mounts import parse_mounts, read_mounts, unmount
from bench.host.processes import kill_and_wait, parent_of, wait_ended
from bench.host.run_directory import LABEL, living_tags, run_root
from bench.host.tracefs import find_instances, remove_instance
from bench.util.cache import cache_dir
from bench.util.clock import MonotonicClock
from bench.util.errors import BoxbenchError, TeardownError
from bench.util.private import private_directory

if TYPE_CHECKING:
    import docker

CGROUP_ROOT: Final = Path("/sys/fs/cgroup")
# Enough for /sys/fs/cgroup/<controller>/machine.slice/<domain>/libvirt/emulator.
_CGROUP_DEPTH: Final = 6
_ENGINE_PATIENCE_S: Final = 15.0
# Programs whose options name the box or the run directory that they belong to.
_PROGRAMS: Final = ("dockerd", "containerd", "boxinit", "containerd-shim-runc-v2")


@dataclass(frozen=True)
class Leftover:
    """One thing that a box or a campaign left on the host."""

    kind: str
    """``container``, ``engine``, ``process``, ``mount``, ``cgroup``, ``trace``, ``directory``."""
    name: str
    remove: Callable[[], object]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


def boxes_root() -> Path:
    """The directory in which boxes have their directories on a disk. Raises HostUnfitError."""
    return private_directory(cache_dir() / "boxes")


def find_containers(client: docker.DockerClient, tag: str = LABEL) -> tuple[Leftover, ...]:
    """Containers of an engine with our label and ``tag``; they have to be removed before anything else of a box."""
    return tuple(_containers(client, tag))


@contextmanager
def running_containers() -> Iterator[tuple[Leftover, ...]]:
    """Our containers in the engine that runs on this host; empty when none runs: no private one is started."""
    from bench.engines.dockerd import running_client  # noqa: PLC0415

    client = running_client()
    if client is None:
        yield ()
        return
    try:
        yield find_containers(client)
    finally:
        client.close()


def find_leftovers(tag: str = LABEL) -> tuple[Leftover, ...]:
    """Everything on the host with ``tag``, except containers, in the order in which it has to be removed.

    Args:
        tag: of a box or of a campaign. The label alone means all of ours that no living process owns.
    """
    # Engines come first, since they remove their own containers. Processes hold mounts and control groups. Inner mounts
    # come before outer ones.
    carries = _Carries(tag)
    return (
        *_engines(carries),
        *_processes(carries),
        *_mounts(carries),
        *_cgroups(carries),
        *_traces(carries),
        *_directories(carries),
    )


def remove_leftovers(found: tuple[Leftover, ...]) -> tuple[str, ...]:
    """Try to remove each leftover, also after one has failed. Returns a text for each that could not be removed."""
    failed = []
    for leftover in found:
        try:
            leftover.remove()
        except (OSError, BoxbenchError) as error:
            failed.append(f"{leftover}: {error}")
    return tuple(failed)


class _Carries:
    """Tells whether a text has a tag in it."""

    def __init__(self, tag: str) -> None:
        everything = tag == LABEL
        # The label alone must match our names only: a checkout may be called boxbench.
        self._needle = f"{LABEL}-" if everything else tag
        self._living = living_tags() if everything else ()

    def __call__(self, text: str) -> bool:
        return self._needle in text and not any(tag in text for tag in self._living)


def _containers(client: docker.DockerClient, tag: str) -> Iterator[Leftover]:
    carries = _Carries(tag)
    for container in client.api.containers(all=True, filters={"label": LABEL}):
        name = container["Names"][0].lstrip("/")
        if carries(name):
            remove = partial(client.api.remove_container, container["Id"], force=True, v=True)
            yield Leftover("container", name, remove)


def _engines(carries: _Carries) -> Iterator[Leftover]:
    for pid, argv in _command_lines():
        if Path(argv[0]).name == "dockerd" and any(carries(word) for word in argv):
            address = argv[argv.index("--host") + 1] if "--host" in argv else None
            yield Leftover("engine", f"dockerd {pid}", partial(_end_engine, pid, address))


def _end_engine(pid: int, address: str | None) -> None:
    """Let a private engine remove its containers, whose processes would outlive it, then end it."""
    from bench.engines.dockerd import remove_all_containers  # noqa: PLC0415

    with suppress(BoxbenchError):  # an engine that does not answer can only be killed
        if address is not None:
            remove_all_containers(address)
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    if not wait_ended(pid, timeout_s=_ENGINE_PATIENCE_S):
        _end(pid)


def _command_lines() -> Iterator[tuple[int, list[str]]]:
    own = _ancestors()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) not in own:
            with suppress(OSError):
                yield int(entry.name), (entry / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")


def _processes(carries: _Carries) -> Iterator[Leftover]:
    for pid, argv in _command_lines():
        if _is_marked(pid, argv, carries):
            yield Leftover("process", f"{pid} ({_program(argv)})", partial(_end_marked, pid, argv, carries))


def _is_marked(pid: int, argv: list[str], carries: _Carries) -> bool:
    return any(carries(text) for text in _marks_of(Path("/proc") / str(pid), argv))


def _end_marked(pid: int, argv: list[str], carries: _Carries) -> None:
    # Ending an engine takes a while and ends many processes: the pid may belong to another process by now.
    if _is_marked(pid, argv, carries):
        _end(pid)


def _program(argv: list[str]) -> str:
    # A box chooses its own command line, so control characters are replaced before it is printed.
    name = "".join(letter if letter.isprintable() else "?" for letter in Path(argv[0]).name)
    return name[:40] or "no command line"


def _marks_of(entry: Path, argv: list[str]) -> Iterator[str]:
    """Texts that show the tag of a process's box: root directory, control group, mounts, options of known programs."""
    try:
        yield str((entry / "root").readlink())
        yield (entry / "cgroup").read_text(encoding="ascii", errors="replace")
        yield from _channel_mounts((entry / "mountinfo").read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return
    program = Path(argv[0]).name
    if program.startswith("qemu-system") or program in _PROGRAMS:
        yield from argv[1:]


def _channel_mounts(mountinfo: str) -> Iterator[str]:
    """The directory that a container's channel is mounted from, which is the box's run directory.

    No other mount counts: services with a mount namespace of their own see those of boxes that run on the host.
    """
    for mount in parse_mounts(mountinfo):
        if mount.point == CHANNEL_IN_BOX:
            yield mount.root


def _ancestors() -> set[int]:
    """This process and all processes above it: boxbench must not end what it runs in."""
    pids: set[int] = set()
    pid: int | None = os.getpid()
    while pid is not None and pid not in pids:
        pids.add(pid)
        pid = parent_of(pid)
    return pids


def _end(pid: int) -> None:
    if not kill_and_wait(pid):
        raise TeardownError(f"process {pid} did not end on SIGKILL", hint="it hangs in the kernel; look at `dmesg`")


def _mounts(carries: _Carries) -> Iterator[Leftover]:
    for point in reversed([mount.point for mount in read_mounts()]):
        if carries(point):
            # An engine that ends unmounts its own mounts: earlier, or at this very moment.
            yield Leftover("mount", point, partial(unmount, point))


def _cgroups(carries: _Carries) -> Iterator[Leftover]:
    # Inner groups first.
    for path in sorted(_find_groups(carries), key=lambda path: -len(path.parts)):
        yield Leftover("cgroup", str(path), partial(_remove_cgroup, path))


def find_groups(tag: str) -> list[Path]:
    """The directories of all control groups, in any hierarchy, whose path has ``tag`` in it."""
    return _find_groups(_Carries(tag))


def _find_groups(carries: _Carries) -> list[Path]:
    return [Path(directory) for directory, _, _ in _walk(CGROUP_ROOT, _CGROUP_DEPTH) if carries(directory)]


def _remove_cgroup(path: Path) -> None:
    if remove_groups((path,), MonotonicClock()):
        raise TeardownError(f"the control group {path} stays", hint="its cgroup.procs names the processes in it")


def _walk(top: Path, depth: int) -> Iterator[tuple[str, list[str], list[str]]]:
    base = len(top.parts)
    for directory, folders, files in os.walk(top):
        if len(Path(directory).parts) - base >= depth:
            folders.clear()
        yield directory, folders, files


def _traces(carries: _Carries) -> Iterator[Leftover]:
    for path in find_instances():
        if carries(path.name):
            yield Leftover("trace", str(path), partial(remove_instance, path))


def _directories(carries: _Carries) -> Iterator[Leftover]:
    for top in (run_root(), boxes_root()):
        # A box's run directory is inside its campaign's. Directories of living campaigns may vanish during the search.
        for directory, folders, _ in _walk(top, 2):
            for path in (Path(directory, name) for name in sorted(folders)):
                if not carries(path.name) or path.is_symlink():
                    continue
                yield Leftover("directory", str(path), partial(_remove_directory, path))


def _remove_directory(path: Path) -> None:
    # The directory of a box is removed with its campaign's.
    with suppress(FileNotFoundError):
        shutil.rmtree(path)
