"""Checks of permissions and tools: what must be there for which target."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import platform
import re
import shutil
import tarfile
import tempfile
from pathlib import Path
from typing import Final

from bench.doctor.check import Check, Host
from bench.util import proc
from bench.util.errors import BoxbenchError, HostUnfitError
from bench.util.units import format_bytes

SETUP: Final = "run `./bootstrap setup`"
_TOOL_TIMEOUT_S: Final = 30.0
_NEEDED_DISK_BYTES: Final = 3 * 2**30
_COMFORTABLE_DISK_BYTES: Final = 10 * 2**30


def check_root(_host: Host) -> Check:
    """Most targets make namespaces, cgroups or mounts."""
    if os.geteuid() == 0:
        return Check("root", "ok", "running as root")
    return Check(
        "root",
        "warn",
        f"running as user {os.geteuid()}: cold caches, control groups of our own and bare namespaces need root",
        "run with sudo, or accept that some targets are left out",
    )


def check_kvm(host: Host) -> Check:
    """Without KVM a VM is emulated, ten to fifty times slower."""
    device = host.root / "dev/kvm"
    emulated = "; VMs will be emulated (tcg), and their numbers labelled so"
    if not device.exists():
        return Check(
            "kvm",
            "warn",
            f"{device} does not exist{emulated}",
            "enable virtualisation in the firmware (or nested virtualisation in the VM's host) and load kvm_intel or "
            "kvm_amd",
        )
    try:
        os.close(os.open(device, os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        return Check(
            "kvm",
            "warn",
            f"{device} cannot be opened: {error.strerror}{emulated}",
            "run as root, or join the group kvm: `usermod -aG kvm USER`, then log in again",
        )
    if "kvm_pvm" in host.facts.get("kvm", {}).get("modules", ""):
        return Check(
            "kvm",
            "warn",
            f"{device} opens, but this is para-virtual nested KVM (kvm_pvm): ordinary guest kernels may not boot",
            "nothing to do: a real guest kernel is booted once to decide, and emulation (tcg) is the fall-back",
        )
    return Check("kvm", "ok", f"{device} opens")


def check_docker(_host: Host) -> Check:
    """What runs is used; else a private daemon is started."""
    try:
        # Late, and by name: this import is itself one of the questions.
        engine = importlib.import_module("bench.engines.dockerd")
        client = engine.running_client()
    except ImportError as error:
        return Check("docker", "fail", f"the Python package docker is missing ({error})", SETUP)
    except HostUnfitError as error:
        return Check("docker", "fail", error.message, error.hint)
    if client is not None:
        with contextlib.closing(client):
            version = client.version().get("Version", "unknown")
        return Check("docker", "ok", f"a Docker daemon runs, version {version}; it will be used")
    if shutil.which("dockerd") is None and shutil.which("dockerd", path="/usr/sbin") is None:
        return Check("docker", "fail", "no Docker daemon answers, and dockerd is not installed", SETUP)
    return Check("docker", "info", "no Docker daemon runs; a private one will be started and stopped again")


def check_libvirt(_host: Host) -> Check:
    """The binding has no wheels, so it is the package most often missing."""
    try:
        libvirt = importlib.import_module("libvirt")
    except ImportError as error:
        return Check(
            "libvirt",
            "fail",
            f"the Python binding of libvirt cannot be imported ({error})",
            f"{SETUP}, or install libvirt-dev, pkg-config, gcc, Python headers and then `pip install 'boxbench[vm]'`",
        )
    number = libvirt.getVersion()
    version = f"{number // 1_000_000}.{number // 1000 % 1000}.{number % 1000}"
    return Check("libvirt", "ok", f"libvirt {version}")


def check_qemu(_host: Host) -> Check:
    """The virtual machine monitor of all VM targets."""
    # Arm hosts say aarch64 in both places; i686 hosts run the 64-bit one too.
    name = f"qemu-system-{platform.machine()}"
    try:
        text = proc.run([proc.require_tool(name, package="qemu-system"), "--version"], timeout_s=_TOOL_TIMEOUT_S).text
    except BoxbenchError as error:
        return Check("qemu", "fail", error.message, error.hint)
    match = re.search(r"version (\d+\.\d+\S*)", text)
    return Check("qemu", "ok", f"QEMU {match[1] if match else text.splitlines()[0]}")


def check_mke2fs(_host: Host) -> Check:
    """Disks are made from tar archives without mounting: tried, because it depends on how mke2fs was built."""
    try:
        tool = proc.require_tool("mke2fs", package="e2fsprogs")
    except HostUnfitError as error:
        return Check("mke2fs", "fail", error.message, error.hint)
    try:
        _disk_from_tar(tool)
    except BoxbenchError as error:
        return Check(
            "mke2fs",
            "info" if os.geteuid() == 0 else "fail",
            f"mke2fs cannot make a disk from a tar archive, only from an unpacked tree as root: {error.message}",
            "install e2fsprogs 1.47.1 or later and libarchive13t64 (Debian 13 has both)",
        )
    return Check("mke2fs", "ok", "mke2fs makes disks from tar archives")


def _disk_from_tar(tool: str) -> None:
    with tempfile.TemporaryDirectory(prefix="boxbench-doctor-") as folder:
        archive = Path(folder) / "tree.tar"
        with tarfile.open(archive, "w") as tar:
            entry = tarfile.TarInfo("file")
            entry.size = 4
            tar.addfile(entry, io.BytesIO(b"text"))
        disk = Path(folder) / "disk.img"
        proc.run([tool, "-q", "-t", "ext4", "-F", "-d", archive, disk, "4M"], timeout_s=_TOOL_TIMEOUT_S)


def check_mmdebstrap(_host: Host) -> Check:
    """Bases of scenarios on hosts that reach no image registry."""
    if shutil.which("mmdebstrap"):
        return Check("mmdebstrap", "ok", "mmdebstrap is there")
    return Check("mmdebstrap", "warn", "mmdebstrap is missing: scenarios with a `base` cannot be built", SETUP)


def check_compiler(_host: Host) -> Check:
    """The agent in every box is a static C program, compiled once."""
    try:
        gcc = proc.require_tool("gcc", package="gcc")
        with tempfile.TemporaryDirectory(prefix="boxbench-doctor-") as folder:
            source = Path(folder) / "empty.c"
            source.write_text("int main(void) { return 0; }\n", encoding="ascii")
            proc.run([gcc, "-static", "-o", Path(folder) / "empty", source], timeout_s=_TOOL_TIMEOUT_S)
    except BoxbenchError as error:
        return Check("compiler", "fail", f"gcc cannot make a static program: {error.message}", f"{SETUP} (libc6-dev)")
    return Check("compiler", "ok", "gcc makes static programs")


def check_disk(host: Host) -> Check:
    """Trees, disks, overlays and kernels are kept in the cache."""
    existing = next(path for path in (host.cache_dir, *host.cache_dir.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    finding = f"{format_bytes(free)} free for the cache {host.cache_dir}"
    if free >= _COMFORTABLE_DISK_BYTES:
        return Check("disk", "ok", finding)
    fix = f"free some or move it (BOXBENCH_CACHE): {format_bytes(_COMFORTABLE_DISK_BYTES)} are comfortable"
    return Check("disk", "warn" if free >= _NEEDED_DISK_BYTES else "fail", finding, fix)
