"""Making and removing control groups, for boxes without an engine (bare process, bare QEMU)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from bench.host.cgroup.find import CONTROLLERS, CPU_ACCOUNT
from bench.host.cgroup.group import UNIFIED, BoxCgroup
from bench.host.cgroup.kill import kill_tasks
from bench.host.mounts import Mount, hierarchies
from bench.host.read import HOST_ROOT
from bench.util.clock import Clock, MonotonicClock
from bench.util.errors import HostUnfitError, TeardownError
from bench.util.tree import remove_directories

_FREEZER: Final = "freezer"
PARENT: Final = "boxbench"
"""The parent of all groups that Boxbench makes, so that leftovers can be found."""

# A task leaves its group shortly after its parent has reaped it.
_REMOVE_TRIES: Final = 100
_REMOVE_PAUSE_S: Final = 0.01
RUNTIME_CONTROLLERS: Final = ("cpuset", "cpu", "io", "memory", "pids")


@dataclass(frozen=True)
class OwnCgroup(BoxCgroup):
    """A group that Boxbench made."""

    freezer: Path | None = None
    """v1 only: its directory in the hierarchy that can freeze it. It belongs to the group, and has no counters."""

    @property
    def join_files(self) -> tuple[Path, ...]:
        """The files that move a process into the group: write its pid, or 0 for the writer, to each of them."""
        return tuple(directory / "cgroup.procs" for directory in _distinct(self))

    def add(self, *pids: int) -> None:
        """Move processes with all their threads into the group. What they start from now on is in it too.

        A process that has ended is no error.

        Raises:
            HostUnfitError: the kernel refuses.
        """
        for pid in pids:
            try:
                for file in self.join_files:
                    file.write_text(str(pid), encoding="ascii")
            except ProcessLookupError:
                continue
            except OSError as error:
                raise HostUnfitError(
                    f"process {pid} cannot join {file.parent}: {error.strerror}",
                    hint="run as root",
                ) from None

    def kill(self, *, spare: int | None = None) -> None:
        """Kill every process in it and below it, whatever they fork meanwhile.

        Args:
            spare: a process that may live on.
        """
        kill_tasks(_distinct(self), spare=spare)


@contextmanager
def own_cgroup(
    name: str,
    *,
    memory_bytes: int | None = None,
    only: Literal["cpuacct", "unified"] | None = None,
    root: Path = HOST_ROOT,
    clock: Clock | None = None,
) -> Iterator[OwnCgroup]:
    """Make ``boxbench/NAME`` in every hierarchy with memory, CPU or block I/O accounting, and in v1's freezer.

    At the end every process in it is killed and the group is removed.

    Args:
        name: unique on the host, safe as a file name.
        memory_bytes: a hard limit, without additional swap; None sets no limit.
        only: make it only in one hierarchy, the v1 one that counts CPU time or the v2 one; in the other where that is
            not mounted. No controller is enabled for it.

    Raises:
        HostUnfitError: there is no hierarchy, or no permission to make groups in it.
        TeardownError: a process survived SIGKILL in the group, which therefore stays.
    """
    hierarchies = _hierarchies(root, only)
    directories = {key: base / PARENT / name for key, base in hierarchies.items()}
    freezer = None if UNIFIED in hierarchies or only else _v1_hierarchy(root, _FREEZER)
    group = OwnCgroup(
        "v2" if UNIFIED in hierarchies else "v1",
        directories,
        freezer=None if freezer is None else freezer / PARENT / name,
    )
    made: list[Path] = []
    try:
        _make(group, made, hand_down=group.version == "v2" and not only, memory_bytes=memory_bytes)
        yield group
    except BaseException as error:
        # The first error is raised; a leftover group is noted on it.
        try:
            _remove(made, clock or MonotonicClock())
        except TeardownError as leftover:
            error.add_note(leftover.message)
        raise
    _remove(made, clock or MonotonicClock())


@contextmanager
def parents_for_runtimes(*names: str, root: Path = HOST_ROOT) -> Iterator[None]:
    """Make the group ``boxbench`` in every hierarchy, for runtimes that make groups of boxes below it.

    An engine's parent group exists before most of its containers too. And some runtimes cannot make one in a v1
    cpuset hierarchy, where a new group has no CPUs.

    Args:
        names: further groups to make, each below the one before. At the end they are removed, with the groups that
            a runtime left below them. ``boxbench`` itself is removed where it is empty.

    Raises:
        HostUnfitError: there is no permission to make groups.
    """
    mounts = hierarchies(root)
    depths = [Path(PARENT, *names[:depth]) for depth in range(len(names) + 1)]
    parents = [(root / mount.point.lstrip("/") / path, mount) for mount in mounts for path in depths]
    try:
        _make_parents(parents)
        yield
    finally:
        directories = [parent for parent, _ in reversed(parents)]
        inner = [group for parent in directories if names and parent.name == names[-1] for group in parent.glob("*/")]
        remove_groups([*sorted(inner), *(parent for parent in directories if parent.name != PARENT)], MonotonicClock())
        for parent in directories:
            # Another campaign may have groups in the outermost one.
            with contextlib.suppress(OSError):
                parent.rmdir()


def _make_parents(parents: Sequence[tuple[Path, Mount]]) -> None:
    try:
        for parent, mount in parents:
            _make_parent(parent, mount)
    except OSError as error:
        raise HostUnfitError(
            f"the control group {error.filename} cannot be made: {error.strerror}",
            hint="run as root, or leave out the targets that need it",
        ) from None


def _make_parent(parent: Path, mount: Mount) -> None:
    parent.mkdir(exist_ok=True)
    if mount.kind == "cgroup2":
        _hand_down(parent.parent, RUNTIME_CONTROLLERS)
        _hand_down(parent, RUNTIME_CONTROLLERS)
    elif "cpuset" in mount.options:
        for name in ("cpuset.cpus", "cpuset.mems"):
            (parent / name).write_text((parent.parent / name).read_text(encoding="ascii"), encoding="ascii")


def _hierarchies(root: Path, only: str | None) -> dict[str, Path]:
    """The mount point of each v1 controller, or of ``only`` one; only ``unified`` if v2 has them."""
    controllers = CONTROLLERS if only is None else (CPU_ACCOUNT,)
    v1 = {name: path for name in controllers if (path := _v1_hierarchy(root, name)) is not None}
    v2 = [root / mount.point.lstrip("/") for mount in hierarchies(root) if mount.kind == "cgroup2"]
    if v2 and (only == UNIFIED or not v1):
        return {UNIFIED: v2[0]}
    if v1:
        return v1
    raise HostUnfitError(
        "no control group hierarchy with controllers is mounted on this host",
        hint="mount cgroup2 on /sys/fs/cgroup (mount -t cgroup2 none /sys/fs/cgroup)",
    )


def _v1_hierarchy(root: Path, controller: str) -> Path | None:
    found = [m.point for m in hierarchies(root) if m.kind == "cgroup" and controller in m.options]
    return root / found[-1].lstrip("/") if found else None


def _make(group: OwnCgroup, made: list[Path], *, hand_down: bool, memory_bytes: int | None) -> None:
    doing = "made"
    try:
        for directory in _distinct(group):
            _make_directory(directory, hand_down=hand_down)
            made.append(directory)
        doing = "given its limits"
        if memory_bytes is not None:
            _limit_memory(group, memory_bytes)
    except OSError as error:
        raise HostUnfitError(
            f"the control group {error.filename} cannot be {doing}: {error.strerror}",
            hint="run as root on a kernel with the memory and cpu controllers, or leave out the targets that need it",
        ) from None


def _distinct(group: OwnCgroup) -> list[Path]:
    # cpu and cpuacct are often one hierarchy.
    return sorted({*group.directories.values(), *([group.freezer] if group.freezer is not None else [])})


def _make_directory(directory: Path, *, hand_down: bool) -> None:
    parent = directory.parent
    if hand_down:
        _hand_down(parent.parent)
    for attempt in range(3):
        parent.mkdir(exist_ok=True)
        try:
            if hand_down:
                _hand_down(parent)
            directory.mkdir()
            return
        except FileNotFoundError:
            # Another campaign removed the parent while it was empty.
            if attempt == 2:
                raise


def _hand_down(directory: Path, controllers: Sequence[str] = ("memory", "cpu", "io")) -> None:
    """Enable controllers for the groups below ``directory`` (v2). A controller that the kernel refuses is skipped."""
    for controller in controllers:
        with contextlib.suppress(OSError):
            (directory / "cgroup.subtree_control").write_text(f"+{controller}", encoding="ascii")


def _limit_memory(group: OwnCgroup, memory_bytes: int) -> None:
    """Limit memory without additional swap, as engines limit their boxes."""
    v1 = group.version == "v1"
    limit = _file(group, "memory", "memory.limit_in_bytes" if v1 else "memory.max")
    limit.write_text(str(memory_bytes), encoding="ascii")
    # v1 limits the sum of memory and swap, which must not be below the memory limit; hence this order. Kernels without
    # swap accounting do not have the file.
    swap = limit.with_name("memory.memsw.limit_in_bytes" if v1 else "memory.swap.max")
    if swap.exists():
        swap.write_text(str(memory_bytes) if v1 else "0", encoding="ascii")


def _file(group: OwnCgroup, controller: str, name: str) -> Path:
    directory = group.directories.get(controller if group.version == "v1" else UNIFIED)
    file = Path(controller) if directory is None else directory / name
    if not file.exists():
        # Opening a missing control file for writing would report "permission denied", which is misleading.
        raise FileNotFoundError(2, f"the kernel offers no {controller} controller here", str(file))
    return file


def _remove(made: list[Path], clock: Clock) -> None:
    left = remove_groups(made, clock)
    pids = BoxCgroup("v1", {str(path): path for path in left}).pids()
    for directory in made:
        # The parent stays while another campaign has a group in it.
        with contextlib.suppress(OSError):
            directory.parent.rmdir()
    if left:
        raise TeardownError(
            f"the control group {left[0]} still has processes: {' '.join(map(str, pids)) or 'none visible here'}",
            hint="`boxbench clean` removes it once they have ended",
        )


def remove_groups(directories: Sequence[Path], clock: Clock) -> list[Path]:
    """Remove groups and the groups in them, which a workload may have made. Processes that are still in one are killed.

    It tries for a second, since tasks leave a group only after they have ended.

    Returns:
        The groups that could not be removed.
    """
    left = list(directories)
    for attempt in range(_REMOVE_TRIES):
        if attempt == 1:
            kill_tasks(left, clock, patience_s=_REMOVE_TRIES * _REMOVE_PAUSE_S)
        elif attempt:
            clock.sleep(_REMOVE_PAUSE_S)
        left = [directory for directory in left if not _remove_directory(directory)]
        if not left:
            break
    return left


def _remove_directory(directory: Path) -> bool:
    try:
        remove_directories(directory)
    except OSError:
        return False
    return True
