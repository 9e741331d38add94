"""The engine VM's disk with one image in its store. To make it, the VM is booted once and loads the image."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from bench.host.run_directory import boxes_root, new_tag, owned_dir, run_root
from bench.image.model import Disk, Image
from bench.image.saved import ensure_archive, layer_digests
from bench.image.stores.base import ImageStore
from bench.image.vm.disk import make_overlay
from bench.image.vm.system import ENGINE_BYTES, ensure_engine_disk
from bench.targets.base import Slot, no_mark
from bench.targets.vms.domain import DiskFile
from bench.targets.vms.engine_vm import EngineVm, EngineVmBox
from bench.util import cache
from bench.util.errors import BuildError, LaunchError
from bench.util.private import private_directory
from bench.util.tree import remove_tree

RECIPE: Final = "1"
"""Part of the cache key. Raise it when a change of this module makes a different disk."""

_TIMEOUT_S: Final = 600.0
_MEMORY_BYTES: Final = 2**30


def ensure_engine_disk_with(image: Image, vm: EngineVm, store: ImageStore) -> Disk:
    """A disk whose engine has ``image``, and an empty overlay on it, cached by the image's id.

    Raises:
        BuildError: the VM did not start, or the loaded image differs from ``image``.
        HostUnfitError: as ``ensure_engine_disk``.
    """
    system = ensure_engine_disk()
    directory = cache.cache_dir() / "engine-disk"
    key = cache.content_key(RECIPE, system.name, image.id, image.ref, str(directory))

    def make(partial: Path) -> None:
        partial.mkdir()
        disk = partial / "engine.qcow2"
        make_overlay(system, disk, ENGINE_BYTES)
        _load(disk, image, vm=vm, store=store)
        make_overlay(directory / key / "engine.qcow2", partial / "overlay.qcow2", ENGINE_BYTES, base_format="qcow2")

    entry = cache.ensure("engine-disk", key, make)
    stat = (entry / "engine.qcow2").stat()
    return Disk(entry / "engine.qcow2", entry / "overlay.qcow2", ENGINE_BYTES, stat.st_blocks * 512)


def _load(disk: Path, image: Image, *, vm: EngineVm, store: ImageStore) -> None:
    with _slot() as slot:
        archive, layers = ensure_archive(store, image), layer_digests(store, image)
        cpus = len(slot.cpus)
        domain = vm.domain(slot, (DiskFile(disk),), vcpus=cpus, memory_bytes=_MEMORY_BYTES)
        with vm.provisioned(slot, domain, lambda: None, timeout_s=_TIMEOUT_S) as box:
            try:
                box.start()
                _upload(box, archive, image, layers)
            except LaunchError as error:
                raise BuildError(
                    f"image {image.name}: loading it into the engine's VM failed: {error.message}; {box.fate()}",
                    hint=error.hint,
                ) from None
            if not box.power_off():
                raise BuildError(
                    f"image {image.name}: the engine's VM did not power off after the image was loaded",
                    hint="run again; if it happens again, check the host's load",
                )


def _upload(box: EngineVmBox, archive: Path, image: Image, layers: list[str]) -> None:
    with archive.open("rb") as content:
        box.api.upload("/images/load?quiet=1", content, archive.stat().st_size)
    inside = box.api.call("GET", f"/images/{image.ref}/json")["RootFS"]["Layers"]
    if inside != layers:
        raise BuildError(
            f"image {image.name}: the engine in the VM has other layers than the one that built it: {inside}, {layers}",
            hint=cache.start_over(),
        )


@contextmanager
def _slot() -> Iterator[Slot]:
    """The VM's place on the host. It has a tag like a trial's, so that `boxbench clean` finds leftovers of a kill."""
    tag = new_tag("prepare")
    directory, storage = run_root() / tag, boxes_root() / tag
    with owned_dir(directory), ExitStack() as stack:
        for path in (directory, storage):
            stack.callback(remove_tree, path)
        private_directory(storage)
        yield Slot(
            tag=tag,
            directory=directory,
            storage=storage,
            cpus=tuple(sorted(os.sched_getaffinity(0))),
            mark=no_mark,
        )
