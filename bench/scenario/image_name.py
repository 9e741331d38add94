"""What ``workload.image`` names: an image of a registry, a file or directory on disk, or one in podman's storage."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from bench.util.paths import exists

FileKind = Literal["oci-archive", "oci", "docker-archive"]

STORAGE: Final = "containers-storage"
FILE_KINDS: Final[dict[str, FileKind]] = {
    "oci-archive": "oci-archive",
    "oci": "oci",
    "docker-archive": "docker-archive",
}
"""By prefix, what is read from disk: a tar of an OCI layout, such a layout, and what ``docker save`` writes."""
DEFAULT_TAG: Final = "latest"

_LONGEST_NAME: Final = 255
_WORD: Final = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*"
_PATH: Final = re.compile(rf"{_WORD}(?:/{_WORD})*")
_HOST_WORD: Final = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_REGISTRY: Final = re.compile(rf"(?:{_HOST_WORD}(?:\.{_HOST_WORD})*|\[[0-9a-fA-F:]+\])(?::[0-9]{{1,5}})?")
_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", re.ASCII)
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
_HEX: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Reference:
    """The name of an image as engines and registries read it."""

    registry: str | None
    """HOST or HOST:PORT; None: the engine's own default."""
    path: str
    tag: str | None
    digest: str | None

    @property
    def name(self) -> str:
        """Registry and path: what all tags and digests of an image have in common."""
        return self.path if self.registry is None else f"{self.registry}/{self.path}"

    @property
    def version(self) -> str:
        """What is pulled: the digest, else the tag, else ``latest``."""
        return self.digest or self.tag or DEFAULT_TAG

    def at(self, digest: str) -> Reference:
        """The same image, pinned by a digest."""
        return replace(self, tag=None, digest=digest)

    def __str__(self) -> str:
        tag = "" if self.tag is None else f":{self.tag}"
        return f"{self.name}{tag}{'' if self.digest is None else f'@{self.digest}'}"


@dataclass(frozen=True)
class ImageFile:
    """An image on disk."""

    kind: FileKind
    place: str
    """The path, and after a colon perhaps the name of one of several images in it."""

    def locate(self, directory: Path) -> tuple[Path, str] | None:
        """The path, and the name of the image in it, which may be empty. None: there is no such file.

        Args:
            directory: what the path is relative to.
        """
        place, name = self.place, ""
        # A path may have colons of its own, so the longest one that exists counts.
        while place:
            if exists(directory / place):
                return directory / place, name
            place, _, last = place.rpartition(":")
            name = f"{last}:{name}" if name else last
        return None

    def __str__(self) -> str:
        return f"{self.kind}:{self.place}"


@dataclass(frozen=True)
class StoredImageName:
    """An image in the storage of podman and Buildah."""

    name: str

    def __str__(self) -> str:
        return f"{STORAGE}:{self.name}"


ImageName = Reference | ImageFile | StoredImageName


def parse_image_name(text: str) -> ImageName:
    """What ``text`` names. A prefix such as ``oci:`` is never an image called oci.

    Raises:
        ValueError: it is none of them; the message says what is wrong and what is expected.
    """
    prefix, colon, rest = text.partition(":")
    if colon and prefix in FILE_KINDS:
        if not rest:
            raise ValueError(f"{text!r} names no {'directory' if prefix == 'oci' else 'file'} after the colon")
        return ImageFile(FILE_KINDS[prefix], rest)
    if colon and prefix == STORAGE:
        if not rest or rest.startswith(("-", "[")) or not rest.isprintable() or " " in rest:
            raise ValueError(f"{text!r} does not name an image after the colon, as in {STORAGE}:localhost/app")
        return StoredImageName(rest)
    return parse_reference(text)


def parse_reference(text: str) -> Reference:
    """An image's name by the grammar of registries: ``[HOST[:PORT]/]PATH[:TAG][@DIGEST]``. Raises ValueError."""
    if "://" in text:
        raise ValueError(f"{text!r} is an address; the name of an image has no {text.partition('://')[0]}:// before it")
    named, at, digest = text.partition("@")
    if at and not _DIGEST.fullmatch(digest):
        raise ValueError(f"{text!r} has a malformed digest: after the @ comes sha256: and 64 digits from 0-9 and a-f")
    named, tag = _without_tag(text, named)
    registry, path = _split(named)
    if registry is not None and not _REGISTRY.fullmatch(registry):
        raise ValueError(f"{text!r} has a malformed registry {registry!r}; HOST or HOST:PORT is expected")
    if not _PATH.fullmatch(path) or len(named) > _LONGEST_NAME:
        raise ValueError(f"{text!r} is not the name of an image: {_wrong_path(path)}")
    if registry is None and _HEX.fullmatch(path):
        raise ValueError(f"{text!r} is the id of an image; write sha256: before it")
    return Reference(registry, path, tag, digest if at else None)


def _without_tag(text: str, named: str) -> tuple[str, str | None]:
    # A colon before the last slash belongs to the registry's port.
    before, slash, last = named.rpartition("/")
    last, colon, tag = last.partition(":")
    if colon and not _TAG.fullmatch(tag):
        raise ValueError(
            f"{text!r} has a malformed tag {tag!r}; a tag has letters, digits, '_', '.' and '-', at most 128 of them"
        )
    return f"{before}{slash}{last}", tag if colon else None


def _split(named: str) -> tuple[str | None, str]:
    # As engines do it: the first word is a registry if it cannot be a part of a path, or is localhost.
    first, slash, rest = named.partition("/")
    is_registry = slash and ("." in first or ":" in first or first == "localhost" or first != first.lower())
    return (first, rest) if is_registry else (None, named)


def _wrong_path(path: str) -> str:
    if not path:
        return "nothing comes before its tag or digest"
    if len(path) > _LONGEST_NAME:
        return f"it has more than {_LONGEST_NAME} characters"
    if path != path.lower():
        return f"{path!r} must be in lower case"
    return f"{path!r} may have a-z and 0-9, and between them single '.', '_', '-' and '/'"
