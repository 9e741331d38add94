"""OCI layouts of strangers: unpacked without writing where they say, and one image of them chosen.

Nothing in a layout is trusted: names, links, sizes and digests are checked before anything is done with them.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import stat
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, Self

from bench.image.platforms import host_platform, runs_here
from bench.image.stores.base import StoreError
from bench.util import proc
from bench.util.files import open_file
from bench.util.steps import measured_by
from bench.util.text import first_of, plain

INDEX: Final = "index.json"
MARKER: Final = "oci-layout"
_BLOB: Final = re.compile(r"blobs/(sha256/[0-9a-f]{64}|sha512/[0-9a-f]{128})")
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
_DOCUMENT_BYTES: Final = 4 * 2**20
"""The largest index or manifest. Registries refuse larger ones too."""
_DEPTH: Final = 4
"""How often an index may lead to another one."""
_MOST_IMAGES: Final = 10_000
_HEADER_BYTES: Final = 2**20
"""The longest name or extended header of a tar entry, which tarfile holds in memory. Go's programs have this limit."""
_HEADERS: Final = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)
_KEEP_FREE_BYTES: Final = 2**30
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
NAMES: Final = ("org.opencontainers.image.ref.name", "io.containerd.image.name")
_NOT_AN_ARCHIVE: Final = (
    "make one with `skopeo copy` or `podman save --format oci-archive`; for what `docker save` writes, write "
    "docker-archive:FILE"
)


@dataclass(frozen=True)
class Chosen:
    """One image of a layout."""

    descriptor: Mapping[str, Any]
    """Names its manifest."""
    digest: str
    """Of its manifest."""


class _BoundedInfo(tarfile.TarInfo):
    """A header of an entry that needs no more memory than an archive of an image has reason to."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """As in tarfile. Raises ReadError for sizes that are negative, and for long headers."""
        found = super().frombuf(buf, encoding, errors)
        if found.size < 0 or (found.type in _HEADERS and found.size > _HEADER_BYTES):
            raise tarfile.ReadError(f"the header of an entry says that {found.size} bytes follow it")
        return found


def unpack(archive: Path, into: Path) -> None:
    """Unpack the layout in a tar (plain, gzip, bzip2, xz or zstd) into a new directory. All else in it is left out.

    Raises:
        StoreError: it is no such archive, is cut off, has a hostile entry, or does not fit on the disk.
        HostUnfitError: zstd is needed and missing.
    """
    into.mkdir()
    try:
        with _opened(archive) as stream, tarfile.open(fileobj=stream, mode="r|*", tarinfo=_BoundedInfo) as tar:
            while (member := tar.next()) is not None:
                _take(tar, member, into, archive)
                # It keeps every member and every global header that it has read.
                tar.members.clear()  # type: ignore[attr-defined]
                tar.pax_headers.clear()  # type: ignore[attr-defined]
    except (tarfile.TarError, EOFError, OverflowError, RecursionError, ValueError, OSError) as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _too_large(archive, into) from None
        why = getattr(error, "strerror", None) or error
        raise StoreError(f"{archive} is not a whole tar archive: {why}", hint=_NOT_AN_ARCHIVE) from None


@contextmanager
def _opened(archive: Path) -> Iterator[IO[bytes]]:
    with open_file(archive) as file:
        size = os.fstat(file.fileno()).st_size
        measured_by(lambda: os.lseek(file.fileno(), 0, os.SEEK_CUR), total_bytes=size)
        if os.pread(file.fileno(), len(_ZSTD), 0) != _ZSTD:
            yield file
        else:
            with _unpacked(file) as stream:
                yield stream
        measured_by(lambda: size)


@contextmanager
def _unpacked(file: IO[bytes]) -> Iterator[IO[bytes]]:
    # tarfile reads zstd from Python 3.14 on.
    zstd = proc.require_tool("zstd", package="zstd")
    process = proc.spawn([zstd, "-dcq"], stdin=file, stdout=subprocess.PIPE, keep=proc.NO_VARIABLES)
    try:
        assert process.stdout is not None
        yield process.stdout
    finally:
        proc.stop(process)


def _take(tar: tarfile.TarFile, member: tarfile.TarInfo, into: Path, archive: Path) -> None:
    name = member.name.removeprefix("./")
    if name.startswith("/") or ".." in name.split("/"):
        raise _hostile(archive, member, "would leave the archive")
    if name not in (INDEX, MARKER) and not _BLOB.fullmatch(name):
        return
    if not member.isreg() or member.issparse():
        raise _hostile(archive, member, "is not a plain file")
    if member.size > shutil.disk_usage(into).free - _KEEP_FREE_BYTES:
        raise _too_large(archive, into, f": {member.size} bytes of it come next, and {_KEEP_FREE_BYTES} stay free")
    content = tar.extractfile(member)
    place = into / name
    place.parent.mkdir(parents=True, exist_ok=True)
    # The same name again would replace what was there, which may be a link only if we had made one.
    with place.open("wb") as file:
        shutil.copyfileobj(content, file)  # type: ignore[arg-type]


def _too_large(archive: Path, into: Path, why: str = "") -> StoreError:
    return StoreError(
        f"{archive} does not fit on the disk of {into.parent}{why}",
        hint="set BOXBENCH_CACHE to a directory on a larger disk",
    )


def _hostile(archive: Path, member: tarfile.TarInfo, what: str) -> StoreError:
    return StoreError(
        f"{archive} has an entry that {what}: {plain(member.name)[:200]!r}",
        hint="no tool for images writes such an entry; find out who made the archive",
    )


def choose(layout: Path, shown: str, name: str) -> Chosen:
    """The image of a layout: the one of this name, or its only one for this host.

    Args:
        shown: what the layout is called in errors.
        name: as the layout has it, or a digest; empty: the layout's only image.

    Raises:
        StoreError: it is no layout, or it has no such image or several.
    """
    entries = _entries(_document(layout / INDEX, shown), shown)
    if name:
        entries = [entry for entry in entries if name in (*_names(entry), entry.get("digest"))]
    found: dict[str, Mapping[str, Any]] = {}
    for entry in _manifests(layout, shown, entries, _DEPTH, set()):
        found[str(entry["digest"])] = entry
        if len(found) > _MOST_IMAGES:
            raise StoreError(f"{shown} has more than {_MOST_IMAGES} images", hint=_NOT_AN_ARCHIVE)
    fitting = [entry for entry in found.values() if _fits(entry)]
    if len(fitting) == 1:
        _check_descriptor(fitting[0], shown)
        return Chosen(fitting[0], str(fitting[0]["digest"]))
    if fitting:
        raise StoreError(
            f"{shown} has {len(fitting)} images: {_listed(fitting)}", hint="name one of them: the file, a colon, NAME"
        )
    if found:
        raise StoreError(
            f"{shown} has no image for {host_platform()}; it has {_listed(list(found.values()))}",
            hint=f"copy or build the image for {host_platform()}",
        )
    known = _entries(_document(layout / INDEX, shown), shown)
    what = f"no image {name!r}" if name else "no image"
    raise StoreError(
        f"{shown} has {what}{f'; it has {_listed(known)}' if known and name else ''}",
        hint="name one that it has, or leave the name out" if name else _NOT_AN_ARCHIVE,
    )


def _check_descriptor(descriptor: Mapping[str, Any], shown: str) -> None:
    if not isinstance(descriptor.get("mediaType"), str) or not isinstance(descriptor.get("size"), int):
        raise StoreError(f"{shown}: the image in it has no media type or no size", hint=_NOT_AN_ARCHIVE)


def select(layout: Path, chosen: Chosen, into: Path) -> None:
    """Make a layout of the chosen image alone, which has the same blobs. Raises StoreError: a blob is missing."""
    into.mkdir()
    (into / MARKER).write_text('{"imageLayoutVersion": "1.0.0"}', encoding="ascii")
    plain_descriptor = {key: chosen.descriptor[key] for key in ("mediaType", "digest", "size")}
    index = {"schemaVersion": 2, "manifests": [plain_descriptor]}
    (into / INDEX).write_text(json.dumps(index), encoding="ascii")
    (into / "blobs").symlink_to((layout / "blobs").resolve())


def check_blobs(layout: Path, chosen: Chosen, shown: str) -> None:
    """Check that the blobs of an image are plain files. Raises StoreError.

    A reader would wait for a fifo, and would fetch a blob from the address that its descriptor names.
    """
    manifest = _blob_document(layout, chosen.descriptor, shown)
    layers = manifest.get("layers")
    for descriptor in (manifest.get("config"), *(layers if isinstance(layers, list) else ())):
        digest = _digest_of(descriptor, shown)
        if descriptor.get("urls"):
            raise StoreError(
                f"{shown}: its blob {digest} is to be fetched from an address that the image names",
                hint="copy the image with all its layers: `skopeo copy` fetches those that it names",
            )
        _plain_file(_blob_path(layout, digest), f"{shown}: the blob {digest}")


def _manifests(
    layout: Path, shown: str, entries: list[Mapping[str, Any]], depth: int, seen: set[str]
) -> Iterator[Mapping[str, Any]]:
    """The images of indexes. Each index is read once: small ones that repeat each other would never end."""
    for entry in entries:
        digest = _digest_of(entry, shown)
        if "index" not in str(entry.get("mediaType")) and "manifest.list" not in str(entry.get("mediaType")):
            yield entry
            continue
        if depth == 0:
            raise StoreError(f"{shown}: its indexes lead to each other without end", hint=_NOT_AN_ARCHIVE)
        if digest in seen:
            continue
        seen.add(digest)
        inner = _entries(_blob_document(layout, entry, shown), shown)
        for one in _manifests(layout, shown, inner, depth - 1, seen):
            yield {**one, "annotations": {**_annotations(entry), **_annotations(one)}}


def _entries(index: Mapping[str, Any], shown: str) -> list[Mapping[str, Any]]:
    entries = index.get("manifests")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise StoreError(f"{shown}: an index in it lists no manifests", hint=_NOT_AN_ARCHIVE)
    # Builders add descriptions of how an image was built, which no platform runs.
    return [entry for entry in entries if _platform(entry).get("os") != "unknown"]


def _fits(entry: Mapping[str, Any]) -> bool:
    platform = _platform(entry)
    return runs_here(str(platform.get("os", "")), str(platform.get("architecture", "")))


def _platform(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    platform = entry.get("platform")
    return platform if isinstance(platform, dict) else {}


def _annotations(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    found = entry.get("annotations")
    return found if isinstance(found, dict) else {}


def _names(entry: Mapping[str, Any]) -> list[str]:
    return [str(value) for key in NAMES if (value := _annotations(entry).get(key))]


def _listed(entries: list[Mapping[str, Any]]) -> str:
    return ", ".join(first_of([_title(entry) for entry in entries], "images"))


def _title(entry: Mapping[str, Any]) -> str:
    platform = "/".join(str(_platform(entry).get(key, "?")) for key in ("os", "architecture"))
    name = (_names(entry) or [str(entry.get("digest"))])[0]
    return plain(f"{name} ({platform})" if _platform(entry) else name)[:200]


def _blob_document(layout: Path, descriptor: Mapping[str, Any], shown: str) -> Mapping[str, Any]:
    digest = _digest_of(descriptor, shown)
    return _document(_blob_path(layout, digest), shown, digest)


def _digest_of(descriptor: object, shown: str) -> str:
    digest = descriptor.get("digest") if isinstance(descriptor, dict) else None
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise StoreError(f"{shown}: a part of it has no valid digest", hint=_NOT_AN_ARCHIVE)
    return digest


def _blob_path(layout: Path, digest: str) -> Path:
    return layout / "blobs" / digest.replace(":", "/")


def _document(path: Path, shown: str, digest: str | None = None) -> Mapping[str, Any]:
    """A JSON object of a layout. Raises StoreError: it is missing, too large, damaged or no object."""
    what = f"{shown}: its {path.name if digest is None else f'blob {digest}'}"
    _plain_file(path, what)
    with path.open("rb") as file:
        text = file.read(_DOCUMENT_BYTES + 1)
    if len(text) > _DOCUMENT_BYTES:
        raise StoreError(f"{what} is larger than {_DOCUMENT_BYTES} bytes", hint=_NOT_AN_ARCHIVE)
    if digest is not None and hashlib.new(digest.partition(":")[0], text).hexdigest() != digest.partition(":")[2]:
        raise StoreError(f"{what} has other content than its digest says", hint="the file was damaged; get it again")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise StoreError(f"{what} is not JSON: {plain(str(error))[:200]}", hint=_NOT_AN_ARCHIVE) from None
    if not isinstance(found, dict):
        raise StoreError(f"{what} is not a JSON object", hint=_NOT_AN_ARCHIVE)
    return found


def _plain_file(path: Path, what: str) -> None:
    try:
        is_plain = stat.S_ISREG(os.stat(path, follow_symlinks=False).st_mode)  # noqa: PTH116 - one call, no link
    except OSError as error:
        raise StoreError(f"{what} cannot be read: {error.strerror}", hint=_NOT_AN_ARCHIVE) from None
    if not is_plain:
        raise StoreError(f"{what} is not a plain file", hint=_NOT_AN_ARCHIVE)
