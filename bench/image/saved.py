"""An image as ``docker save`` writes it: the archive that other engines load, and its layers with their sizes."""

from __future__ import annotations

import json
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final

from bench.image.model import Image
from bench.image.stores.base import ImageStore, StoredImage, StoreError
from bench.util import cache
from bench.util.errors import BuildError

_CHUNK: Final = 2**20
_LIST_BYTES: Final = 2**22
"""At most so much is read of the archive's list of layers."""
_GZIP_MAGIC: Final = b"\x1f\x8b"
_GZIP: Final = 16 + zlib.MAX_WBITS
"""A gzip stream of zlib's default level, which engines use when they push an image."""


def ensure_archive(store: ImageStore, image: Image) -> Path:
    """The archive of ``image`` in the cache, by its id and its name. Raises BuildError when the engine cannot save it.

    The name is part of the key. Two scenarios may build the same image, and engines that load it know it by its name.
    """
    key = f"{cache.content_key(image.id, image.ref)}.tar"
    return cache.ensure("saved", key, lambda path: _save(store, image, path))


def layer_digests(store: ImageStore, image: Image) -> list[str]:
    """Digests of the image's unpacked layers, lowest first. Raises BuildError: the engine does not know the image."""
    return list(_known(store, image).layers)


def layer_sizes(store: ImageStore, image: Image) -> dict[str, tuple[int, int]]:
    """Sizes of each layer by its digest, lowest first: bytes unpacked (as a tar), and bytes as gzip.

    Cached by the image's id, since compressing takes some seconds per 100 MB.

    Raises:
        BuildError: the engine does not save the image, or saves it in an unknown form.
    """
    key = f"{image.id.removeprefix('sha256:')[:32]}.json"
    found = cache.ensure("layers", key, lambda path: _write_sizes(store, image, path))
    return {name: (sizes[0], sizes[1]) for name, sizes in json.loads(found.read_text(encoding="ascii")).items()}


def _known(store: ImageStore, image: Image) -> StoredImage:
    try:
        found = store.inspect(image.id)
    except StoreError as error:
        raise _lost(f"the engine does not show image {image.ref}: {error.message}") from None
    if found is None:
        raise _lost(f"the engine does not know image {image.ref}")
    return found


def _save(store: ImageStore, image: Image, path: Path) -> None:
    try:
        with path.open("wb") as file:
            for chunk in store.save(image.ref):
                file.write(chunk)
    except StoreError as error:
        raise _lost(f"the engine does not save image {image.ref}: {error.message}") from None


def _lost(what: str) -> BuildError:
    return BuildError(what, hint="run again; the image may have been removed meanwhile")


class _Stream:
    """The engine's chunks as a file that can only be read forwards."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = b""

    def read(self, size: int) -> bytes:
        while len(self._rest) < size and (chunk := next(self._chunks, b"")):
            self._rest += chunk
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken


def _write_sizes(store: ImageStore, image: Image, path: Path) -> None:
    try:
        sizes = dict(zip(_known(store, image).layers, _sizes(store.save(image.id)), strict=True))
    except (
        StoreError,
        tarfile.TarError,
        LookupError,
        OverflowError,
        TypeError,
        ValueError,
        zlib.error,
    ) as error:
        raise _lost(f"the layers of image {image.ref} cannot be read: {error}") from None
    path.write_text(json.dumps(sizes), encoding="ascii")


def _sizes(chunks: Iterator[bytes]) -> list[tuple[int, int]]:
    """Sizes of the layers, lowest first, computed while the archive streams past."""
    seen: dict[str, tuple[int, int]] = {}
    links: dict[str, str] = {}
    manifest: Any = None
    with tarfile.open(fileobj=_Stream(chunks), mode="r|") as archive:  # type: ignore[call-overload]
        for member in archive:
            content = archive.extractfile(member) if member.isreg() else None
            if member.issym() or member.islnk():
                links[member.name] = _target(member)
            elif content is not None and member.name == "manifest.json":
                manifest = json.loads(content.read(_LIST_BYTES))
            elif content is not None:
                seen[member.name] = _measured(content, member.size)
    return [seen[links.get(name, name)] for name in manifest[0]["Layers"]]


def _target(member: tarfile.TarInfo) -> str:
    # Older engines write a link for a layer that several images have: `../ID/layer.tar`.
    return member.linkname.removeprefix("../") if member.issym() else member.linkname


def _measured(content: IO[bytes], size: int) -> tuple[int, int]:
    """Bytes unpacked and bytes as gzip. Engines that keep images in containerd save the layers as they were pushed."""
    first = content.read(_CHUNK)
    if first.startswith(_GZIP_MAGIC):
        return sum(_unpacked(_chunks(first, content))), size
    packer = zlib.compressobj(wbits=_GZIP)
    packed = sum(len(packer.compress(chunk)) for chunk in _chunks(first, content))
    return size, packed + len(packer.flush())


def _chunks(first: bytes, content: IO[bytes]) -> Iterator[bytes]:
    while first:
        yield first
        first = content.read(_CHUNK)


def _unpacked(chunks: Iterator[bytes]) -> Iterator[int]:
    """Lengths of the parts of a gzip stream, which may have several members. No part is large."""
    unpacker = zlib.decompressobj(wbits=_GZIP)
    for chunk in chunks:
        rest = chunk
        while rest:
            if unpacker.eof:
                unpacker = zlib.decompressobj(wbits=_GZIP)
            yield len(unpacker.decompress(rest, _CHUNK))
            rest = unpacker.unconsumed_tail or unpacker.unused_data
    if not unpacker.eof:
        raise ValueError("a layer ends in the middle of its gzip stream")
