"""Whole systems that VMs boot from a disk of their own: the classic VM with systemd, and the VM with Docker Engine."""

from __future__ import annotations

import io
import shutil
import tarfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.agent.compile import static_program
from bench.host.scratch import scratch
from bench.image.base import ensure_system
from bench.image.model import Disk
from bench.image.vm.boot_disk import ROOT_PARTITION, kernel_release, make_bootdisk, make_ext4
from bench.image.vm.disk import cached_disk, make_overlay
from bench.util import cache

Files = Mapping[str, tuple[bytes, int]]
"""Content and mode of each file, by path."""

RECIPE: Final = "1"
"""Part of the cache key. Raise it when a change of this module makes other systems."""

CLASSIC_PACKAGES: Final = ("linux-image-cloud-amd64", "initramfs-tools", "systemd-sysv", "udev", "dbus", "kmod")
CLASSIC_BYTES: Final = 2 * 2**30
TREE: Final = "/srv/box"
"""Mount point of the scenario's disk in the classic system."""

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
_CONTAINERD_SOCKET: Final = "/run/docker/containerd/containerd.sock"
# What dockerd 26.1 writes for a containerd that it starts itself, without the defaults.
_CONTAINERD_CONFIG: Final = f"""\
version = 2
root = "/var/lib/docker/containerd/daemon"
state = "/run/docker/containerd/daemon"
disabled_plugins = ["io.containerd.grpc.v1.cri"]

[grpc]
address = "{_CONTAINERD_SOCKET}"

[debug]
address = "/run/docker/containerd/containerd-debug.sock"
format = "text"
"""
DOCKERD_ARGV: Final = (
    "/usr/sbin/dockerd", "--containerd", _CONTAINERD_SOCKET, "--iptables=false", "--ip6tables=false", "--bridge=none",
    "--userland-proxy=false",
)  # fmt: skip
ENGINE_ARGV: Final = ("/usr/local/sbin/dockervm", "/etc/boxbench-containerd.toml", *DOCKERD_ARGV)


def ensure_engine_disk() -> Path:
    """A raw ext4 disk with Docker Engine and ``dockervm``, without images, boot loader or systemd. Cached.

    Raises:
        HostUnfitError, BuildError: as ``ensure_base`` and ``static_program``.
    """
    tree = ensure_system("boxbench/system-engine", ENGINE_PACKAGES)
    program = static_program("bench.image.vm", "dockervm.c").read_bytes()
    config = _CONTAINERD_CONFIG.encode("ascii")
    files = {
        ENGINE_ARGV[0].lstrip("/"): (program, 0o755),
        ENGINE_ARGV[1].lstrip("/"): (config, 0o644),
        "etc/hostname": (b"boxbench\n", 0o644),
    }
    key = cache.content_key(RECIPE, tree.name, str(ENGINE_BYTES), *_parts(files))

    def make(partial: Path) -> None:
        with _whole_tree(tree, files, {}, ()) as whole:
            make_ext4(whole, partial, size_bytes=ENGINE_BYTES, seed=uuid.uuid5(uuid.NAMESPACE_OID, key))

    return cache.ensure("system", f"{key}.raw", make)


def ensure_classic_disk(command_line: str) -> Disk:
    """A disk with GRUB, the distribution's kernel and initrd, systemd, and the workload as a unit. Cached.

    Args:
        command_line: the kernel's command line, without the root.

    Raises:
        HostUnfitError, BuildError: as ``ensure_base`` and ``make_bootdisk``.
    """
    tree = ensure_system("boxbench/system-classic", CLASSIC_PACKAGES)
    release = kernel_release(tree)
    files = {
        "etc/systemd/system/boxbench.service": _UNIT,
        "etc/fstab": _FSTAB,
        "etc/hostname": "boxbench\n",
        # Without an identity systemd takes each boot for the first one, and enables units again.
        "etc/machine-id": uuid.uuid5(uuid.NAMESPACE_OID, RECIPE).hex + "\n",
        "boot/grub/grub.cfg": _GRUB.format(release=release, root=ROOT_PARTITION, words=command_line),
    }
    links = {"etc/systemd/system/multi-user.target.wants/boxbench.service": "/etc/systemd/system/boxbench.service"}
    directories = (TREE.lstrip("/"), "boot/grub", "etc/systemd/system/multi-user.target.wants")
    encoded = {name: (text.encode("utf-8"), 0o644) for name, text in files.items()}
    return _ensure(tree, encoded, links, directories, CLASSIC_BYTES)


def _ensure(tree: Path, files: Files, links: Mapping[str, str], directories: tuple[str, ...], size: int) -> Disk:
    # The overlay has the absolute path of its base in it.
    key = cache.content_key(RECIPE, tree.name, str(size), str(cache.cache_dir()), *directories, *links, *_parts(files))
    final = cache.cache_dir() / "system" / key

    def make(partial: Path) -> None:
        partial.mkdir()
        with _whole_tree(tree, files, links, directories) as whole:
            make_bootdisk(whole, partial / "disk.raw", size_bytes=size, seed=uuid.uuid5(uuid.NAMESPACE_OID, key))
        make_overlay(final / "disk.raw", partial / "overlay.qcow2", size)

    return cached_disk(cache.ensure("system", key, make))


def _parts(files: Files) -> list[str | bytes]:
    """What a disk's cache key has of its files: names and contents."""
    return [part for name, (content, _) in sorted(files.items()) for part in (name, content)]


@contextmanager
def _whole_tree(tree: Path, files: Files, links: Mapping[str, str], directories: tuple[str, ...]) -> Iterator[Path]:
    with scratch() as folder:
        whole = folder / "tree.tar"
        shutil.copyfile(tree, whole)
        _add(whole, files, links, directories)
        yield whole


def _add(tar: Path, files: Files, links: Mapping[str, str], directories: tuple[str, ...]) -> None:
    """Append to the tar of a system. A later entry replaces an earlier one with the same name."""
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
