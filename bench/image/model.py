"""Built images, disks and guest kernels, as values."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bench.agent.boxconf import BoxConfig
from bench.records.manifest import ImageOrigin


@dataclass(frozen=True)
class Disk:
    """A VM's disk made from a tree: a raw base that is never written to, and an empty overlay that boxes copy."""

    raw: Path
    overlay_template: Path
    logical_bytes: int
    allocated_bytes: int


@dataclass(frozen=True)
class Arrived:
    """Files of one box that come to a fresh host after its request, in place of those in the cache.

    They exist only when they have arrived. None: the box has no such file.
    """

    tree: Path | None = None
    """The unpacked tree."""
    disk: Disk | None = None
    """With the image's tree."""
    system: Disk | None = None
    """With a whole system beside it."""
    kernel: Path | None = None
    initramfs: Path | None = None


@dataclass(frozen=True)
class Image:
    """A built scenario image, with the agent in it, and its exported tree."""

    name: str
    """The scenario's name."""
    ref: str
    """Name and tag that the engine has for the image with the agent."""
    id: str
    """The engine's content address of the same image."""
    digest: str
    """Digest of the tree, which must be the same in every box, see ``bench.image.archive.tree_digest``."""
    content: str
    """Digest of everything that is unpacked, see ``content_digest`` there. Trees and disks are cached under it."""
    config: BoxConfig
    tree_tar: Path
    """The exported root file system, uncompressed."""
    sizes_bytes: dict[str, int]
    """``unpacked`` (sum of all file sizes), ``tar``, ``layers`` (as the engine reports it)."""
    entries: int | None = None
    """How many entries the tree has; None: the tar must be read for it."""
    block_bytes: int | None = None
    """The tree's size in whole blocks; None likewise."""
    volumes: tuple[str, ...] = ()
    """Where a box has volumes, absolute paths in it, see ``bench.image.volumes``."""
    origin: ImageOrigin | None = None
    """Where the image without the agent comes from. None in tests."""
    notes: tuple[str, ...] = ()
    """Sentences for every report: what is not as the scenario asks."""
    arrived: Arrived | None = None
    """Of a first start on a fresh host; None for every other box."""


@dataclass(frozen=True)
class GuestKernel:
    """The kernel that VMs boot."""

    image: Path
    """vmlinuz (bzImage)."""
    release: str
    """Output of ``uname -r`` in the guest."""
    source: str
    """Where the kernel comes from, for reports."""
    modules: tuple[Path, ...]
    """Decompressed modules, in the order in which they are loaded."""
    modules_dir: Path | None = None
    """/lib/modules/RELEASE on the host; None when the kernel has everything built in."""
