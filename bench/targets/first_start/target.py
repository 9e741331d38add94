"""Targets whose boxes get their image over a link after the request, wrapped around the targets themselves."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final, Literal, Protocol, runtime_checkable

from bench.engines.fresh import Arrived as HasArrived
from bench.engines.fresh import FreshEngine
from bench.engines.registry import Blob, PushedImage, Registry
from bench.host.disk import allocated_bytes
from bench.image.model import Arrived, Disk, Image
from bench.image.tree import fill_dev
from bench.image.vm.disk import make_overlay
from bench.records.component import Component
from bench.records.record import Endpoint
from bench.scenario.model import Ready, Resources
from bench.targets.base import Box, BoxProxy, Order, Target, TargetProxy
from bench.targets.first_start.fetch import Parcel, fetch
from bench.targets.first_start.packing import packed
from bench.targets.vms.guest import VmFiles
from bench.targets.volumes import VOLUMES, fill_volumes
from bench.util.errors import LaunchError

_FOLDER: Final = "arrived"
"""In the box's storage: what came over the link."""
_FETCH_LOG: Final = "fetch.log"
_NEW_REGISTRY: Final = "the next first start begins with a new one; if that ends too, check the host's memory and disk"

PushImage = Callable[[Image], PushedImage]
"""Pushes an image to the registry, from where it travels."""


@runtime_checkable
class BootsFiles(Protocol):
    """A target whose boxes boot from files."""

    def vm_files(self, image: Image, resources: Resources, ready: Ready) -> VmFiles:
        """Disks, and kernel and initramfs where they are files of their own."""


@runtime_checkable
class Arrives(Protocol):
    """A target whose boxes get their image over a link."""

    def travels(self, image: Image, resources: Resources, ready: Ready) -> tuple[str, ...]:
        """The digests of all that travels for a box: they say what it boots."""


class FirstStartBox(BoxProxy):
    """A box whose image comes first when it is started."""

    def __init__(self, inner: Box, order: Order, registry: Registry) -> None:
        super().__init__(inner)
        self.order = order
        self.registry = registry
        self.link = registry.link
        self._spent_ns = 0
        self._before_bytes = self.link.sent_bytes()

    def start(self) -> None:
        """Fetch, unpack, start. Marks ``fetched`` and ``unpacked``. Raises LaunchError."""
        try:
            self._spent_ns = self.bring(partial(self.order.mark, Endpoint.FETCHED))
        except LaunchError as error:
            ended = self.registry.why_ended()
            if ended is None:
                raise
            raise LaunchError(f"{ended}, so: {error.message}", hint=_NEW_REGISTRY) from None
        self.order.mark(Endpoint.UNPACKED)
        self.inner.start()

    @abstractmethod
    def bring(self, arrived: HasArrived) -> int:
        """Fetch and unpack; calls ``arrived`` when the last byte has come.

        Returns:
            CPU time, ns, of the programs that did it, without daemons.

        Raises:
            LaunchError: something failed.
        """

    @abstractmethod
    def kept_bytes(self) -> int:
        """Bytes on the host's disk that what came occupies."""

    def arrived_bytes(self) -> Mapping[str, int]:
        """See ``Box``."""
        return {"travelled": self.link.sent_bytes() - self._before_bytes, "kept": self.kept_bytes()}

    def spent_ns(self) -> Mapping[str, int]:
        """The inner box's, and the CPU time of the programs that fetched and unpacked."""
        inner = dict(self.inner.spent_ns())
        return inner | {Component.CLIENT: inner.get(Component.CLIENT, 0) + self._spent_ns}


class FilesBox(FirstStartBox):
    """A box whose tree, or whose kernel, initramfs and disks, come as files."""

    def __init__(self, inner: Box, order: Order, registry: Registry, parcels: tuple[Parcel, ...]) -> None:
        super().__init__(inner, order, registry)
        self._parcels = parcels

    def bring(self, arrived: HasArrived) -> int:
        """See ``FirstStartBox``."""
        spent_ns = fetch(self._parcels, self.link, self.order.directory / _FETCH_LOG, arrived=arrived)
        for parcel in self._parcels:
            if parcel.form == "tree":
                fill_dev(parcel.place / "dev")
                spent_ns += fill_volumes(self.order)
        return spent_ns

    def kept_bytes(self) -> int:
        """See ``FirstStartBox``."""
        return allocated_bytes(self.order.storage / _FOLDER)


class FilesTarget(TargetProxy):
    """A target that boots a disk, or runs an unpacked tree; both come from the registry."""

    def __init__(self, inner: Target, registry: Registry, *, has_base: bool) -> None:
        """Args: ``has_base``: only the disk with the image's tree travels; what else boots it is on the host."""
        super().__init__(inner)
        self.registry = registry
        self._has_base = has_base
        self._pushed: dict[Path, Blob] = {}

    def prepare(self, image: Image, resources: Resources, ready: Ready) -> dict[str, int]:
        """Pack and push what travels; ``travels.NAME`` is its size, beside what the inner target returns."""
        self.registry.start()
        sizes = self.inner.prepare(image, resources, ready)
        parcels = self._parcels(image, resources, ready, Path(_FOLDER))
        return {**sizes, **{f"travels.{parcel.place.stem}": parcel.blob.size_bytes for parcel in parcels}}

    def travels(self, image: Image, resources: Resources, ready: Ready) -> tuple[str, ...]:
        """See ``Arrives``."""
        return tuple(parcel.blob.digest for parcel in self._parcels(image, resources, ready, Path(_FOLDER)))

    @contextmanager
    def provision(self, order: Order) -> Iterator[Box]:
        """Provision a box of which no file is there yet."""
        self.registry.start()
        folder = order.storage / _FOLDER
        folder.mkdir(mode=0o700)
        parcels = self._parcels(order.image, order.resources, order.ready, folder)
        arrived = self._arrived(order, folder)
        order = replace(order, image=replace(order.image, arrived=arrived))
        with self.inner.provision(order) as box:
            yield FilesBox(box, order, self.registry, parcels)

    def _arrived(self, order: Order, folder: Path) -> Arrived:
        """The files as the inner target will find them."""
        if not isinstance(self.inner, BootsFiles):
            tree = folder / "tree"
            tree.mkdir()
            # It is the box's `/`.
            tree.chmod(0o755)
            return Arrived(tree=tree)
        files = self.inner.vm_files(order.image, order.resources, order.ready)
        disk = _empty_disk(files.disk, folder / "disk.raw")
        if self._has_base:
            return Arrived(disk=disk)
        return Arrived(
            disk=disk,
            system=None if files.system is None else _empty_disk(files.system, folder / "system.raw"),
            kernel=None if files.kernel is None else folder / "kernel",
            initramfs=None if files.initramfs is None else folder / "initramfs",
        )

    def _parcels(self, image: Image, resources: Resources, ready: Ready, folder: Path) -> tuple[Parcel, ...]:
        if not isinstance(self.inner, BootsFiles):
            return (self._packed(image.tree_tar, image.content, folder / "tree", "tree"),)
        files = self.inner.vm_files(image, resources, ready)
        own = self._packed_disk(files.disk, folder / "disk.raw")
        base = []
        if files.kernel is not None:
            # It is compressed in itself.
            base.append(Parcel(self._push(files.kernel), folder / "kernel", "plain"))
        if files.initramfs is not None:
            base.append(self._packed(files.initramfs, files.initramfs.name, folder / "initramfs", "zstd"))
        if files.system is not None:
            base.append(self._packed_disk(files.system, folder / "system.raw"))
        return (own,) if self._has_base else (*base, own)

    def _packed_disk(self, disk: Disk, place: Path) -> Parcel:
        return self._packed(disk.raw, disk.raw.parent.name, place, "zstd")

    def _packed(self, file: Path, content: str, place: Path, form: Literal["zstd", "tree"]) -> Parcel:
        return Parcel(self._push(packed(file, content)), place, form)

    def _push(self, file: Path) -> Blob:
        if file not in self._pushed:
            self._pushed[file] = self.registry.push_file(file)
        return self._pushed[file]


def _empty_disk(there: Disk, raw: Path) -> Disk:
    """A disk whose file will come to ``raw``, with the overlay on it that boxes copy."""
    overlay = raw.with_suffix(".qcow2")
    make_overlay(raw, overlay, there.logical_bytes)
    return Disk(raw, overlay, there.logical_bytes, there.allocated_bytes)


class LayersBox(FirstStartBox):
    """A container whose image the engine pulls when it is requested."""

    def __init__(self, inner: Box, order: Order, registry: Registry, engine: FreshEngine, image: PushedImage) -> None:
        super().__init__(inner, order, registry)
        self._engine = engine
        self._image = image
        self._before = allocated_bytes(engine.data_root)

    def bring(self, arrived: HasArrived) -> int:
        """See ``FirstStartBox``."""
        return self._engine.pull(self._image, arrived=arrived)

    def kept_bytes(self) -> int:
        """See ``FirstStartBox``; without the box's own writable layer."""
        own = self.inner.disk_bytes().get("box.allocated", 0)
        # Volumes that an engine does not make are in the box's storage, and so not in the engine's.
        volumes = self.order.storage / VOLUMES
        elsewhere = allocated_bytes(volumes) if volumes.is_dir() else 0
        return allocated_bytes(self._engine.data_root) - self._before - (own - elsewhere)


class LayersTarget(TargetProxy):
    """A target of an engine without images, which pulls them from the registry."""

    def __init__(
        self, inner: Target, registry: Registry, engine: FreshEngine, push: PushImage, *, has_base: bool
    ) -> None:
        """Args: ``has_base``: the engine has the image's lowest layer."""
        super().__init__(inner)
        self._has_base = has_base
        self.registry = registry
        self._engine = engine
        self._push = push
        self._pushed: dict[str, PushedImage] = {}
        self._bases: dict[str, PushedImage] = {}

    def prepare(self, image: Image, resources: Resources, ready: Ready) -> dict[str, int]:
        """Push the image; ``travels.image`` is its size as it travels, with a base that may be there.

        The inner target prepares nothing: its engine has nothing before the request.
        """
        del resources, ready
        self.registry.start()
        return {"travels.image": self._image(image).size_bytes}

    def travels(self, image: Image, resources: Resources, ready: Ready) -> tuple[str, ...]:
        """See ``Arrives``: the digest of the image's manifest, which names everything else by its own."""
        del resources, ready
        return (self._image(image).ref,)

    @contextmanager
    def provision(self, order: Order) -> Iterator[Box]:
        """Provision a box in an engine that has no image, or only the base."""
        self.registry.start()
        image = self._image(order.image)
        # Here and not when the last box has gone, so that its removal does not seem to take so long.
        self._engine.forget()
        if self._has_base:
            self._engine.pull(self._base(image), arrived=lambda *, at_ns=None: at_ns)
        identity = image.config.digest if self._engine.knows_by_id else order.image.id
        with self.inner.provision(replace(order, image=replace(order.image, ref=image.ref, id=identity))) as box:
            yield LayersBox(box, order, self.registry, self._engine, image)

    def _base(self, image: PushedImage) -> PushedImage:
        if image.ref not in self._bases:
            self._bases[image.ref] = self.registry.push_lowest_layer(image)
        return self._bases[image.ref]

    def _image(self, image: Image) -> PushedImage:
        if image.id not in self._pushed:
            self._pushed[image.id] = self._push(image)
        return self._pushed[image.id]
