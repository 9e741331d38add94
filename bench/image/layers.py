"""An image layer by layer: what each is unpacked, and compressed as registries keep it."""

from __future__ import annotations

import json
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final

import docker
from docker.errors import DockerException
from requests.exceptions import RequestException

from bench.image.model import Image
from bench.util import cache
from bench.util.errors import BuildError

_CHUNK: Final = 2**20
_SMALL: Final = 2**22
"""An archive's own lists are smaller; layers that are smaller are read whole too."""
# A gzip stream of the level that engines push with.
_GZIP: Final = 16 + zlib.MAX_WBITS


class _Stream:
    """The engine's chunks as a file that can only be read on."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = b""

    def read(self, size: int) -> bytes:
        while len(self._rest) < size and (chunk := next(self._chunks, b"")):
            self._rest += chunk
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken


def layers_of(client: docker.DockerClient, image: Image) -> dict[str, tuple[int, int]]:
    """By the layer's content address, in the image's order: bytes unpacked (as a tar) and bytes as gzip.

    Cached by the image's id: compressing takes some seconds per 100 MB.

    Raises:
        BuildError: the engine does not give the image, or gives it in a form that we do not know.
    """
    key = f"{image.id.removeprefix('sha256:')[:32]}.json"
    found = cache.ensure("layers", key, lambda path: _write(client, image, path))
    return {name: (sizes[0], sizes[1]) for name, sizes in json.loads(found.read_text(encoding="ascii")).items()}


def _write(client: docker.DockerClient, image: Image, path: Path) -> None:
    try:
        about = client.images.get(image.id)
        addresses: list[str] = about.attrs["RootFS"]["Layers"]
        sizes = dict(zip(addresses, _sizes(about.save()), strict=True))
    except (DockerException, RequestException, tarfile.TarError, LookupError, ValueError) as error:
        raise BuildError(
            f"the layers of image {image.ref} cannot be read: {error}", hint="was it removed meanwhile? run again"
        ) from None
    path.write_text(json.dumps(sizes), encoding="ascii")


def _sizes(chunks: Iterator[bytes]) -> list[tuple[int, int]]:
    """Sizes of the layers in order, from the stream of an archive, of which nothing is kept."""
    seen: dict[str, tuple[int, int]] = {}
    links: dict[str, str] = {}
    manifest: Any = None
    with tarfile.open(fileobj=_Stream(chunks), mode="r|") as archive:  # type: ignore[call-overload]
        for member in archive:
            content = archive.extractfile(member) if member.isreg() else None
            if member.issym() or member.islnk():
                links[member.name] = _target(member)
            elif content is not None and member.name == "manifest.json":
                manifest = json.loads(content.read(_SMALL))
            elif content is not None:
                seen[member.name] = member.size, _compressed(content)
    return [seen[links.get(name, name)] for name in manifest[0]["Layers"]]


def _target(member: tarfile.TarInfo) -> str:
    # Older engines link a layer that several images have: `../ID/layer.tar`.
    return member.linkname.removeprefix("../") if member.issym() else member.linkname


def _compressed(content: IO[bytes]) -> int:
    packer, size = zlib.compressobj(wbits=_GZIP), 0
    while chunk := content.read(_CHUNK):
        size += len(packer.compress(chunk))
    return size + len(packer.flush())
