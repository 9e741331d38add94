"""Control groups of engines: the parent group of a private engine's containers, and the account of its CPU time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.host.cgroup.find import cpu_group_of
from bench.host.cgroup.group import BoxCgroup, listed_pids
from bench.host.cgroup.own import OwnCgroup, own_cgroup, remove_groups
from bench.host.mounts import cgroup_mode, hierarchies
from bench.host.processes import parent_of
from bench.host.read import HOST_ROOT, read_text
from bench.util.clock import MonotonicClock
from bench.util.errors import HostUnfitError

_SYSTEMD: Final = Path("run/systemd/system")
_SHIM: Final = "containerd-shim"
# A program that ends while we look at it seems to be a stranger, since it has no parent any more.
_LOOKS: Final = 3


@contextmanager
def engine_parent(name: str, *, root: Path = HOST_ROOT) -> Iterator[str | None]:
    """The path of the parent group, for the engine's option. At the end it is removed with the groups below it.

    It takes the place of ``/docker`` and is as deep. Groups of a killed engine are known by its name.

    Args:
        name: the tag of the engine's run directory.

    Returns:
        None on a host where dockerd lets systemd make the groups: systemd removes those of a killed engine.
    """
    mounts = hierarchies(root)
    if cgroup_mode(mounts) == "v2" and (root / _SYSTEMD).is_dir():
        yield None
        return
    try:
        yield f"/{name}"
    finally:
        parents = [root / m.point.lstrip("/") / name for m in mounts]
        remove_groups(parents, MonotonicClock())


@dataclass(frozen=True)
class EngineAccount:
    """The control groups that hold an engine's daemons, its shims and the programs that it starts, and nothing else."""

    groups: tuple[BoxCgroup, ...]

    def cpu_ns(self) -> int | None:
        """CPU time, ns, of everything that ever ran in them; None if one cannot be read."""
        readings = [group.cpu_ns() for group in self.groups]
        known = [reading for reading in readings if reading is not None]
        return sum(known) if len(known) == len(readings) else None


def engine_account(daemons: Iterable[int], *, root: Path = HOST_ROOT) -> EngineAccount | None:
    """The account of an engine, which counts in ns. None if its daemons share a group with anything else.

    Then only the kernel's ticks tell what their ended children used. A private engine has a group of its own. systemd
    gives one to each of its services, and the containers have theirs elsewhere.

    Args:
        daemons: the pids of the engine's daemons, at least one.
    """
    pids = frozenset(daemons)
    groups: dict[tuple[Path, ...], BoxCgroup] = {}
    for pid in pids:
        group = cpu_group_of(pid, root=root)
        if group is None or not any(_holds_only(group, pids, root) for _ in range(_LOOKS)):
            return None
        groups[tuple(group.directories.values())] = group
    return EngineAccount(tuple(groups.values())) if groups else None


def describe_engine_account(daemons: Iterable[int]) -> str:
    """How the CPU time of an engine is counted, for records."""
    pids = tuple(daemons)
    if not pids:
        return "none: the engine's processes are not on this host"
    if engine_account(pids) is not None:
        return "control group of the engine, in ns"
    return "ticks of 10 ms, up to 10 ms too low for each program that the engine started: it shares its control group"


def _holds_only(group: BoxCgroup, daemons: frozenset[int], root: Path) -> bool:
    """Whether a group holds daemons, shims and their descendants only, and no group with processes lies below it."""
    return all(
        inner == directory and _is_engines(pid, daemons, root)
        for directory in group.directories.values()
        for pid, inner in listed_pids(directory)
    )


def _is_engines(pid: int, daemons: frozenset[int], root: Path) -> bool:
    at: int | None = pid
    while at is not None and at > 1:
        # Who is not root cannot see the program of root's process, but its name.
        if at in daemons or (read_text(root, f"proc/{at}/comm") or "").startswith(_SHIM):
            return True
        at = parent_of(at, root=root)
    return False


@contextmanager
def engine_group(name: str, *, unified: bool = False, root: Path = HOST_ROOT) -> Iterator[OwnCgroup | None]:
    """A group that counts the CPU time of a private engine. What is still in it at the end is killed.

    Args:
        name: a tag.
        unified: make it in the v2 tree also where v1 counts CPU time, since the engine's boxes have groups in v2 only.

    Returns:
        None on a host where no group can be made: the engine works without it.
    """
    with ExitStack() as stack:
        try:
            group = stack.enter_context(own_cgroup(name, only="unified" if unified else "cpuacct", root=root))
        except HostUnfitError:
            group = None
        yield group
