"""Which of the engines holds the images of a campaign."""

from __future__ import annotations

import os
from typing import Final
from weakref import WeakKeyDictionary

from bench.engines.lazy import Engines
from bench.image.stores.base import ImageStore
from bench.image.stores.docker import DockerStore
from bench.image.stores.podman import PodmanStore
from bench.util import proc
from bench.util.errors import HostUnfitError

_CHOSEN: Final[WeakKeyDictionary[Engines, ImageStore]] = WeakKeyDictionary()


def image_store(engines: Engines) -> ImageStore:
    """The engine that builds and holds images: Docker, else podman where no Docker can be had.

    Raises:
        HostUnfitError: there is neither, or the Docker Engine that the user has named does not answer.
    """
    store = _CHOSEN.get(engines)
    if store is None:
        store = _CHOSEN[engines] = _choose(engines)
    return store


def _choose(engines: Engines) -> ImageStore:
    try:
        return DockerStore(engines.docker.client)
    except HostUnfitError:
        # A private Docker Engine needs its program and root. If it has both and fails, the user should know why.
        has_docker = proc.find_tool("dockerd") is not None
        if (has_docker and os.geteuid() == 0) or os.environ.get("DOCKER_HOST"):
            raise
        if proc.find_tool("podman") is None:
            if has_docker:
                raise
            raise HostUnfitError(
                "images are built and held by Docker or by podman, and this host has neither",
                hint="install the packages docker.io and docker-buildx, or podman, and run again; `boxbench doctor` "
                "lists what else is missing",
            ) from None
    return PodmanStore()
