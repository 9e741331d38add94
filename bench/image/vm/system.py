"""Systems that VMs boot from a disk of their own: a package list, a few files, and what the disk is called."""

from __future__ import annotations

import io
import shutil
import tarfile
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.agent.compile import static_program
from bench.image.base import ensure_system
from bench.image.model import Disk
from bench.image.vm.boot_disk import ROOT_PARTITION, kernel_release, make_bootdisk, make_ext4
from bench.util import cache, proc

Files = Mapping[str, tuple[bytes, int]]
"""Content and mode by path."""

RECIPE: Final = "1"
"""Part of the cache key: raise it when what follows makes another system."""

CLASSIC_PACKAGES: Final = ("linux-image-cloud-amd64", "initramfs-tools", "systemd-sysv", "udev", "dbus", "kmod")
CLASSIC_BYTES: Final = 2 * 2**30
TREE: Final = "/srv/box"
"""Where the classic system mounts the scenario's disk."""

_UNIT: Final = f"""\
[Unit]
Description=The workload of a Boxbench scenario
RequiresMountsFor={TREE}
SuccessAction=poweroff
FailureAction=poweroff

[Service]
Type=exec
RootDirectory={TREE}
MountAPIVFS=yes
ExecStart=/.boxbench/boxinit attach boxbench.events /dev/vdc
KillMode=mixed
StandardOutput=null
StandardError=null

[Install]
WantedBy=multi-user.target
"""

_GRUB: Final = """\
set timeout=0
menuentry "system" {{
    linux /boot/vmlinuz-{release} root={root} ro {words}
    initrd /boot/initrd.img-{release}
}}
"""

_FSTAB: Final = f"""\
{ROOT_PARTITION} / ext4 rw 0 0
/dev/vdb {TREE} ext4 rw 0 0
"""


ENGINE_PACKAGES: Final = ("docker.io",)
ENGINE_BYTES: Final = 8 * 2**30
ENGINE_ARGV: Final = (
    "/usr/local/sbin/dockervm", "/usr/sbin/dockerd", "--iptables=false", "--ip6tables=false", "--bridge=none",
    "--userland-proxy=false",
)  # fmt: skip


def ensure_engine_disk() -> Path:
    """A raw ext4 disk with the Docker Engine and our ``dockervm`` on it; no image, no boot loader, no systemd.

    Raises:
        HostUnfitError, BuildError: see ``ensure_base``; no C compiler.
    """
    tree = ensure_system("boxbench/system-engine", ENGINE_PACKAGES)
    program = static_program("bench.image.vm", "dockervm.c").read_bytes()
    files = {ENGINE_ARGV[0].lstrip("/"): (program, 0o755), "etc/hostname": (b"boxbench\n", 0o644)}
    key = cache.content_key(RECIPE, tree.name, program, str(ENGINE_BYTES))

    def make(partial: Path) -> None:
        with _whole_tree(tree, files, {}, ()) as whole:
            make_ext4(whole, partial, size_bytes=ENGINE_BYTES, seed=uuid.uuid5(uuid.NAMESPACE_OID, key))

    return cache.ensure("system", f"{key}.raw", make)


def ensure_classic_disk(command_line: str) -> Disk:
    """A disk with GRUB, the distribution's kernel and initrd, systemd and the workload as a unit; an empty overlay.

    Args:
        command_line: words for the kernel, beside its root.

    Raises:
        HostUnfitError, BuildError: see ``ensure_base`` and ``make_bootdisk``.
    """
    tree = ensure_system("boxbench/system-classic", CLASSIC_PACKAGES)
    release = kernel_release(tree)
    files = {
        "etc/systemd/system/boxbench.service": _UNIT,
        "etc/fstab": _FSTAB,
        "etc/hostname": "boxbench\n",
        # A machine that has an identity is not on its first boot, which would enable units anew.
        "etc/machine-id": uuid.uuid5(uuid.NAMESPACE_OID, RECIPE).hex + "\n",
        "boot/grub/grub.cfg": _GRUB.format(release=release, root=ROOT_PARTITION, words=command_line),
    }
    links = {"etc/systemd/system/multi-user.target.wants/boxbench.service": "/etc/systemd/system/boxbench.service"}
    directories = (TREE.lstrip("/"), "boot/grub", "etc/systemd/system/multi-user.target.wants")
    encoded = {name: (text.encode("utf-8"), 0o644) for name, text in files.items()}
    return _ensure(tree, encoded, links, directories, CLASSIC_BYTES)


def _ensure(tree: Path, files: Files, links: Mapping[str, str], directories: tuple[str, ...], size: int) -> Disk:
    parts = [part for name, (content, _) in sorted(files.items()) for part in (name, content)]
    # The overlay names its base by an absolute path.
    key = cache.content_key(RECIPE, tree.name, str(size), str(cache.cache_dir()), *directories, *links, *parts)
    final = cache.cache_dir() / "system" / key

    def make(partial: Path) -> None:
        partial.mkdir()
        with _whole_tree(tree, files, links, directories) as whole:
            make_bootdisk(whole, partial / "disk.raw", size_bytes=size, seed=uuid.uuid5(uuid.NAMESPACE_OID, key))
        make_overlay(final / "disk.raw", partial / "overlay.qcow2", size)

    return disk_at(cache.ensure("system", key, make))


@contextmanager
def _whole_tree(tree: Path, files: Files, links: Mapping[str, str], directories: tuple[str, ...]) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="boxbench-system-", dir=cache.cache_dir()) as scratch:
        whole = Path(scratch) / "tree.tar"
        shutil.copyfile(tree, whole)
        _add(whole, files, links, directories)
        yield whole


def disk_at(entry: Path) -> Disk:
    """The disk of a cache entry."""
    about = (entry / "disk.raw").stat()
    return Disk(entry / "disk.raw", entry / "overlay.qcow2", about.st_size, about.st_blocks * 512)


def make_overlay(base: Path, overlay: Path, size_bytes: int, *, base_format: str = "raw") -> None:
    """An empty qcow2 overlay on a base that may not be at its final place yet."""
    tool = proc.require_tool("qemu-img", package="qemu-utils")
    words = [tool, "create", "-q", "-u", "-f", "qcow2", "-F", base_format, "-b", str(base)]
    proc.run([*words, str(overlay), str(size_bytes)], timeout_s=30)


def _add(tar: Path, files: Files, links: Mapping[str, str], directories: tuple[str, ...]) -> None:
    """Append to a system's tree; a later entry wins over an earlier one of the same name."""
    with tarfile.open(tar, "a") as archive:
        for name in directories:
            member = tarfile.TarInfo(f"./{name}")
            member.type, member.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(member)
        for name, (content, mode) in files.items():
            member = tarfile.TarInfo(f"./{name}")
            member.size, member.mode = len(content), mode
            archive.addfile(member, io.BytesIO(content))
        for name, target in links.items():
            member = tarfile.TarInfo(f"./{name}")
            member.type, member.linkname, member.mode = tarfile.SYMTYPE, target, 0o777
            archive.addfile(member)
