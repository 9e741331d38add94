"""First starts: what comes over the link comes after the request, and in the order fetched, unpacked, created."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, cast

import pytest
from docker.errors import APIError

from bench.agent.boxconf import BoxConfig
from bench.engines.fresh import Arrived
from bench.engines.fresh_containerd import FreshContainerd
from bench.engines.fresh_docker import FreshDocker
from bench.engines.fresh_podman import FreshPodman
from bench.engines.link import Link, parse_received, parse_sent
from bench.engines.link_watch import LinkWatch, watched
from bench.engines.registry import ADDRESS, Blob, PushedImage
from bench.image.model import Disk, Image
from bench.image.tree import ensure_tree_dir
from bench.image.vm.disk import ensure_disk
from bench.records.record import Endpoint
from bench.scenario.model import Ready, ReadyFirstLine, Resources
from bench.targets.base import Box, Order
from bench.targets.first_start import target as module
from bench.targets.first_start.fetch import Parcel
from bench.targets.first_start.target import Arrives, FilesTarget, LayersTarget
from bench.targets.vms.guest import Guest, VmFiles
from bench.targets.volumes import make_volumes
from bench.util.errors import HostUnfitError, LaunchError, ThreadDiedError
from tests.waiting import wait_until

SIZE: Final = 4096
CAME: Final = 12345


@pytest.fixture
def marks() -> list[str]:
    return []


@pytest.fixture
def image(tmp_path: Path) -> Image:
    config = BoxConfig(("/bin/true",), (), "/", 0, 0, (0,), "", int(signal.SIGTERM))
    (tmp_path / "tree.tar").write_bytes(b"tar")
    return Image("web", "web:latest", "sha256:1", "d", "content", config, tmp_path / "tree.tar", {})


@pytest.fixture
def order(tmp_path: Path, image: Image, marks: list[str]) -> Order:
    for name in ("run", "boxes"):
        (tmp_path / name).mkdir()
    return Order(
        tag="boxbench-01234567-t0001",
        directory=tmp_path / "run",
        storage=tmp_path / "boxes",
        cpus=(0,),
        mark=lambda endpoint, /, **_when: marks.append(endpoint),
        image=image,
        resources=Resources(),
        ready=ReadyFirstLine(when="first-line"),
    )


class _Inner:
    """A target that notes the image with which it provisions, and whose box only marks that it was created."""

    name, accel = "runc", "native"

    def __init__(self, marks: list[str]) -> None:
        self.images: list[Image] = []
        self._marks = marks

    def prepare(self, image: Image, resources: Resources, ready: Ready) -> dict[str, int]:
        del image, resources, ready
        return {"disk_logical": SIZE}

    @contextmanager
    def provision(self, order: Order) -> Iterator[Box]:
        self.images.append(order.image)
        box = SimpleNamespace(
            channel=object(),
            start=lambda: order.mark(Endpoint.CREATED),
            disk_bytes=lambda: {"box.allocated": 0},
            spent_ns=lambda: {"client": 5},
        )
        yield cast("Box", box)


class _BootsFiles(_Inner):
    """The same for a VM."""

    def vm_files(self, image: Image, resources: Resources, ready: Ready) -> VmFiles:
        del resources, ready
        place = image.tree_tar.parent
        disk = Disk(place / "key" / "disk.raw", place / "key" / "overlay.qcow2", SIZE, SIZE)
        return VmFiles(disk, kernel=place / "vmlinuz", initramfs=place / "key.cpio")


class _Registry:
    """A registry that only notes what is pushed."""

    def __init__(self) -> None:
        self.pushed: list[str] = []
        self._came = iter((0, CAME))
        self.link = SimpleNamespace(bits_per_s=10**8, sent_bytes=lambda: next(self._came))
        self.starts = 0
        self.ended: str | None = None

    def start(self) -> None:
        self.starts += 1

    def why_ended(self) -> str | None:
        return self.ended

    def push_file(self, file: Path) -> Blob:
        self.pushed.append(file.name)
        return Blob(f"sha256:{file.name}", SIZE)


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch, marks: list[str]) -> list[Parcel]:
    """The parcels of a fetch that takes place in name only."""
    parcels: list[Parcel] = []

    def fetch(wanted: Sequence[Parcel], link: Link, log: Path, *, arrived: Arrived) -> int:
        del link, log
        parcels.extend(wanted)
        arrived()
        marks.append("unpacking")
        return 7

    monkeypatch.setattr(module, "fetch", fetch)
    monkeypatch.setattr(module, "fill_dev", lambda place: marks.append(f"fill {place.name}"))
    monkeypatch.setattr(module, "packed", lambda file, _content: file.with_name(f"{file.name}.zst"))
    monkeypatch.setattr(module, "make_overlay", lambda _base, overlay, _size: overlay.write_bytes(b""))
    return parcels


def test_a_tree_is_fetched_after_the_request(order: Order, marks: list[str], fetched: list[Parcel]) -> None:
    inner, registry = _Inner(marks), _Registry()
    target = FilesTarget(cast("Any", inner), cast("Any", registry), has_base=False)
    assert target.prepare(order.image, order.resources, order.ready) == {"disk_logical": SIZE, "travels.tree": SIZE}
    with target.provision(order) as box:
        assert (marks, fetched) == ([], [])
        tree = ensure_tree_dir(inner.images[0])
        assert list(tree.iterdir()) == []
        box.start()
        assert marks == [Endpoint.FETCHED, "unpacking", "fill dev", Endpoint.UNPACKED, Endpoint.CREATED]
        assert [(parcel.form, parcel.place) for parcel in fetched] == [("tree", tree)]
        assert box.arrived_bytes()["travelled"] == CAME
        assert box.spent_ns() == {"client": 12}
    assert isinstance(target, Arrives)
    assert target.travels(order.image, order.resources, order.ready) == ("sha256:tree.tar.zst",)
    # What was pushed when the image was prepared is not pushed again.
    assert registry.pushed == ["tree.tar.zst"]


@pytest.mark.host
def test_volumes_are_filled_when_the_tree_has_come(
    order: Order, marks: list[str], fetched: list[Parcel], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Binds(_Inner):
        """Binds volumes into its boxes, as runc does."""

        @contextmanager
        def provision(self, order: Order) -> Iterator[Box]:
            self.volumes = make_volumes(order)
            with super().provision(order) as box:
                yield box

    def fetch(wanted: Sequence[Parcel], *_: object, arrived: Arrived) -> int:
        (wanted[0].place / "data").mkdir(mode=0o1777)
        (wanted[0].place / "data" / "seed").write_text("came")
        arrived()
        return 7

    monkeypatch.setattr(module, "fetch", fetch)
    inner = Binds(marks)
    order = replace(order, image=replace(order.image, volumes=("/data",)))
    target = FilesTarget(cast("Any", inner), cast("Any", _Registry()), has_base=False)
    with target.provision(order) as box:
        (volume,) = inner.volumes
        assert not volume.exists()
        box.start()
        assert (volume / "seed").read_text() == "came"
        assert box.spent_ns()["client"] > 5 + 7, "with the program that copied"
        assert marks[-2:] == [Endpoint.UNPACKED, Endpoint.CREATED]
    assert fetched == []


def test_a_vm_boots_what_has_arrived(order: Order, marks: list[str], fetched: list[Parcel]) -> None:
    inner, registry = _BootsFiles(marks), _Registry()
    with FilesTarget(cast("Any", inner), cast("Any", registry), has_base=False).provision(order) as box:
        arrived = inner.images[0].arrived
        assert arrived is not None
        guest = Guest()
        used = guest.kernel_of(inner.images[0]), guest.initramfs(inner.images[0], order.ready)
        disk = ensure_disk(inner.images[0], order.resources.disk)
        box.start()
    assert [(parcel.form, parcel.place) for parcel in fetched] == [
        ("plain", used[0]),
        ("zstd", used[1]),
        ("zstd", disk.raw),
    ]
    assert registry.pushed == ["disk.raw.zst", "vmlinuz", "key.cpio.zst"]
    assert disk.logical_bytes == SIZE
    assert all(parcel.place.is_relative_to(order.storage) for parcel in fetched)


def test_a_kernel_that_is_there_does_not_travel(order: Order, marks: list[str], fetched: list[Parcel]) -> None:
    inner, registry = _BootsFiles(marks), _Registry()
    target = FilesTarget(cast("Any", inner), cast("Any", registry), has_base=True)
    assert target.prepare(order.image, order.resources, order.ready) == {"disk_logical": SIZE, "travels.disk": SIZE}
    with target.provision(order) as box:
        box.start()
    assert [parcel.form for parcel in fetched] == ["zstd"]
    arrived = inner.images[0].arrived
    assert arrived is not None
    assert (arrived.kernel, arrived.initramfs) == (None, None)


class _Whole(_Inner):
    """The same for a VM with a whole system."""

    def vm_files(self, image: Image, resources: Resources, ready: Ready) -> VmFiles:
        del resources, ready
        disks = [Disk(image.tree_tar.parent / name / "disk.raw", Path("x"), SIZE, SIZE) for name in ("own", "system")]
        return VmFiles(disks[0], system=disks[1])


@pytest.mark.parametrize(("has_base", "places"), [(False, ["system.raw", "disk.raw"]), (True, ["disk.raw"])])
def test_a_whole_system_travels_before_the_image(
    order: Order, marks: list[str], fetched: list[Parcel], *, has_base: bool, places: list[str]
) -> None:
    inner = _Whole(marks)
    target = FilesTarget(cast("Any", inner), cast("Any", _Registry()), has_base=has_base)
    with target.provision(order) as box:
        box.start()
    assert [parcel.place.name for parcel in fetched] == places
    arrived = inner.images[0].arrived
    assert arrived is not None
    assert (arrived.system is None) == has_base
    assert {arrived.kernel, arrived.initramfs} == {None}


class _Images:
    """The images of an engine."""

    def __init__(self, *, stubborn: bool = False) -> None:
        self.there = ["sha256:old"]
        self._stubborn = stubborn

    def list(self, *, all: bool) -> list[SimpleNamespace]:  # noqa: A002 - docker-py's name
        del all
        return [SimpleNamespace(id=one) for one in self.there]

    def remove(self, identity: str, *, force: bool) -> None:
        del force
        if not self._stubborn:
            self.there.remove(identity)


def _engine(tmp_path: Path, events: Sequence[Mapping[str, Any]], images: _Images | None = None) -> FreshDocker:
    def pull(ref: str, *, stream: bool, decode: bool) -> Iterator[Mapping[str, Any]]:
        assert (ref, stream, decode) == (f"{ADDRESS}/x@sha256:9", True, True)
        yield from events

    client = SimpleNamespace(api=SimpleNamespace(pull=pull), images=images or _Images())
    return FreshDocker(cast("Any", SimpleNamespace(client=client)), tmp_path)


def _not_yet(*, at_ns: int | None = None) -> None:
    pytest.fail(f"nothing has come {at_ns}")


def _layers(*states: tuple[str, str]) -> list[Mapping[str, Any]]:
    return [{"id": layer, "status": status} for layer, status in states]


@pytest.fixture
def pushed() -> PushedImage:
    blobs = Blob("sha256:a", 1), Blob("sha256:b", 2), Blob("sha256:b", 2)
    return PushedImage(f"{ADDRESS}/x@sha256:9", blobs, 13, Blob("sha256:config", 6))


def test_an_engine_has_fetched_when_its_last_layer_has_come(
    order: Order, marks: list[str], pushed: PushedImage, tmp_path: Path
) -> None:
    events = _layers(("a", "Pulling fs layer"), ("b", "Download complete"), ("a", "Downloading"))
    events += _layers(("a", "Download complete"), ("a", "Pull complete"), ("b", "Pull complete"))
    engine, inner = _engine(tmp_path, events), _Inner(marks)
    target = LayersTarget(cast("Any", inner), cast("Any", _Registry()), engine, lambda _image: pushed, has_base=False)
    assert target.prepare(order.image, order.resources, order.ready)["travels.image"] == 13
    with target.provision(order) as box:
        # The engine had an image, and has none before the request.
        assert engine.engine.client.images.list(all=True) == []
        box.start()
    assert marks == [Endpoint.FETCHED, Endpoint.UNPACKED, Endpoint.CREATED]
    assert inner.images[0].ref == pushed.ref
    assert isinstance(target, Arrives)
    assert target.travels(order.image, order.resources, order.ready) == (pushed.ref,)


def test_a_base_that_is_there_is_pulled_before_the_request(order: Order, marks: list[str], pushed: PushedImage) -> None:
    pulled: list[str] = []
    base = PushedImage(f"{ADDRESS}/x@sha256:base", pushed.layers[:1], 1, pushed.config)

    def pull(image: PushedImage, *, arrived: Arrived) -> int:
        pulled.append(f"{image.ref} {len(image.layers)} {len(marks)}")
        arrived(at_ns=4)
        return 11

    registry = _Registry()
    registry.push_lowest_layer = lambda _image: base  # type: ignore[attr-defined]
    engine = SimpleNamespace(
        forget=lambda: pulled.append("forget"), pull=pull, data_root=order.storage, knows_by_id=True
    )
    inner = _Inner(marks)
    target = LayersTarget(
        cast("Any", inner), cast("Any", registry), cast("Any", engine), lambda _image: pushed, has_base=True
    )
    with target.provision(order) as box:
        assert (pulled, marks) == (["forget", f"{base.ref} 1 0"], [])
        box.start()
        assert box.spent_ns() == {"client": 16}
    assert pulled[2:] == [f"{pushed.ref} 3 0"]
    # podman knows an image by its id, which is that of the configuration as it was pushed.
    assert inner.images[0].id == "sha256:config"
    assert marks == [Endpoint.FETCHED, Endpoint.UNPACKED, Endpoint.CREATED]


def test_the_last_layer_counts_once(tmp_path: Path, pushed: PushedImage) -> None:
    came: list[int] = []
    at: list[int] = []

    def events() -> Iterator[Mapping[str, Any]]:
        for number, event in enumerate(
            _layers(("a", "Download complete"), ("a", "Pull complete"), ("b", "Pull complete"))
        ):
            at.append(number)
            yield event

    engine = _engine(tmp_path, cast("Any", events()))
    engine.pull(pushed, arrived=lambda **_when: came.append(at[-1]))
    assert came == [2]


def test_a_pull_that_fails_is_the_error_of_the_box(tmp_path: Path, pushed: PushedImage) -> None:
    engine = _engine(tmp_path, [{"error": "unexpected EOF"}])
    with pytest.raises(LaunchError, match="was not pulled: unexpected EOF"):
        engine.pull(pushed, arrived=_not_yet)


def test_an_engine_that_keeps_an_image_is_no_fresh_host(tmp_path: Path) -> None:
    with pytest.raises(LaunchError, match="still has 1 images, so a start would not be the first one"):
        _engine(tmp_path, [], _Images(stubborn=True)).forget()


def test_an_engine_that_does_not_answer_is_an_error_of_the_box(tmp_path: Path) -> None:
    class Silent(_Images):
        def list(self, *, all: bool) -> list[SimpleNamespace]:  # noqa: A002 - docker-py's name
            del all
            raise APIError("gone")

    with pytest.raises(LaunchError, match="does not remove its images: gone"):
        _engine(tmp_path, [], Silent()).forget()


def test_the_token_bucket_counts_what_passes() -> None:
    answer = b'[{"kind":"noqueue","bytes":1},{"kind":"tbf","handle":"8003:","options":{},"bytes":4711,"packets":3}]'
    assert parse_sent(answer) == 4711


@pytest.mark.parametrize("answer", [b"", b"[]", b"{}", b'[{"kind":"tbf"}]', b'[{"kind":"noqueue","bytes":1}]', b"[7]"])
def test_a_link_without_a_bucket_is_no_link(answer: bytes) -> None:
    with pytest.raises(HostUnfitError, match="tc does not count what passes the link"):
        parse_sent(answer)


def test_the_table_of_interfaces_says_what_was_received() -> None:
    table = "Inter-|   Receive\n face |bytes packets\n    lo:       1  2\nboxbench-f: 4711    3    0\n"
    assert parse_received(table) == 4711
    with pytest.raises(HostUnfitError, match="the link's interface is gone"):
        parse_received("    lo: 1 2")


def test_layers_have_come_when_only_the_small_answers_are_left(pushed: PushedImage) -> None:
    """An engine that unpacks first and fetches the configuration last."""
    received = iter([100, 9000, 1_000_000, 2_000_000, 2_000_000, 2_003_000])
    times = iter(range(10, 70, 10))
    link = SimpleNamespace(received_bytes=lambda: next(received))
    watch = LinkWatch(cast("Any", link), cast("Any", SimpleNamespace(now_ns=lambda: next(times))))
    for _ in range(5):
        watch.look()
    assert pushed.small_bytes == 10
    assert watch.layers_came_ns(pushed) == 40


def test_a_watch_that_dies_is_an_error() -> None:
    answers = iter(("1", ""))
    link = SimpleNamespace(received_bytes=lambda: int(next(answers)))

    def watch_until_it_dies() -> None:
        with watched(cast("Any", link)):
            wait_until(
                lambda: not any(thread.name == "link-watch" for thread in threading.enumerate()), "the end of the watch"
            )

    with pytest.raises(ThreadDiedError, match="the thread link-watch would have seen is missing"):
        watch_until_it_dies()


def test_a_registry_that_has_ended_is_named_and_started_again(order: Order, marks: list[str]) -> None:
    inner, registry = _Inner(marks), _Registry()
    target = FilesTarget(cast("Any", inner), cast("Any", registry), has_base=False)

    def broken(*_args: object, **_kwargs: object) -> int:
        raise LaunchError("curl ended with 18", hint="run again")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "packed", lambda file, _content: file)
        patch.setattr(module, "fetch", broken)
        with target.provision(order) as box:
            with pytest.raises(LaunchError, match=r"(?m)^curl ended with 18$"):
                box.start()
            registry.ended = "the registry has ended"
            with pytest.raises(LaunchError, match=r"(?m)^the registry has ended, so: curl ended with 18$"):
                box.start()
    assert registry.starts == 1


class _ContainerdApi:
    """containerd with what an interrupted pull leaves."""

    def __init__(self, *, stubborn: bool = False) -> None:
        self.there = {"image": ["x"], "unfinished": ["layer-sha256:1"], "lease": ["l"], "content": [], "snapshot": []}
        self._stubborn = stubborn

    def images(self) -> dict[str, int | None]:
        return dict.fromkeys(self.there["image"])

    def unfinished_content(self) -> list[str]:
        return list(self.there["unfinished"])

    def leases(self) -> list[str]:
        return list(self.there["lease"])

    def content(self) -> list[str]:
        return self.there["content"]

    def snapshots(self, snapshotter: str) -> list[str]:
        assert snapshotter == "native"
        return self.there["snapshot"]

    def delete_image(self, name: str) -> None:
        self.there["image"].remove(name)

    def abort_content(self, name: str) -> None:
        self.there["unfinished"].remove(name)

    def delete_lease(self, name: str) -> None:
        self.there["lease"].remove(name)

    def collect_garbage(self, key: str) -> None:
        assert all(not self.there[kind] for kind in ("image", "unfinished", "lease"))
        assert key
        if self._stubborn:
            self.there["snapshot"] = ["sha256:left"]


@pytest.mark.parametrize("stubborn", [False, True])
def test_containerd_forgets_what_an_interrupted_pull_left(tmp_path: Path, *, stubborn: bool) -> None:
    engine = SimpleNamespace(api=_ContainerdApi(stubborn=stubborn))
    fresh = FreshContainerd(cast("Any", engine), tmp_path, cast("Any", None), "native")
    if not stubborn:
        fresh.forget()
        return
    with pytest.raises(LaunchError, match="still has 1 images, blobs or snapshots, such as sha256:left"):
        fresh.forget()


@pytest.mark.parametrize("left", ["", "123abc\n"])
def test_podman_forgets_its_images(tmp_path: Path, left: str) -> None:
    asked: list[tuple[str, ...]] = []

    def ask(*words: str, timeout_s: float = 0) -> SimpleNamespace:
        del timeout_s
        asked.append(words)
        return SimpleNamespace(text=left)

    fresh = FreshPodman(cast("Any", SimpleNamespace(ask=ask)), tmp_path, cast("Any", None))
    if left:
        with pytest.raises(LaunchError, match="the podman for first starts still has 1 images"):
            fresh.forget()
    else:
        fresh.forget()
    assert asked == [("rmi", "--all", "--force"), ("images", "--all", "--quiet")]
