"""What its limits did to a box, by the kernel's counters: processes killed for lack of memory, CPU time denied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.host.cgroup import BoxCgroup, cgroup_of
from bench.host.cgroup.group import UNIFIED
from bench.host.read import HOST_ROOT, parse_keyed, read_text
from bench.run.cleanup import find_groups
from bench.util.doubts import Doubt

# Below this the doubt would say nothing about any number of a trial.
_LEAST_THROTTLED_NS: Final = 10**6


@dataclass(frozen=True)
class OomKills:
    """Processes that the kernel killed for lack of memory since a box was provisioned."""

    own: int | None
    """In the box's control groups; None when it has none of its own, or they are gone."""
    host: int | None
    """On the whole host, the box included; None when the kernel does not count them."""


class LimitCounters:
    """The counters of one box, read before it starts and once more at its end."""

    def __init__(self, tag: str, running: Sequence[int] = ()) -> None:
        """``running``: host pids of what the box runs before its start, such as the VM around a container."""
        self._tag = tag
        groups = _groups_of(running)
        self._own_before = sum(group.oom_kills() or 0 for group in groups)
        self._throttled_before_ns = sum(group.throttled_ns() or 0 for group in groups)
        self._host_before = host_oom_kills()

    def oom_kills(self, main_pid: int | None, *, ended: bool = False) -> OomKills:
        """Kills since the box was provisioned.

        Args:
            main_pid: the box's main process; None when it has ended.
            ended: search for the box's groups by its tag, too: they may outlive its processes. This takes some ms.
        """
        groups = _groups_of(() if main_pid is None else (main_pid,))
        if not groups and ended:
            groups = _groups_named(self._tag)
        counts = [count for group in groups if (count := group.oom_kills()) is not None]
        host = host_oom_kills()
        return OomKills(
            own=max(0, sum(counts) - self._own_before) if counts else None,
            host=None if host is None or self._host_before is None else host - self._host_before,
        )

    def throttling_doubts(self, main_pid: int | None) -> list[str]:
        """``cpu-limit:12.3ms``: how long the living box was held back by its own CPU limit; empty below 1 ms."""
        groups = _groups_of(() if main_pid is None else (main_pid,))
        throttled_ns = sum(group.throttled_ns() or 0 for group in groups) - self._throttled_before_ns
        return [Doubt.CPU_LIMIT.of(f"{throttled_ns / 1e6:.1f}ms")] if throttled_ns >= _LEAST_THROTTLED_NS else []


def host_oom_kills(root: Path = HOST_ROOT) -> int | None:
    """Processes killed for lack of memory since the host booted, in any control group or none."""
    return parse_keyed(read_text(root, "proc/vmstat") or "").get("oom_kill")


def _groups_of(pids: Sequence[int]) -> list[BoxCgroup]:
    """The groups of these processes that are not shared with us, each once."""
    found: list[BoxCgroup] = []
    for pid in pids:
        group = cgroup_of(pid)
        if group is not None and group not in found:
            found.append(group)
    return found


def _groups_named(tag: str) -> list[BoxCgroup]:
    """The groups with ``tag`` in their path that count memory. They may outlive the last process in them."""
    paths = find_groups(tag)
    v1 = [BoxCgroup("v1", {"memory": path}) for path in paths if (path / "memory.oom_control").exists()]
    # A v2 group counts for the groups below it too, so only the outermost is read.
    v2 = [path for path in paths if (path / "memory.events").exists() and path.parent not in paths]
    return v1 or [BoxCgroup("v2", {UNIFIED: path}) for path in v2]
