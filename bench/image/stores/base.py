"""What Boxbench needs of an engine that holds images."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, Protocol

from bench.scenario.image_name import Reference
from bench.util.errors import BuildError

LABELS: Final = {"boxbench": "1"}
"""Labels of every image that Boxbench makes."""

Log = Callable[[str], None]
"""Called with every line of an engine's output."""


class StoreError(BuildError):
    """An engine failed or refused. The message does not name the scenario; ``build_image`` adds its name."""


def foreign_place(place: str, wrong: str, link: str) -> StoreError:
    """The error of an image that has something of its own where Boxbench puts its files.

    Args:
        link: where it leads if it is a symbolic link, else empty.
    """
    return StoreError(
        f"{place} {wrong}{f' but a link to {link[:200]!r}' if link else ''}",
        hint=f"remove {place} in the Dockerfile: boxbench uses it as root from outside of the box",
    )


@dataclass(frozen=True)
class StoredImage:
    """An image that an engine has."""

    id: str
    """The engine's content address: ``sha256:...``."""
    config: Mapping[str, Any]
    """The image's configuration in Docker's spelling: Entrypoint, Cmd, Env, User, WorkingDir, Volumes and others."""
    architecture: str
    """In Go's spelling: ``amd64``, ``arm64``."""
    os: str
    size_bytes: int
    """As the engine reports it."""
    layers: tuple[str, ...]
    """Digests of the unpacked layers, lowest first."""
    repo_digests: tuple[str, ...] = ()
    """``NAME@sha256:...`` for every registry that the image was pulled from."""


@dataclass(frozen=True)
class BuildOrder:
    """A Dockerfile to build, with everything that decides what comes out."""

    context: Path
    dockerfile: str
    """Relative to the context."""
    tag: str
    args: Mapping[str, str] = field(default_factory=dict)
    network: Literal["default", "none", "host"] = "default"
    """Of RUN steps."""
    target: str | None = None
    """The stage that is the image; None: the last one."""
    secrets: Mapping[str, Path] = field(default_factory=dict)
    """Files by id, which RUN steps may mount. They never become part of an image."""
    leave_out: tuple[str, ...] = ()
    """Directories below the context that are no part of it, relative to it."""


@dataclass(frozen=True)
class Built:
    """A built image and what built it."""

    id: str
    builder: str
    """``BuildKit`` or ``classic builder``."""
    builder_version: str
    frontend: str = ""
    """What read the Dockerfile if that was not the builder itself: an image with its digest."""
    notes: tuple[str, ...] = ()
    """Sentences for every report."""


class ImageStore(Protocol):
    """An engine that holds images.

    Every method raises StoreError if the engine fails or refuses. References are names with a tag or digest, or ids.
    """

    def build(self, order: BuildOrder, log: Log) -> Built:
        """Build a Dockerfile. Raises StoreError also when it takes longer than a limit.

        Raises:
            BoxbenchError: a program that builds cannot be run.
        """

    def inspect(self, reference: str) -> StoredImage | None:
        """The image of this name or id; None if the engine has none."""

    def pull(self, reference: Reference, log: Log) -> None:
        """Pull an image with the user's credentials. Raises StoreError with the reason and the next step."""

    def load(self, archive: Path) -> str:
        """Load an archive in the form of ``docker save`` with one image; returns the image's id or name."""

    def import_tree(self, tarball: Path, tag: str, labels: Mapping[str, str]) -> None:
        """Make an image of one layer from a tar of a root file system."""

    def add_layer(
        self, plain: str, layer: Path, config: Mapping[str, Any], ref: str, *, directories: Sequence[str]
    ) -> None:
        """Make the image ``ref``: the image ``plain`` and one layer more, which is a tar.

        The image is not built with FROM, so none of its ONBUILD triggers run.

        Args:
            config: replaces the image's configuration.
            directories: places of the layer that the image may have as directories only. Any other file of the image
                there is an error, before anything is written.
        """

    def export(self, reference: str, path: Path) -> None:
        """Write an image's root file system as an uncompressed tar."""

    def save(self, reference: str) -> Iterator[bytes]:
        """The archive that ``docker save`` writes, in pieces."""
