"""What the image stage hands on: frozen values, no behaviour."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bench.agent.boxconf import BoxConfig


@dataclass(frozen=True)
class Image:
    """A built scenario image, with the agent in it, and its exported tree."""

    name: str
    """The scenario's name."""
    ref: str
    """The engine's reference of the image with the agent in it."""
    id: str
    """The engine's content address of the same."""
    digest: str
    """What must be equal in every box, see ``bench.image.archive.tree_digest``."""
    content: str
    """All that unpacking the tree gives, see ``content_digest`` there: what trees and disks are kept under."""
    config: BoxConfig
    tree_tar: Path
    """The exported root file system, uncompressed."""
    sizes_bytes: dict[str, int]
    """``unpacked`` (sum of file contents), ``tar``, ``layers`` (what the engine says)."""


@dataclass(frozen=True)
class Disk:
    """A VM's disk made from a tree: a raw base, never written to, and an empty overlay to copy."""

    raw: Path
    overlay_template: Path
    logical_bytes: int
    allocated_bytes: int


@dataclass(frozen=True)
class GuestKernel:
    """The kernel that VMs boot."""

    image: Path
    """vmlinuz (bzImage)."""
    release: str
    """What ``uname -r`` says in the guest."""
    source: str
    """Where it comes from, for people."""
    modules: tuple[Path, ...]
    """Decompressed, in load order."""
    modules_dir: Path | None = None
    """/lib/modules/RELEASE on the host; None when the kernel has all it needs built in."""
