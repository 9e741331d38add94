"""Find what a box or a campaign left on the host, and remove it.

What is removed is ours beyond doubt. Its name is a tag in full (``bench.host.run_directory.TAG``), and it is where only
Boxbench puts it: a process in a box or of our user with the right program, a mount or directory below the run root or
the boxes' storage, a control group below our parent, a container with our label. A signal goes to the process that was
found and to no later one with its pid.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Final

from bench.host.run_directory import LABEL
from bench.run.cleanup.cgroups import find_cgroups, find_groups
from bench.run.cleanup.containers import find_docker_containers
from bench.run.cleanup.containers import running_containers as _running_containers
from bench.run.cleanup.engines import find_abandoned_data, find_engines
from bench.run.cleanup.files import find_files, find_traces
from bench.run.cleanup.leftover import Leftover, Wanted, remove_leftovers
from bench.run.cleanup.mounts import find_mounts
from bench.run.cleanup.processes import find_processes

if TYPE_CHECKING:
    import docker

__all__ = [
    "Leftover",
    "find_containers",
    "find_groups",
    "find_leftovers",
    "remove_all",
    "remove_leftovers",
    "running_containers",
]

# Engines come first, since they remove their own containers. Processes hold mounts and control groups. Inner mounts
# come before outer ones. An engine that is started on abandoned data needs the mounts of the killed one away.
_SEARCHES: Final = (
    find_engines, find_processes, find_mounts, find_cgroups, find_traces, find_files, find_abandoned_data,
)  # fmt: skip
_ROUNDS: Final = 5


def find_leftovers(tag: str = LABEL) -> tuple[Leftover, ...]:
    """Everything on the host with ``tag``, except containers, in the order in which it has to be removed.

    Args:
        tag: of a box or of a campaign. The label alone means all of ours that no living process owns.
    """
    wanted = Wanted(tag)
    return tuple(leftover for search in _SEARCHES for leftover in search(wanted))


def find_containers(client: docker.DockerClient, tag: str = LABEL) -> tuple[Leftover, ...]:
    """Containers of an engine with our label and ``tag``; they have to be removed before anything else of a box."""
    return tuple(find_docker_containers(client, Wanted(tag)))


def running_containers(tag: str = LABEL) -> AbstractContextManager[tuple[Leftover, ...]]:
    """Our containers in the engines that run on this host: no private one is started."""
    return _running_containers(Wanted(tag))


def remove_all(tag: str, say: Callable[[Leftover], None]) -> tuple[str, ...]:
    """Remove everything with ``tag`` except containers, and what its processes make meanwhile.

    Args:
        say: called with each leftover before it is removed.

    Returns:
        A text for each that could not be removed.
    """
    stuck: tuple[str, ...] = ()
    told: set[str] = set()
    # What a tool was starting when the search passed, such as a container of podman, is found by the next search.
    for _ in range(_ROUNDS):
        found = find_leftovers(tag)
        for leftover in found:
            if str(leftover) not in told:
                told.add(str(leftover))
                say(leftover)
        stuck = remove_leftovers(found)
        if not found or len(stuck) == len(found):
            break
    return stuck
