"""Makes guests: kernel, initramfs, memory, and the digests of everything that determines the count."""

from __future__ import annotations

import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.agent.boxconf import render_boxconf
from bench.agent.compile import agent_binary, static_program
from bench.image.archive import TreeIndex, read_index
from bench.image.base import ensure_unpacked
from bench.image.model import GuestKernel, Image
from bench.image.vm.initramfs import CpioEntry, clear_of_tables, newc
from bench.image.vm.kernel import find_guest_kernel, with_modules
from bench.image.vm.raw_kernel import ensure_raw_kernel
from bench.instructions.machine import clock_inputs, machine_argv, text_digest
from bench.instructions.model import VM_TARGETS
from bench.instructions.recipe import ARCHIVE, REF, TREE, CountedImage, Recipe
from bench.instructions.scripts import container_recipe, vm_recipe
from bench.instructions.tree import image_archive, tree_entries
from bench.instructions.variation import Variation
from bench.scenario.model import Scenario
from bench.util import cache
from bench.util.cache import file_digest
from bench.util.errors import HostUnfitError, UsageError

PACKAGES: Final = ("runc", "containerd", "docker.io", "docker-cli")

_PROGRAMS: Final = {
    "runc": "usr/sbin/runc",
    "containerd": "usr/bin/containerd",
    "containerd-shim-runc-v2": "usr/bin/containerd-shim-runc-v2",
    "ctr": "usr/bin/ctr",
    "dockerd": "usr/sbin/dockerd",
    "docker": "usr/bin/docker",
}
# The libraries that programs are linked with. Character tables, name service modules and the like are not needed.
_LIBRARIES: Final = re.compile(r"(usr/)?lib(64)?/([^/]+/)?(lib[^/]+\.so[.0-9]*|ld-linux[^/]*)")
_CONTAINER_MACHINE: Final = "microvm"
_SMALL_BYTES: Final = 512 * 2**20
_LARGE_BYTES: Final = 2 * 2**30
_LEAST_ROOM_BYTES: Final = 512 * 2**20
# Packages for a merged /usr expect these links to exist.
_MERGED: Final = (("lib", "usr/lib"), ("lib64", "usr/lib64"))
_DIRECTORIES: Final = ("dev", "proc", "sys", "run", "tmp", "box", "modules", "etc", "var", "var/lib")


@dataclass(frozen=True)
class CountingGuest:
    """A guest that is ready to be booted, of one cell."""

    target: str
    kernel: Path
    initramfs: Path
    words: tuple[str, ...]
    """QEMU's arguments for the machine and its clock."""
    inputs: dict[str, str]
    """Everything that determines the count, as in ``Count.inputs``."""


def make_guest(
    target: str,
    image: Image,
    scenario: Scenario,
    *,
    variation: Variation,
    programs: Mapping[str, Path],
    room_bytes: int = 0,
    directory: Path | None = None,
) -> CountingGuest:
    """Assemble a guest.

    Args:
        target: one of ``bench.instructions.model.TARGETS``.
        variation: the run of the guest.
        programs: files that replace programs of the distribution, by the program's name.
        room_bytes: make room for an unpacked tree of this size, if it is larger than the image's. Guests with the same
            room have the same memory.
        directory: the initramfs is written here; None caches it by content.

    Raises:
        HostUnfitError, BuildError: a part of the guest cannot be made.
        UsageError: no guest has such a program, or the tree does not fit into the VM's memory.
    """
    _check_programs(programs)
    index = read_index(image.tree_tar)
    conf = render_boxconf(image.config, scenario.ready)
    maker = _vm if target in VM_TARGETS else _containers
    made = maker(_Wanted(target, image, scenario, variation, max(room_bytes, tree_bytes(image))), index, programs)
    entries = [*_padding(variation), *made.entries, *_own(made.recipe, conf)]
    archive = clear_of_tables(newc(entries))
    path = _stored(archive, directory)
    machine = target if target in VM_TARGETS else _CONTAINER_MACHINE
    words = machine_argv(machine, seed=variation.guest_seed)
    inputs = clock_inputs(machine) | {
        "machine": " ".join(words),
        "guest memory": f"{made.memory_bytes >> 20} MiB",
        "guest kernel": f"{made.kernel.release} {file_digest(made.kernel.image)}",
        "initramfs": text_digest(archive),
        "agent": file_digest(agent_binary()),
        "counter": file_digest(_counter()),
        "script": text_digest(made.recipe.script),
        "tree": image.digest,
        "command": text_digest(conf),
        **made.inputs,
    }
    kernel = ensure_raw_kernel(made.kernel) if made.raw_kernel else made.kernel.image
    return CountingGuest(target, kernel, path, (*words, "-m", f"{made.memory_bytes}B"), inputs)


@dataclass(frozen=True)
class _Wanted:
    """What a guest is made of. ``room_bytes`` is the size of the unpacked tree that its memory must have room for."""

    target: str
    image: Image
    scenario: Scenario
    variation: Variation
    room_bytes: int


@dataclass(frozen=True)
class _Made:
    recipe: Recipe
    entries: list[CpioEntry]
    kernel: GuestKernel
    memory_bytes: int
    inputs: dict[str, str]
    raw_kernel: bool


def tree_bytes(image: Image) -> int:
    """The size of an image's unpacked tree, for ``room_bytes`` of ``make_guest``."""
    return image.sizes_bytes["unpacked"]


def container_memory(*, has_engine: bool, room_bytes: int) -> int:
    """The memory of a guest that starts containers, in bytes.

    It grows in steps that double, so that images of about the same size get equal guests.
    """
    # The initramfs and what is unpacked from it are in memory, and so is what an engine unpacks.
    needed = max(2 * room_bytes, _LEAST_ROOM_BYTES)
    return (_LARGE_BYTES if has_engine else _SMALL_BYTES) + (1 << (needed - 1).bit_length())


def _vm(wanted: _Wanted, index: TreeIndex, programs: Mapping[str, Path]) -> _Made:
    """A guest whose root is the image's tree."""
    del programs
    memory = wanted.scenario.resources.memory
    content = tree_bytes(wanted.image)
    # For a moment the archive and the unpacked tree are both in memory, and the root may use half of the memory.
    if memory < 2 * content + 2**26:
        raise UsageError(
            f"{wanted.scenario.name}: a tree of {content >> 20} MiB does not fit into a VM of {memory >> 20} MiB as "
            "its root",
            hint="raise resources.memory, or count containers only: -t runc,docker",
        )
    recipe = vm_recipe()
    return _Made(recipe, tree_entries(index), find_guest_kernel(), memory, {}, raw_kernel=False)


def _containers(wanted: _Wanted, index: TreeIndex, programs: Mapping[str, Path]) -> _Made:
    """A guest with a small system: the programs that the target needs, and the image as a tree or as an archive."""
    image, target = wanted.image, wanted.target
    archive, layer = image_archive(index, image.config, REF, comment=wanted.variation.letters)
    subject = CountedImage(image.config, wanted.scenario.resources.memory, layer, wanted.variation)
    recipe = container_recipe(target, subject)
    kernel = with_modules(find_guest_kernel(), ("overlay",))
    entries = [CpioEntry(name, stat.S_IFDIR | 0o755) for name in _DIRECTORIES]
    entries += _modules(kernel)
    inputs: dict[str, str] = {}
    if recipe.programs:
        system = read_index(ensure_unpacked("boxbench/icount", PACKAGES))
        entries += _system(system, recipe.programs, programs, inputs)
    if recipe.needs_archive:
        entries.append(CpioEntry(ARCHIVE.lstrip("/"), stat.S_IFREG | 0o644, archive))
    else:
        entries += [CpioEntry(TREE.lstrip("/"), stat.S_IFDIR | 0o755), *tree_entries(index, f"{TREE.lstrip('/')}/")]
    launcher = static_program("bench.targets.launcher", "boxlaunch")
    entries.append(CpioEntry("etc/passwd", stat.S_IFREG | 0o644, b"root:x:0:0:root:/root:/bin/sh\n"))
    entries += [CpioEntry(".boxbench", stat.S_IFDIR | 0o755)]
    if target in ("process", "namespaces"):
        entries.append(CpioEntry(".boxbench/boxlaunch", stat.S_IFREG | 0o755, launcher.read_bytes()))
        inputs["launcher"] = file_digest(launcher)
    memory = container_memory(has_engine=recipe.needs_archive, room_bytes=wanted.room_bytes)
    return _Made(recipe, entries, kernel, memory, inputs, raw_kernel=True)


def _padding(variation: Variation) -> list[CpioEntry]:
    """A file that moves the contents of all later ones in memory. A run without padding has none."""
    content = variation.padding
    return [CpioEntry("padding", stat.S_IFREG | 0o600, content)] if content else []


def _modules(kernel: GuestKernel) -> list[CpioEntry]:
    return [
        CpioEntry(f"modules/{path.name.partition('-')[2]}", stat.S_IFREG | 0o644, path.read_bytes())
        for path in kernel.modules
        if path.name.endswith("-overlay.ko")
    ]


def _system(
    index: TreeIndex, wanted: tuple[str, ...], programs: Mapping[str, Path], inputs: dict[str, str]
) -> list[CpioEntry]:
    """The programs, those of the user in place of the distribution's, and every shared library."""
    paths = {_PROGRAMS[name]: name for name in wanted}
    missing = [path for path in paths if path not in index.members]
    if missing:
        raise HostUnfitError(
            f"this distribution's packages {', '.join(PACKAGES)} have no {', '.join(missing)}",
            hint="counting containers needs the packages of Debian 13 or later",
        )
    entries = tree_entries(index, keep=lambda name: name in paths or _LIBRARIES.fullmatch(name) is not None)
    found = []
    for entry in entries:
        name = paths.get(entry.name)
        if name is not None and name in programs:
            entry = CpioEntry(entry.name, entry.mode, programs[name].read_bytes())  # noqa: PLW2901
        if name is not None:
            inputs[f"program {name}"] = text_digest(entry.content)
        found.append(entry)
    found += [
        CpioEntry(name, stat.S_IFLNK | 0o777, target.encode()) for name, target in _MERGED if name not in index.members
    ]
    libraries = b"".join(text_digest(entry.content).encode() for entry in found if entry.name not in paths)
    inputs["libraries"] = text_digest(libraries)
    return found


def _own(recipe: Recipe, conf: bytes) -> list[CpioEntry]:
    """PID 1, its script, the box.conf, /dev/null, and the files of the recipe."""
    entries = [
        CpioEntry("dev/null", stat.S_IFCHR | 0o666, device=(1, 3)),
        CpioEntry(".boxbench/counter", stat.S_IFREG | 0o755, _counter().read_bytes()),
        CpioEntry(".boxbench/script", stat.S_IFREG | 0o644, recipe.script),
        CpioEntry(".boxbench/box.conf", stat.S_IFREG | 0o644, conf),
    ]
    made: set[str] = set()
    for path, content in sorted(recipe.files.items()):
        for parent in reversed(Path(path).parents[:-1]):
            if str(parent) not in made:
                made.add(str(parent))
                entries.append(CpioEntry(str(parent), stat.S_IFDIR | 0o755))
        entries.append(CpioEntry(path, stat.S_IFREG | 0o644, content))
    return entries


def _counter() -> Path:
    return static_program("bench.instructions", "counter")


def _check_programs(programs: Mapping[str, Path]) -> None:
    for name, path in programs.items():
        if name not in _PROGRAMS:
            raise UsageError(
                f"no guest has a program {name!r}", hint=f"programs that can be replaced: {', '.join(_PROGRAMS)}"
            )
        if not path.is_file():
            raise UsageError(f"{path}, named for {name}, is not a file", hint="name an executable: runc=PATH")


def _stored(archive: bytes, directory: Path | None) -> Path:
    if directory is None:
        return cache.ensure("icount", f"{text_digest(archive)}.cpio", lambda partial: _write(partial, archive))
    _write(directory / "initramfs.cpio", archive)
    return directory / "initramfs.cpio"


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)
