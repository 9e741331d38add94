"""An engine that has no image: it is private, its storage is new, and its registry is at the far end of a link."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Protocol

from bench.engines.link import Link
from bench.engines.registry import PushedImage
from bench.util.errors import LaunchError

_LEAST_LIMIT_S: Final = 120.0
_SLOWEST: Final = 8
"""A pull may take so many times as long as the link needs for it."""
_MOST_SAID: Final = 500


class Arrived(Protocol):
    """Called once, when the last byte of an image has come."""

    def __call__(self, *, at_ns: int | None = None) -> object:
        """Args: ``at_ns``: when that was, on CLOCK_MONOTONIC; None: now."""


class FreshEngine(Protocol):
    """What first starts need of an engine. Its methods raise LaunchError when the engine or the registry fails."""

    @property
    def data_root(self) -> Path:
        """Where it keeps images and writable layers."""

    @property
    def knows_by_id(self) -> bool:
        """Whether its target names images by their id and not by their reference."""

    def pull(self, image: PushedImage, *, arrived: Arrived) -> int:
        """Pull an image.

        Returns:
            CPU time, ns, of the programs that ran for it, without daemons.
        """

    def forget(self) -> None:
        """Remove all images with their layers, and what an interrupted pull has left. LaunchError: one is left."""


def pull_limit_s(image: PushedImage, link: Link) -> float:
    """How long a pull over the link may take."""
    return max(_LEAST_LIMIT_S, _SLOWEST * image.size_bytes * 8 / link.bits_per_s)


def not_pulled(engine: str, ref: str, why: str) -> LaunchError:
    """The error of a pull that failed."""
    return LaunchError(
        f"{engine}: {ref} was not pulled: {why[:_MOST_SAID]}",
        hint="the registry is one of boxbench's own: a full disk, or a fault of boxbench",
    )


def not_forgotten(engine: str, why: str) -> LaunchError:
    """The error of an engine that keeps an image, so that a start would not be the first one."""
    return LaunchError(
        f"the {engine} for first starts still has {why}, so a start would not be the first one", hint="run again"
    )


def silent_engine(engine: str, why: object) -> LaunchError:
    """The error of an engine that does not say or remove what it has."""
    return LaunchError(
        f"the {engine} for first starts does not remove its images: {why}", hint="look at its log; run again"
    )
