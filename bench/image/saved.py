"""An image as an archive that other engines can load: what ``docker save`` writes."""

from __future__ import annotations

from pathlib import Path

import docker
from docker.errors import DockerException
from requests.exceptions import RequestException

from bench.image.model import Image
from bench.util import cache
from bench.util.errors import BuildError


def ensure_archive(client: docker.DockerClient, image: Image) -> Path:
    """The archive of ``image``, cached by its id and name. Raises BuildError when the engine does not give it.

    The name is in it: two scenarios may build the same image, and what loads it asks for it by name.
    """
    key = f"{cache.content_key(image.id, image.ref)}.tar"
    return cache.ensure("saved", key, lambda path: _save(client, image, path))


def _save(client: docker.DockerClient, image: Image, path: Path) -> None:
    try:
        with path.open("wb") as file:
            for chunk in client.images.get(image.id).save(named=image.ref):
                file.write(chunk)
    except (DockerException, RequestException) as error:
        raise BuildError(
            f"the engine does not save image {image.ref}: {error}", hint="was it removed meanwhile? run again"
        ) from None


def layers_of(client: docker.DockerClient, image: Image) -> list[str]:
    """Digests of the image's unpacked layers, lowest first. Raises BuildError when the engine does not tell."""
    try:
        layers: list[str] = client.images.get(image.id).attrs["RootFS"]["Layers"]
    except (DockerException, RequestException) as error:
        raise BuildError(
            f"the engine does not know image {image.ref}: {error}", hint="was it removed meanwhile? run again"
        ) from None
    return layers
