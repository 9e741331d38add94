"""Runs an image's command once in a container, without a network, until it is clear what it does."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from docker.errors import DockerException
from docker.types import LogConfig
from requests.exceptions import RequestException

from bench.agent.boxconf import HOSTNAME
from bench.host.read import HOST_ROOT, read_text
from bench.host.run_directory import box_labels
from bench.image.etc_files import OWN_ADDRESS
from bench.image.model import Image
from bench.infer.attempt import Attempt
from bench.util.errors import LaunchError
from bench.util.interrupts import held_back

if TYPE_CHECKING:
    import docker

WATCH_S: Final = 10.0
"""How long a command that neither ends nor listens is watched."""
SETTLE_S: Final = 1.0
"""How long a command is still watched after it has listened: it may yet end, or listen on another port."""
UP_S: Final = 3.0
"""How long a command with a HEALTHCHECK is watched. One that lacks something it needs ends within it."""
_EVERY_S: Final = 0.1
_MOST_PROCESSES: Final = 4096
_MOST_LOG: Final = "64m"
_MOST_OUTPUT: Final = 64 * 2**10
"""So much of the end of the output is asked for."""
_LISTEN: Final = "0A"
"""The state of a listening socket in /proc/net/tcp."""


def try_image(
    client: docker.DockerClient,
    image: Image,
    tag: str,
    *,
    settled: bool,
    ports: Sequence[int],
    most_memory_bytes: int,
) -> Attempt:
    """Run the command of a finished image, as boxes run it, and watch it. Nothing of it is left.

    Args:
        tag: the container's name and label.
        settled: it is known how the image becomes ready; it only must not end at once.
        ports: the exposed ones. Without any, every port that listens counts.
        most_memory_bytes: a limit, since nobody knows yet what it needs.

    Raises:
        LaunchError: the engine cannot run the container.
    """
    try:
        with _container(client, image, tag, most_memory_bytes) as container:
            return _watch(client, container, settled, frozenset(ports))
    except (DockerException, RequestException) as error:
        raise LaunchError(
            f"{image.name}: the image cannot be run in a container: {error}",
            hint="say with --ready when it is ready, so that it is not tried",
        ) from None


@contextmanager
def _container(client: docker.DockerClient, image: Image, tag: str, most_memory_bytes: int) -> Iterator[str]:
    config = image.config
    try:
        client.api.create_container(
            image.id,
            entrypoint=list(config.argv[:1]),
            command=list(config.argv[1:]),
            environment=list(config.env),
            working_dir=config.cwd,
            user=config.user,
            name=tag,
            labels=box_labels(tag),
            hostname=HOSTNAME,
            healthcheck={"test": ["NONE"]},
            host_config=client.api.create_host_config(
                network_mode="none",
                extra_hosts={HOSTNAME: OWN_ADDRESS},
                mem_limit=most_memory_bytes,
                pids_limit=_MOST_PROCESSES,
                log_config=LogConfig(type="json-file", config={"max-size": _MOST_LOG}),
            ),
        )
        client.api.start(tag)
        yield tag
    finally:
        # No search follows this removal, so Ctrl-C must not break it off.
        with held_back(), suppress(DockerException, RequestException):
            client.api.remove_container(tag, v=True, force=True)


def _watch(client: docker.DockerClient, container: str, settled: bool, exposed: frozenset[int]) -> Attempt:
    begun = time.monotonic()
    limit = begun + (UP_S if settled else WATCH_S)
    ports: tuple[int, ...] = ()
    while True:
        about = client.api.inspect_container(container)
        state = about["State"]
        now = time.monotonic()
        if not state["Running"] or now >= limit:
            break
        found = listening_ports(int(state["Pid"]), about["Id"])
        if found != ports:
            ports = found
            if exposed & set(ports) or (ports and not exposed):
                limit = min(limit, now + SETTLE_S)
        threading.Event().wait(_EVERY_S)
    stdout = client.api.logs(container, stdout=True, stderr=False, tail=1)
    both = client.api.logs(container, tail=20)[-_MOST_OUTPUT:].decode("utf-8", "replace").strip()
    return Attempt(
        watched_s=time.monotonic() - begun,
        exit_code=None if state["Running"] else int(state["ExitCode"]),
        listening=ports,
        printed=bool(stdout),
        last_line=both.splitlines()[-1] if both else "",
        anon_bytes=_anon_bytes(client, container) if state["Running"] else None,
    )


def listening_ports(pid: int, container: str, root: Path = HOST_ROOT) -> tuple[int, ...]:
    """TCP ports on which something listens in the network namespace of a container's process, ascending.

    Empty also when the process is not of this container: that of an engine on another host has its pid there.

    Args:
        container: its id, which the engine puts into the name of its control group.
    """
    if container not in (read_text(root, f"proc/{pid}/cgroup") or ""):
        return ()
    found = set()
    for table in ("tcp", "tcp6"):
        for line in (read_text(root, f"proc/{pid}/net/{table}") or "").splitlines()[1:]:
            words = line.split()
            if len(words) > 3 and words[3] == _LISTEN:
                with suppress(ValueError):
                    found.add(int(words[1].rpartition(":")[2], 16))
    return tuple(sorted(found))


def _anon_bytes(client: docker.DockerClient, container: str) -> int | None:
    """Anonymous memory of a container; None when the engine does not tell."""
    stats: dict[str, Any] = client.api.stats(container, stream=False, one_shot=True)
    # Control groups of version 2 have anon, those of version 1 total_rss.
    counters = (stats.get("memory_stats") or {}).get("stats") or {}
    value = counters.get("anon", counters.get("total_rss"))
    return value if isinstance(value, int) else None
