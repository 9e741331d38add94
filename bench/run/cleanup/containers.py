"""Containers in the engines that run on this host, which other people use too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING

from bench.engines import containerd, dockerd
from bench.run.cleanup.leftover import Leftover, Wanted

if TYPE_CHECKING:
    import docker

    from bench.engines.containerd_api import ContainerdApi


def find_docker_containers(client: docker.DockerClient, wanted: Wanted) -> Iterator[Leftover]:
    """Containers that Boxbench made in a Docker Engine."""
    for identity, tag in dockerd.box_containers(client).items():
        if wanted(tag):
            yield Leftover("container", tag.text, partial(dockerd.remove_container, client, identity))


def find_containerd_records(api: ContainerdApi, wanted: Wanted) -> Iterator[Leftover]:
    """Tasks, containers, snapshots and leases that Boxbench made in a containerd."""
    for tag in containerd.box_records(api):
        if wanted(tag):
            yield Leftover("container", f"{tag.text} (containerd)", partial(containerd.remove_records, api, tag))


@contextmanager
def running_containers(wanted: Wanted) -> Iterator[tuple[Leftover, ...]]:
    """Our containers in the engines that run on this host: no private one is started."""
    found: list[Leftover] = []
    with ExitStack() as stack:
        client = dockerd.running_client()
        if client is not None:
            stack.callback(client.close)
            found += find_docker_containers(client, wanted)
        api = containerd.running_api()
        if api is not None:
            stack.callback(api.close)
            found += find_containerd_records(api, wanted)
        yield tuple(found)
