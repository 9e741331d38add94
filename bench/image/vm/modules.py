"""Kernel modules for the initramfs: which are needed, in which order, and decompressed for finit_module(2)."""

from __future__ import annotations

import gzip
import lzma
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from bench.util import cache, proc
from bench.util.errors import HostUnfitError

REQUIRED: Final = ("virtio_pci", "virtio_console", "virtio_blk", "ext4")
"""Modules that every guest needs: for its bus, the agent's channel, its disk and its root."""

OPTIONAL: Final = ("virtio_mmio",)
"""Modules that are used where the kernel has them: for the bus of machines without PCI."""

_SUFFIX: Final = re.compile(r"\.ko(\.xz|\.zst|\.gz)?$")
_DEPENDS: Final = re.compile(rb"(?:^|\0)depends=([^\0]*)\0")
_SOFT: Final = re.compile(rb"(?:^|\0)softdep=pre: ?([^\0]*)\0")


def prepare_modules(directory: Path | None, release: str, extra: tuple[str, ...] = ()) -> tuple[Path, ...]:
    """Decompressed modules from a /lib/modules/RELEASE, dependencies first, without those that are built in.

    Args:
        directory: None when the kernel has everything built in; the result is then empty.
        extra: modules that are required beside ``REQUIRED``, and loaded after them.

    Raises:
        HostUnfitError: a required module is neither built in nor in ``directory``.
    """
    if directory is None:
        return ()
    files = {_name(path.name): path for path in directory.glob("kernel/**/*.ko*") if _SUFFIX.search(path.name)}
    builtin = _builtin(directory)
    order = load_order(
        [
            name
            for name in (*REQUIRED, *OPTIONAL, *extra)
            if name not in builtin and (name not in OPTIONAL or name in files)
        ],
        lambda name: _needs(name, files, builtin, release),
    )
    return tuple(_decompressed(files[name]) for name in order)


def load_order(wanted: Iterable[str], needs: Callable[[str], Iterable[str]]) -> tuple[str, ...]:
    """``wanted`` and their dependencies, each once, and each after its own dependencies."""
    order: list[str] = []
    visiting: set[str] = set()

    def visit(name: str) -> None:
        if name in order or name in visiting:
            return
        visiting.add(name)
        for other in needs(name):
            visit(other)
        order.append(name)

    for name in wanted:
        visit(name)
    return tuple(order)


def parse_modinfo(module: bytes) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of a decompressed module's dependencies: the required ones, and the soft ones, which may be missing."""
    hard = _DEPENDS.search(module)
    soft = _SOFT.findall(module)
    return (
        tuple(_name(name) for name in (hard[1].decode("ascii", "replace") if hard else "").split(",") if name),
        tuple(_name(name) for text in soft for name in text.decode("ascii", "replace").split() if name[-1] != ":"),
    )


def _needs(name: str, files: dict[str, Path], builtin: frozenset[str], release: str) -> tuple[str, ...]:
    if name not in files:
        raise HostUnfitError(
            f"guest kernel missing a module: {name} of {release} is neither built in nor in its modules directory",
            hint="name this kernel's /lib/modules/RELEASE with the option guest_modules or with BOXBENCH_MODULES, or "
            "choose another kernel",
        )
    hard, soft = parse_modinfo(_decompressed(files[name]).read_bytes())
    return tuple(other for other in hard if other not in builtin) + tuple(
        other for other in soft if other in files and other not in builtin
    )


def _builtin(directory: Path) -> frozenset[str]:
    try:
        lines = (directory / "modules.builtin").read_text(encoding="utf-8").splitlines()
    except OSError:
        return frozenset()
    return frozenset(_name(Path(line).name) for line in lines)


def _name(file: str) -> str:
    return _SUFFIX.sub("", file).replace("-", "_")


def _decompressed(file: Path) -> Path:
    raw = file.read_bytes()
    key = f"{cache.content_key(raw)}-{_name(file.name)}.ko"
    return cache.ensure("module", key, lambda path: _decompress(file, raw, path))


def _decompress(file: Path, raw: bytes, out: Path) -> None:
    if file.suffix == ".xz":
        raw = lzma.decompress(raw)
    elif file.suffix == ".gz":
        raw = gzip.decompress(raw)
    elif file.suffix == ".zst":
        raw = proc.run([proc.require_tool("zstd", package="zstd"), "-d", "-c"], timeout_s=60, stdin=raw).stdout
    out.write_bytes(raw)
