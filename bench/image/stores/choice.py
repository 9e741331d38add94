"""Which of the engines holds the images of a campaign."""

from __future__ import annotations

from bench.engines.lazy import Engines
from bench.image.stores.base import ImageStore
from bench.image.stores.docker import DockerStore


def image_store(engines: Engines) -> ImageStore:
    """The engine that builds and holds images. Raises HostUnfitError: there is none, and none can be started."""
    return DockerStore(engines.docker.client)
