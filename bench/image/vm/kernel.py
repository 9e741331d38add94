"""The kernel that VMs boot: one that the user names, the host's own, or the distribution's cloud kernel."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Final

from bench.host.scratch import scratch
from bench.image.apt_sources import trusted_sources
from bench.image.model import GuestKernel
from bench.image.vm.modules import prepare_modules
from bench.util import cache, proc
from bench.util.errors import HostUnfitError, ProcessError

META_PACKAGES: Final = {
    "x86_64": ("linux-image-cloud-amd64", "linux-image-virtual", "linux-image-kvm"),
    "aarch64": ("linux-image-cloud-arm64", "linux-image-virtual"),
}
_CONCRETE: Final = re.compile(r"^\s*Depends: (linux-(?:image|modules)-\d[^\s:]*)", re.MULTILINE)


def find_guest_kernel() -> GuestKernel:
    """The guest kernel and the modules that its initramfs needs.

    The first of these that exists: $BOXBENCH_KERNEL with $BOXBENCH_MODULES; the kernel in /boot that runs on this host,
    so that VMs and containers run the same kernel; the distribution's cloud kernel, which is downloaded and unpacked
    into the cache, but not installed.

    Raises:
        HostUnfitError: there is none; the error names what was tried.
    """
    named = os.environ.get("BOXBENCH_KERNEL")
    if named:
        return _named(Path(named), os.environ.get("BOXBENCH_MODULES"))
    release = os.uname().release
    own, modules = Path(f"/boot/vmlinuz-{release}"), Path(f"/lib/modules/{release}")
    if os.access(own, os.R_OK) and (modules / "kernel").is_dir():
        return _kernel(own, release, modules, f"this host's own ({own})")
    return _distribution_kernel()


def named_kernel(image: Path, modules: Path | None) -> GuestKernel:
    """A kernel that the user has chosen. Its ``source`` has digests, since two builds can have one release.

    Args:
        image: a bzImage.
        modules: its /lib/modules/RELEASE; None when everything that a guest needs is built in.

    Raises:
        HostUnfitError: a module that every guest needs is neither built in nor in ``modules``.
        OSError: a file cannot be read.
    """
    found = _kernel(image, _release(image, modules), modules, cache.describe_file(image))
    if modules is None:
        return found
    # The names of prepared modules are digests of their content.
    content = cache.content_key(*(path.name for path in found.modules))
    return replace(found, source=f"{found.source}, modules {modules}, content {content}")


def with_modules(kernel: GuestKernel, extra: tuple[str, ...]) -> GuestKernel:
    """The same kernel with further modules. Raises HostUnfitError when it lacks one of them."""
    if kernel.modules_dir is None or not extra:
        return kernel
    return replace(kernel, modules=prepare_modules(kernel.modules_dir, kernel.release, extra))


def _named(image: Path, modules: str | None) -> GuestKernel:
    if not image.is_file():
        raise HostUnfitError(
            f"guest kernel missing: BOXBENCH_KERNEL names {image}, which is not a file",
            hint="set it to a bzImage (vmlinuz), or unset it",
        )
    directory = Path(modules) if modules else None
    return _kernel(image.absolute(), _release(image, directory), directory, f"BOXBENCH_KERNEL ({image})")


def _release(image: Path, modules: Path | None) -> str:
    return image.name.removeprefix("vmlinuz-") if modules is None else modules.resolve().name


def _kernel(image: Path, release: str, modules: Path | None, source: str) -> GuestKernel:
    prepared = prepare_modules(modules, release)
    return GuestKernel(image=image, release=release, source=source, modules=prepared, modules_dir=modules)


def _distribution_kernel() -> GuestKernel:
    machine = os.uname().machine
    metas = META_PACKAGES.get(machine, ())
    with scratch() as folder:
        apt = _apt_options(folder)
        packages = _look_up(apt, metas)
        if packages is None and _update(apt):
            packages = _look_up(apt, metas)
        if packages is None:
            raise HostUnfitError(
                f"guest kernel missing: no /boot/vmlinuz-{os.uname().release} with modules is readable, and APT knows"
                f" none of {', '.join(metas) or f'a cloud kernel for {machine}'}",
                hint="run `apt-get update`, or set BOXBENCH_KERNEL and BOXBENCH_MODULES",
            )
        tree = _ensure_unpacked(apt, packages, metas)
    image = next((tree / "boot").glob("vmlinuz-*"))
    release = image.name.removeprefix("vmlinuz-")
    base = next(path for path in (tree / "usr/lib/modules", tree / "lib/modules") if path.is_dir())
    return _kernel(image, release, base / release, f"package linux-image-{release}")


def _ensure_unpacked(apt: list[str], packages: tuple[str, ...], metas: tuple[str, ...]) -> Path:
    try:
        return cache.ensure("kernel", "+".join(packages), lambda path: _download(apt, packages, path))
    except HostUnfitError:
        # Outdated package lists name a kernel that the mirror has replaced.
        newer = _look_up(apt, metas) if _update(apt) else None
        if newer is None or newer == packages:
            raise
        return cache.ensure("kernel", "+".join(newer), lambda path: _download(apt, newer, path))


def _apt_options(scratch: Path) -> list[str]:
    """Options that limit APT to the signed sources, with the package lists that this host already has."""
    for name, text in trusted_sources().items():
        (scratch / name).write_text(text, encoding="utf-8")
    # When APT runs as root it downloads as another user, who may not write to our directories.
    options = {
        "Dir::Etc::sourcelist": "/dev/null",
        "Dir::Etc::sourceparts": str(scratch),
        "APT::Sandbox::User": "root",
        "APT::Get::List-Cleanup": "0",
        "Acquire::Languages": "none",
    }
    return [word for key, value in options.items() for word in ("-o", f"{key}={value}")]


def _update(apt: list[str]) -> bool:
    if os.geteuid() != 0:
        return False
    tool = proc.require_tool("apt-get", package="apt")
    return proc.run([tool, *apt, "-q", "update"], timeout_s=180, check=False).returncode == 0


def _look_up(apt: list[str], metas: tuple[str, ...]) -> tuple[str, ...] | None:
    """The packages with the kernel and its modules; None when APT knows none."""
    tool = proc.require_tool("apt-cache", package="apt")
    for meta in metas:
        text = proc.run([tool, *apt, "depends", meta], timeout_s=60, check=False).text
        image = next((name for name in _CONCRETE.findall(text) if name.startswith("linux-image-")), None)
        if image is None:
            continue
        # Debian's image package contains its modules. Ubuntu's depends on a package with them.
        below = proc.run([tool, *apt, "depends", image], timeout_s=60, check=False).text
        return (image, *(name for name in _CONCRETE.findall(below) if name.startswith("linux-modules-")))
    return None


def _download(apt: list[str], packages: tuple[str, ...], directory: Path) -> None:
    tool = proc.require_tool("apt-get", package="apt")
    unpack = proc.require_tool("dpkg-deb", package="dpkg")
    directory.mkdir()
    with scratch() as folder:
        try:
            proc.run([tool, *apt, "-q", "download", *packages], timeout_s=300, cwd=folder)
        except ProcessError as error:
            raise HostUnfitError(
                f"guest kernel missing: {', '.join(packages)} could not be downloaded: {error.message}",
                hint="run `apt-get update`, check the mirror, or set BOXBENCH_KERNEL and BOXBENCH_MODULES",
            ) from None
        for package in sorted(folder.glob("*.deb")):
            proc.run([unpack, "-x", str(package), str(directory)], timeout_s=120)
