"""Checks of permissions, tools and disk space that targets need."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import platform
import re
import shutil
import tarfile
from dataclasses import replace
from typing import Final

from bench.doctor import install
from bench.doctor.check import Check, Host, Status
from bench.doctor.install import Mend
from bench.engines.libvirt_daemon import find_program
from bench.engines.libvirtd import format_version
from bench.host.scratch import scratch
from bench.targets.vms.uml import find_uml, kernel_version
from bench.util import proc
from bench.util.errors import BoxbenchError, HostUnfitError
from bench.util.units import format_bytes

_TOOL_TIMEOUT_S: Final = 30.0
_NEEDED_DISK_BYTES: Final = 3 * 2**30
_COMFORTABLE_DISK_BYTES: Final = 10 * 2**30


def _missing(host: Host, name: str, status: Status, finding: str, mend: Mend) -> Check:
    """A check that failed because something is not installed."""
    return Check(name, status, finding, install.advice(host.machine, mend), mend)


def check_root(_host: Host) -> Check:
    """Root: most targets make namespaces, control groups or mounts."""
    if os.geteuid() == 0:
        return Check("root", "ok", "running as root")
    return Check(
        "root",
        "warn",
        f"running as user {os.geteuid()}: cold caches, control groups and the targets without an engine need root",
        "run with sudo, or leave out the targets that need root",
    )


def check_kvm(host: Host) -> Check:
    """KVM: without it VMs are emulated, which is ten to fifty times slower."""
    device = host.root / "dev/kvm"
    emulated = "; VMs will be emulated, and their numbers labelled tcg"
    if not device.exists():
        return Check(
            "kvm",
            "warn",
            f"{device} does not exist{emulated}",
            "enable virtualisation in the firmware, or nested virtualisation on the VM's host, and load kvm_intel or "
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
            f"{device} opens, but this is nested para-virtual KVM (kvm_pvm): ordinary guest kernels may not boot",
            "nothing to do: Boxbench boots a guest kernel once to decide, and falls back to emulation (tcg)",
        )
    return Check("kvm", "ok", f"{device} opens")


def check_docker(host: Host) -> Check:
    """Docker: a running engine is used; otherwise a private one is started."""
    try:
        # The import is part of the check: the Python package docker may be missing.
        engine = importlib.import_module("bench.engines.dockerd")
        client = engine.running_client()
    except ImportError as error:
        return _missing(host, "docker", "fail", _without_client(error), install.docker_client(host.machine))
    except HostUnfitError as error:
        return Check("docker", "fail", error.message, error.hint)
    if client is not None:
        with contextlib.closing(client):
            version = client.version().get("Version", "unknown")
        return Check("docker", "ok", f"a Docker Engine runs, version {version}; it will be used")
    if proc.find_tool("dockerd") is None:
        without = "no Docker Engine answers, and dockerd is not installed"
        if proc.find_tool("podman") is None:
            return _missing(host, "docker", "fail", without, Mend(install.DOCKER))
        finding = f"{without}: podman builds and holds images; targets with Docker fail"
        return _missing(host, "docker", "warn", finding, Mend(install.DOCKER))
    return Check("docker", "info", "no Docker Engine runs; Boxbench will start and stop a private one")


def _without_client(error: ImportError) -> str:
    return f"the Python package docker is missing ({error})"


def check_buildkit(host: Host) -> Check:
    """BuildKit: what many Dockerfiles of today need, such as `RUN --mount`."""
    try:
        found = importlib.import_module("bench.image.stores.buildkit").find_program()
    except ImportError as error:
        return _missing(host, "buildkit", "fail", _without_client(error), install.docker_client(host.machine))
    if found is None:
        finding = "docker buildx is missing: a Dockerfile with a heredoc, RUN --mount or COPY --link cannot be built"
        check = _missing(host, "buildkit", "warn", finding, Mend(install.BUILDX))
        return replace(check, fix=f"{check.fix}; Docker's own packages call it docker-buildx-plugin")
    return Check("buildkit", "ok", f"{found} builds Dockerfiles with BuildKit")


def check_libvirt(host: Host) -> Check:
    """libvirt: its Python binding has no wheels, so it is often missing."""
    try:
        find_program()
        daemon: tuple[str, ...] = ()
    except HostUnfitError:
        daemon = install.DAEMON
    try:
        libvirt = importlib.import_module("libvirt")
    except ImportError as error:
        mend = install.binding(host.machine)
        check = _missing(
            host,
            "libvirt",
            "fail",
            f"the Python binding of libvirt cannot be imported ({error})",
            replace(mend, packages=(*mend.packages, *daemon)),
        )
        return replace(check, fix=f"{check.fix}; the VM targets microvm and vmm do without it")
    version = f"libvirt {format_version(libvirt.getVersion())}"
    if daemon:
        return _missing(host, "libvirt", "fail", f"{version}, but none of its daemons is installed", Mend(daemon))
    return Check("libvirt", "ok", version)


def check_qemu(host: Host) -> Check:
    """QEMU: the virtual machine monitor of all VM targets."""
    # On x86-64 and Arm the name of the machine is also that of the emulator.
    name = f"qemu-system-{platform.machine()}"
    try:
        text = proc.run([proc.require_tool(name, package="qemu-system"), "--version"], timeout_s=_TOOL_TIMEOUT_S).text
        for tool in ("qemu-img", "zstd"):
            proc.require_tool(tool, package=tool)
    except HostUnfitError as error:
        return _missing(host, "qemu", "fail", error.message, Mend(install.QEMU))
    except BoxbenchError as error:
        return Check("qemu", "fail", error.message, error.hint)
    match = re.search(r"version (\d+\.\d+\S*)", text)
    return Check("qemu", "ok", f"QEMU {match[1] if match else text.splitlines()[0]}")


def check_uml(host: Host) -> Check:
    """User-mode Linux: the one guest that is not emulated where KVM boots no kernel."""
    try:
        release = kernel_version(find_uml(None))
    except HostUnfitError as error:
        return _missing(host, "uml", "warn", f"no target uml: {error.message}", Mend(install.UML))
    except BoxbenchError as error:
        return Check("uml", "warn", f"no target uml: {error.message}", error.hint)
    return Check("uml", "ok", f"user-mode Linux {release}")


def check_mke2fs(host: Host) -> Check:
    """mke2fs: it makes disks from tar archives. The check tries it, since this depends on how mke2fs was built."""
    try:
        tool = proc.require_tool("mke2fs", package="e2fsprogs")
    except HostUnfitError as error:
        return _missing(host, "mke2fs", "fail", error.message, Mend(install.MKE2FS))
    try:
        _disk_from_tar(tool)
    except BoxbenchError as error:
        return Check(
            "mke2fs",
            "info" if os.geteuid() == 0 else "fail",
            f"mke2fs cannot make a disk from a tar archive, only from an unpacked tree as root: {error.message}",
            "install e2fsprogs 1.47.1 or later and libarchive13t64 (Debian 13 has both)",
            Mend(install.MKE2FS),
        )
    return Check("mke2fs", "ok", "mke2fs makes disks from tar archives")


def _disk_from_tar(tool: str) -> None:
    with scratch() as folder:
        archive = folder / "tree.tar"
        with tarfile.open(archive, "w") as tar:
            entry = tarfile.TarInfo("file")
            entry.size = 4
            tar.addfile(entry, io.BytesIO(b"text"))
        disk = folder / "disk.img"
        proc.run([tool, "-q", "-t", "ext4", "-F", "-d", archive, disk, "4M"], timeout_s=_TOOL_TIMEOUT_S)


def check_mmdebstrap(host: Host) -> Check:
    """mmdebstrap: it makes the base images of scenarios on hosts that reach no image registry."""
    if proc.find_tool("mmdebstrap"):
        return Check("mmdebstrap", "ok", "mmdebstrap is installed")
    finding = "mmdebstrap is missing: scenarios with a `base` cannot be built"
    return _missing(host, "mmdebstrap", "warn", finding, Mend(install.MMDEBSTRAP))


def check_compiler(host: Host) -> Check:
    """Compiler: the agent that runs in every box is a static C program."""
    try:
        gcc = proc.require_tool("gcc", package="gcc")
        with scratch() as folder:
            source = folder / "empty.c"
            source.write_text("int main(void) { return 0; }\n", encoding="ascii")
            proc.run([gcc, "-static", "-o", folder / "empty", source], timeout_s=_TOOL_TIMEOUT_S)
    except BoxbenchError as error:
        finding = f"gcc cannot build a static program: {error.message}"
        return _missing(host, "compiler", "fail", finding, Mend(install.COMPILER))
    return Check("compiler", "ok", "gcc builds static programs")


def check_disk(host: Host) -> Check:
    """Disk space: trees, disks, overlays and kernels are in the cache."""
    existing = next(path for path in (host.cache_dir, *host.cache_dir.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    finding = f"{format_bytes(free)} free for the cache {host.cache_dir}"
    if free >= _COMFORTABLE_DISK_BYTES:
        return Check("disk", "ok", finding)
    fix = f"free some space or move the cache (BOXBENCH_CACHE); {format_bytes(_COMFORTABLE_DISK_BYTES)} are enough"
    return Check("disk", "warn" if free >= _NEEDED_DISK_BYTES else "fail", finding, fix)
