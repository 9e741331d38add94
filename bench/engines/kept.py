"""What the private engines keep in the cache between campaigns: images, and what builds can use again.

podman is not among them. It keeps the list of its images' layers beside its containers, which go with the campaign. So
no podman can say later what is in its store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Protocol

import docker
from docker.errors import APIError, DockerException, ImageNotFound
from requests.exceptions import RequestException

from bench.engines.containerd import private_containerd
from bench.engines.containerd_api import ContainerdApi
from bench.engines.dockerd import private_docker
from bench.host.run_directory import LABEL
from bench.util.errors import HostUnfitError

_NS: Final = 10**9
_CONFLICT: Final = 409


@dataclass(frozen=True)
class KeptImage:
    """An image in the store of a private engine."""

    id: str
    """What ``KeptStore.remove`` takes, and how others name it: a digest, or of containerd a name."""
    names: tuple[str, ...]
    size_bytes: int | None
    """What only this image needs; None: the engine does not say."""
    named_ns: int | None
    """When it was last built, loaded or pulled: nanoseconds since 1970; None: the engine does not say."""
    superseded: bool = False
    """A later build of the same workload has its name."""


@dataclass(frozen=True)
class KeptBuilds:
    """The steps of earlier builds that a builder keeps beside the images."""

    size_bytes: int = 0
    used_ns: int | None = None
    """When one of them was last used: nanoseconds since 1970; None: there is none."""


class KeptStore(Protocol):
    """The store of one engine. Its methods raise BoxbenchError when the engine refuses."""

    def images(self) -> tuple[KeptImage, ...]:
        """The images, without the steps in between that their builds left."""

    def remove(self, image: KeptImage) -> bool:
        """Remove an image. False when another one is made from it, and when somebody has removed it."""

    def builds(self) -> KeptBuilds:
        """What the builder keeps."""

    def remove_builds(self, *, unused_ns: int | None) -> None:
        """Remove what no build has used for ``unused_ns``; None: all of it."""


def open_store(engine: str, run_dir: Path) -> AbstractContextManager[KeptStore]:
    """The store of a private engine, which is started for it.

    Args:
        engine: one of ``STORES``.
        run_dir: a run directory for its sockets.

    Raises:
        HostUnfitError: on entering, when the engine cannot be started, or is in use.
    """
    return STORES[engine](run_dir)


class _Docker:
    def __init__(self, client: docker.DockerClient) -> None:
        self._client = client

    def images(self) -> tuple[KeptImage, ...]:
        with _asked("Docker Engine"):
            rows = self._client.api.df()["Images"] or ()
            return tuple(filter(None, map(self._image, rows)))

    def _image(self, row: dict[str, Any]) -> KeptImage | None:
        try:
            about = self._client.images.get(row["Id"]).attrs
        except ImageNotFound:
            return None
        named = (about.get("Metadata") or {}).get("LastTagTime") or ""
        # Without a tag the engine has year 1 there.
        stamp = named if named > "1970" else about.get("Created") or ""
        shared = max(0, row.get("SharedSize") or 0)
        names = tuple(about.get("RepoTags") or ())
        size = max(0, int(row["Size"]) - shared)
        return KeptImage(row["Id"], names, size, _stamp_ns(stamp), superseded=_is_superseded(about))

    def remove(self, image: KeptImage) -> bool:
        with _asked("Docker Engine"):
            try:
                self._client.api.remove_image(image.id, force=True)
            except ImageNotFound:
                return False
            except APIError as error:
                if error.status_code != _CONFLICT:
                    raise
                return False
            return True

    def builds(self) -> KeptBuilds:
        with _asked("Docker Engine"):
            rows = self._client.api.df().get("BuildCache") or ()
        stamps = [_stamp_ns(row.get("LastUsedAt") or row.get("CreatedAt") or "") for row in rows]
        return KeptBuilds(
            sum(int(row["Size"]) for row in rows if not row.get("Shared")),
            max((stamp for stamp in stamps if stamp is not None), default=None),
        )

    def remove_builds(self, *, unused_ns: int | None) -> None:
        filters: Any = None if unused_ns is None else {"until": f"{unused_ns // _NS}s"}
        with _asked("Docker Engine"):
            self._client.api.prune_builds(filters=filters, all=True)


class _Containerd:
    def __init__(self, api: ContainerdApi) -> None:
        self._api = api

    def images(self) -> tuple[KeptImage, ...]:
        found = self._api.images().items()
        return tuple(KeptImage(name, (name,), None, None if at_s is None else at_s * _NS) for name, at_s in found)

    def remove(self, image: KeptImage) -> bool:
        self._api.delete_image(image.id)
        return True

    def builds(self) -> KeptBuilds:
        return KeptBuilds()

    def remove_builds(self, *, unused_ns: int | None) -> None:
        """It builds nothing."""


@contextmanager
def _docker(run_dir: Path) -> Iterator[KeptStore]:
    with private_docker(run_dir) as engine:
        yield _Docker(engine.client)


@contextmanager
def _containerd(run_dir: Path) -> Iterator[KeptStore]:
    with private_containerd(run_dir) as api, closing(api):
        yield _Containerd(api)


STORES: Final[dict[str, Callable[[Path], AbstractContextManager[KeptStore]]]] = {
    "docker": _docker,
    "containerd": _containerd,
}
"""By the name of the engine's directory in the cache."""


@contextmanager
def _asked(engine: str) -> Iterator[None]:
    try:
        yield
    except (DockerException, RequestException) as error:
        raise HostUnfitError(
            f"the private {engine} refuses: {error}", hint="check that the cache's file system has free space"
        ) from None


def _is_superseded(about: Mapping[str, Any]) -> bool:
    """Whether an image was built by Boxbench and has lost its name. One of an archive or of a digest never had one."""
    labels = (about.get("Config") or {}).get("Labels") or {}
    return LABEL in labels and not about.get("RepoTags") and not about.get("RepoDigests")


def _stamp_ns(text: str) -> int | None:
    """The nanoseconds since 1970 of a time as Go writes it; None for anything else."""
    whole, _, fraction = text.partition(".")
    zone = "" if not fraction else fraction.lstrip("0123456789")
    try:
        return round(datetime.fromisoformat(f"{whole}{zone}").timestamp()) * _NS
    except ValueError:
        return None
