"""Processes of boxes, and of the engines and tools that make them.

A box's processes may be any program of any user. They are known by what only the kernel or root can set: their control
group, their root directory, the mount of their channel. A program of ours that runs outside a box is known by its user,
its executable file, and the run directory of a box on its command line.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from bench.agent.boxconf import CHANNEL_IN_BOX
from bench.engines.containerd_api import NAMESPACE
from bench.host.accounts import vmm_uids
from bench.host.mounts import parse_mounts
from bench.host.processes import Process, command_lines, end_process, own_uids, parent_of, program_of, runs_as
from bench.host.read import HOST_ROOT, read_text
from bench.host.run_directory import LABEL, Tag, parse_tag
from bench.run.cleanup.leftover import Leftover, Wanted
from bench.run.cleanup.places import Places
from bench.util.errors import TeardownError

_KILL: Final = ((signal.SIGKILL, 10.0),)
_PROGRAMS: Final = frozenset(
    (
        "boxinit", "bwrap", "conmon", "containerd", "containerd-shim-runc-v2", "crun", "ctr", "docker", "dockerd",
        "docker-registry", "podman", "qemu-img", "runc", "runsc", "unshare",
    )
)  # fmt: skip
"""Programs of which the run directory on their command line shows the box."""
_SHIM: Final = "containerd-shim-runc-v2"
_VMM: Final = ("qemu-system", "qemu-kvm")
# Where libvirt's system daemon, which runs as root, notes the pid of a domain's QEMU.
_LIBVIRT_PIDS: Final = "run/libvirt/qemu"


def find_processes(wanted: Wanted) -> Iterator[Leftover]:
    """Processes of boxes, and of tools and engines that were starting one."""
    own, places = _ancestors(), Places.here()
    for pid, argv in command_lines():
        process = None if pid in own else Process.of(pid)
        if process is not None and any(map(wanted, tags_of(pid, argv, places))):
            yield Leftover("process", f"{pid} ({_shown(pid, argv)})", partial(end, process))


def tags_of(pid: int, argv: list[str], places: Places, *, root: Path = HOST_ROOT) -> Iterator[Tag | None]:
    """The tags of the boxes or campaigns that a process belongs to."""
    entry = root / f"proc/{pid}"
    try:
        yield places.tag_of_path(str((entry / "root").readlink()))
        for line in (entry / "cgroup").read_text(encoding="utf-8", errors="replace").split("\n"):
            if LABEL in line:
                yield places.tag_of_group(line.split(":", 2)[-1])
        yield _tag_of_channel((entry / "mountinfo").read_text(encoding="utf-8", errors="replace"), places)
    except OSError:
        return
    if any(LABEL in word for word in argv):
        yield _tag_of_words(pid, argv, places, root)


def _tag_of_channel(mountinfo: str, places: Places) -> Tag | None:
    """The tag of the run directory that a container's channel is mounted from.

    No other mount counts: services with a mount namespace of their own see those of boxes that run on the host.
    """
    if CHANNEL_IN_BOX in mountinfo:
        for mount in parse_mounts(mountinfo):
            if mount.point == CHANNEL_IN_BOX:
                return places.tag_of_channel(mount.root)
    return None


def _tag_of_words(pid: int, argv: list[str], places: Places, root: Path) -> Tag | None:
    program = program_of(pid, root=root) or ""
    if program.startswith(_VMM):
        # libvirt's system daemon may give QEMU any user.
        ours = runs_as(pid, vmm_uids(), root=root) or _is_libvirts(pid, argv, root)
        return _tag_of_vm(argv, places) if ours else None
    if not runs_as(pid, own_uids(), root=root):
        return None
    if program == _SHIM and value_of(argv, "-namespace") == NAMESPACE:
        return parse_tag(value_of(argv, "-id") or "")
    if program in _PROGRAMS:
        return next((tag for word in argv[1:] for tag in places.tags_in_argument(word)), None)
    return None


def _tag_of_vm(argv: list[str], places: Places) -> Tag | None:
    """The tag of a QEMU that has it as its name, in full, and that uses a file of its run or storage directory."""
    tag = parse_tag(_guest_name(argv))
    used = {found.owner for word in argv[1:] for found in places.tags_in_argument(word)}
    return tag if tag is not None and tag.owner in used else None


def _guest_name(argv: list[str]) -> str:
    return (value_of(argv, "-name") or "").partition(",")[0].removeprefix("guest=")


def value_of(argv: list[str], option: str) -> str | None:
    """The argument after ``option``; None if there is none."""
    following = argv[argv.index(option) + 1 :] if option in argv else []
    return following[0] if following else None


def _is_libvirts(pid: int, argv: list[str], root: Path) -> bool:
    """Whether libvirt's system daemon started it; its QEMU may run as a user of its own."""
    name = _guest_name(argv)
    return parse_tag(name) is not None and read_text(root, f"{_LIBVIRT_PIDS}/{name}.pid") == str(pid)


def _shown(pid: int, argv: list[str]) -> str:
    # A box chooses its own command line, so control characters are replaced before it is printed.
    name = Path(argv[0]).name or program_of(pid) or "no command line"
    return "".join(letter if letter.isprintable() else "?" for letter in name)[:40]


def _ancestors() -> set[int]:
    """This process and all processes above it: boxbench must not end what it runs in."""
    pids: set[int] = set()
    pid: int | None = os.getpid()
    while pid is not None and pid not in pids:
        pids.add(pid)
        pid = parent_of(pid)
    return pids


def end(process: Process, ladder: Sequence[tuple[signal.Signals, float]] = _KILL) -> None:
    """Send a process signals, each with the seconds until the next one. Raises TeardownError if it survives them."""
    if not end_process(process, ladder):
        raise TeardownError(
            f"process {process.pid} did not end on SIGKILL", hint="it hangs in the kernel; look at `dmesg`"
        )
