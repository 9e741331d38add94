"""A private instance of the kernel's event trace. It follows one process tree, with CLOCK_MONOTONIC stamps."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.host.mounts import Mount, read_mounts
from bench.host.run_directory import LABEL
from bench.util import proc
from bench.util.errors import BoxbenchError, HostUnfitError, ProcessError, TeardownError

TRACEFS: Final = Path("/sys/kernel/tracing")
# Older kernels and some distributions mount it here.
_ELSEWHERE: Final = Path("/sys/kernel/debug/tracing")
_MOUNT_TIMEOUT_S: Final = 10.0
# A docker start takes about 2 MiB. Events that do not fit are dropped and counted, so this has to be ample.
_BUFFER_TOTAL_KIB: Final = 64 * 1024
_BUFFER_MIN_KIB, _BUFFER_MAX_KIB = 1024, 16 * 1024
# The inode number of the first pid namespace: fixed since Linux 3.8, see include/uapi/linux/nsfs.h.
_FIRST_PID_NAMESPACE: Final = "pid:[4026531836]"
_STATS_OF_LOSS: Final = ("overrun", "commit overrun", "dropped events")

# A guest enters KVM a hundred thousand times in a start. Only the first entry is wanted, at x86's reset vector.
_FILTERS: Final = {"kvm/kvm_entry": "vcpu_id == 0 && rip == 0xfff0"}


@dataclass(frozen=True)
class RawTrace:
    """The recorded pages of the kernel's ring buffer, not decoded."""

    pages: Mapping[int, tuple[bytes, ...]]
    """Pages by CPU number, oldest first."""
    lost: int
    """The number of events that did not fit. If it is not 0, the trace is incomplete."""

    @property
    def size_bytes(self) -> int:
        """The size of all pages."""
        return sum(len(page) for pages in self.pages.values() for page in pages)


def why_no_trace() -> str | None:
    """None if this process can trace the kernel, else the reason in one sentence. Mounts nothing."""
    if os.geteuid() != 0:
        return "the kernel's event trace (tracefs) can be used by root only"
    if Path("/proc/self/ns/pid").readlink() != Path(_FIRST_PID_NAMESPACE):
        return "boxbench runs in its own pid namespace, and the kernel's trace has the process numbers of the host"
    if "tracefs" not in Path("/proc/filesystems").read_text(encoding="ascii"):
        return "this kernel has no tracefs (CONFIG_FTRACE is off)"
    return None


def mounted_tracefs() -> Path | None:
    """The directory where tracefs is mounted; None if it is not."""
    points = {mount.point for mount in read_mounts() if mount.kind == "tracefs"}
    return next((path for path in (TRACEFS, _ELSEWHERE) if str(path) in points), None)


@contextmanager
def tracefs() -> Iterator[Path]:
    """The directory of tracefs, which is mounted for the time of the context if it was not.

    Raises:
        HostUnfitError: this is not root, the kernel has no tracefs, or it cannot be mounted.
    """
    reason = why_no_trace()
    if reason is not None:
        raise HostUnfitError(reason, hint="run anatomy as root on the host itself; `boxbench run` needs no trace")
    with ExitStack() as stack:
        root = mounted_tracefs()
        if root is None:
            root = TRACEFS
            try:
                proc.run(["mount", "-t", "tracefs", LABEL, str(root)], timeout_s=_MOUNT_TIMEOUT_S)
            except ProcessError as error:
                raise HostUnfitError(
                    f"tracefs cannot be mounted on {root}: {error.message}",
                    hint="check whether the kernel is in lockdown mode (/sys/kernel/security/lockdown)",
                ) from None
            stack.callback(_unmount, root)
        yield root


def is_our_mount(mount: Mount) -> bool:
    """Whether Boxbench mounted the tracefs: its name is the mount's source."""
    return mount.kind == "tracefs" and mount.source == LABEL


def _unmount(root: Path) -> None:
    # Another program may use it by now. Then it stays mounted, which does no harm.
    with suppress(BoxbenchError):
        proc.run(["umount", str(root)], timeout_s=_MOUNT_TIMEOUT_S)


class TraceInstance:
    """A trace with its own buffers, events and processes, independent of other traces on this host."""

    def __init__(self, root: Path, name: str) -> None:
        self.path = root / "instances" / name
        self.missing: tuple[str, ...] = ()
        """The optional events that this kernel lacks."""

    @classmethod
    @contextmanager
    def create(cls, name: str, *, required: Iterable[str], optional: Iterable[str]) -> Iterator[TraceInstance]:
        """A new instance that has these events (such as ``sched/sched_switch``), is off and follows no process.

        Raises:
            HostUnfitError: there is no permission or no tracefs, or the kernel lacks a required event.
        """
        with tracefs() as root:
            instance = cls(root, name)
            with ExitStack() as stack:
                stack.callback(instance._remove)
                try:
                    instance.path.mkdir()
                    instance._configure(tuple(required), tuple(optional))
                except OSError as error:
                    raise HostUnfitError(
                        f"the kernel refused a trace instance at {instance.path}: {error.strerror}",
                        hint="check for lockdown mode and free memory; `dmesg` may have more",
                    ) from None
                yield instance

    def follow(self, threads: Iterable[int]) -> None:
        """Record only these threads and those that they start from now on."""
        self._write("set_event_pid", " ".join(str(thread) for thread in threads))

    def restart(self) -> None:
        """Discard the recorded events and start recording."""
        self._write("trace", "")
        self._write("tracing_on", "1")

    def stop(self) -> None:
        """Stop recording. Cheap, and safe to call twice."""
        self._write("tracing_on", "0")

    def format(self, event: str) -> str | None:
        """The kernel's description of an event's layout; None if there is no such event."""
        try:
            return (self.path / "events" / event / "format").read_text(encoding="ascii")
        except OSError:
            return None

    def page_format(self) -> str:
        """The kernel's description of the layout of a ring buffer page."""
        return (self.path / "events" / "header_page").read_text(encoding="ascii")

    def read(self) -> RawTrace:
        """Read the buffers of all CPUs. Call ``stop`` first."""
        pages, lost = {}, 0
        for directory in sorted((self.path / "per_cpu").iterdir()):
            number = int(directory.name.removeprefix("cpu"))
            lost += _lost(directory)
            pages[number] = _pages(directory / "trace_pipe_raw")
        return RawTrace(pages, lost)

    def _configure(self, required: tuple[str, ...], optional: tuple[str, ...]) -> None:
        self._write("tracing_on", "0")
        self._write("trace_clock", "mono")
        # Drop and count the newest events; overwriting would lose the beginning without a count.
        self._write("options/overwrite", "0")
        self._write("options/event-fork", "1")
        cpus = os.cpu_count() or 1
        size = min(_BUFFER_MAX_KIB, max(_BUFFER_MIN_KIB, _BUFFER_TOTAL_KIB // cpus))
        self._write("buffer_size_kb", str(size))
        # An empty list would mean all processes, so this lists a number that no process has.
        self._write("set_event_pid", _free_pid())
        missing = [event for event in required if not self._enable(event)]
        if missing:
            raise HostUnfitError(
                f"this kernel cannot trace {', '.join(missing)}",
                hint="it lacks CONFIG_FTRACE_SYSCALLS or scheduler events; use the kernel of a distribution",
            )
        self.missing = tuple(event for event in optional if not self._enable(event))

    def _enable(self, event: str) -> bool:
        if not (self.path / "events" / event / "enable").exists():
            return False
        try:
            if event in _FILTERS:
                self._write(f"events/{event}/filter", _FILTERS[event])
        except OSError:
            # This kernel lacks a field of the filter (older, or not x86). Unfiltered the event would fill the buffers.
            return False
        self._write(f"events/{event}/enable", "1")
        return True

    def _write(self, name: str, text: str) -> None:
        (self.path / name).write_text(text, encoding="ascii")

    def _remove(self) -> None:
        if self.path.is_dir():
            remove_instance(self.path)


def _free_pid() -> str:
    return Path("/proc/sys/kernel/pid_max").read_text(encoding="ascii").strip()


def _lost(directory: Path) -> int:
    lost = 0
    for line in (directory / "stats").read_text(encoding="ascii").splitlines():
        name, _, value = line.partition(": ")
        if name in _STATS_OF_LOSS:
            lost += int(value)
    return lost


def _pages(file: Path) -> tuple[bytes, ...]:
    pages = []
    size = os.sysconf("SC_PAGE_SIZE")
    fd = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        # One read returns at most one page, and nothing if the buffer is empty.
        while page := _chunk(fd, size):
            pages.append(page)
    finally:
        os.close(fd)
    return tuple(pages)


def _chunk(fd: int, size: int) -> bytes:
    try:
        return os.read(fd, size)
    except BlockingIOError:
        return b""


def find_instances(root: Path | None = None) -> tuple[Path, ...]:
    """All trace instances on this host; empty if tracefs is not mounted or cannot be read."""
    top = root or mounted_tracefs()
    if top is None:
        return ()
    try:
        return tuple(sorted((top / "instances").iterdir()))
    except OSError:
        return ()


def remove_instance(path: Path) -> None:
    """Remove a trace instance and its events. Raises TeardownError if a program still reads it."""
    try:
        (path / "tracing_on").write_text("0", encoding="ascii")
        path.rmdir()
    except OSError as error:
        if error.errno == errno.ENOENT:
            return
        raise TeardownError(
            f"the trace instance {path} cannot be removed: {error.strerror}",
            hint="a program has one of its files open; `fuser` shows which",
        ) from None
