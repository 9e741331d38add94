"""The kinds of things in the cache, in plain words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Kind:
    """One directory of the cache."""

    name: str
    what: str
    """For people."""
    small: bool = False
    """Its entries are answers of a few kilobytes: to remove them frees nothing, so only their age does."""
    under: str | None = None
    """A kind whose entries lie on entries of this one, and are of no use without them."""


_ENTRIES: Final = (
    Kind("tar", "images: trees as exported"),
    Kind("tree", "images: trees unpacked, for process, runc and others"),
    Kind("disk", "images: disks for VMs"),
    Kind("saved", "images: archives, for engines that load them"),
    Kind("packed", "images: compressed, as they travel to a fresh host"),
    Kind("engine-disk", "images: disks of vm-docker with one loaded"),
    Kind("base", "root file systems of Debian packages"),
    Kind("system", "disks of whole systems, for libvirt-full and vm-docker", under="engine-disk"),
    Kind("kernel", "guest kernels and their packages"),
    Kind("module", "guest kernels: modules, unpacked"),
    Kind("vmlinux", "guest kernels: the kernel, unpacked"),
    Kind("initramfs", "guest kernels: first file systems"),
    Kind("initramfs-conf", "guest kernels: first file systems with one box's settings"),
    Kind("conf-disk", "disks with one box's settings"),
    Kind("icount", "guests that count instructions"),
    Kind("agent", "programs of Boxbench, compiled"),
    Kind("payload", "guests of a few bytes, to try a CPU", small=True),
    Kind("accel", "answers: does KVM work here?", small=True),
    Kind("smoke-test", "answers: does a target work here?", small=True),
    Kind("inspection", "answers: what boxes look like inside", small=True),
    Kind("digest", "answers: digests of images", small=True),
    Kind("loaded", "answers: which image an archive is", small=True),
    Kind("layers", "answers: sizes of images' layers", small=True),
    Kind("image", "answers: when images were last used", small=True),
)
KINDS: Final = {kind.name: kind for kind in _ENTRIES}
"""Kinds whose entries ``bench.util.cache.ensure`` makes."""

KERNELS: Final = Kind("jit", "simulation: its loops as machine code")
"""Entries that ``bench.sim`` makes by rules of its own."""

PODMAN: Final = Kind("podman", "podman: layers of images")
"""One entry, which is used and removed whole: ``bench.engines.kept`` says why."""

STORES: Final = {
    "docker": "the private Docker Engine: images and builds",
    "containerd": "the private containerd: images",
}
"""The stores of engines. Only the engine removes something from its store."""

LOCKS: Final = "locks"
"""The name under which lock files are counted, and entries that a process is making."""
REST: Final = {
    "boxes": "boxes that run or were left (boxbench clean)",
    "scratch": "temporary files of tasks (boxbench clean)",
    "libvirt": "what libvirt knows of each QEMU",
    "buildx": "what docker buildx remembers of builds",
    "warned": "which warnings were shown",
    LOCKS: "lock files, and entries that are being made",
    "durations.json": "how long trials take on this host",
}
"""What is shown and never pruned: it is small, or no part of the cache."""
