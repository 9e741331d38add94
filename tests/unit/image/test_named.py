"""Images by name: when they are pulled, what is put on record, and what a resumed campaign takes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bench.image.named import named_image, pinned
from bench.image.platforms import host_architecture
from bench.image.source import plain_image
from bench.image.stores.base import Log, StoredImage, StoreError
from bench.records.manifest import ImageOrigin
from bench.scenario.image_name import Reference, parse_reference
from bench.scenario.model import LoadedScenario, load_scenario
from bench.scenario.workload import Workload

DIGEST = f"sha256:{'1' * 64}"
OTHER = f"sha256:{'2' * 64}"


def image(identity: str = DIGEST, *digests: str, architecture: str = host_architecture()) -> StoredImage:
    return StoredImage(identity, {}, architecture, "linux", 1, (), digests)


@dataclass
class FakeStore:
    """An engine with some images and a registry with others."""

    has: dict[str, StoredImage] = field(default_factory=dict)
    registry: dict[str, StoredImage] = field(default_factory=dict)
    pulled: list[str] = field(default_factory=list)

    def inspect(self, reference: str) -> StoredImage | None:
        return self.has.get(reference)

    def pull(self, reference: Reference, _log: Log) -> None:
        self.pulled.append(str(reference))
        self.has |= {name: found for name, found in self.registry.items() if name == str(reference)}


def get(store: FakeStore, name: str, pull: str = "missing") -> tuple[StoredImage, ImageOrigin]:
    return named_image(store, parse_reference(name), pull, lambda _line: None)  # type: ignore[arg-type]


def test_an_image_that_the_engine_has_is_not_pulled() -> None:
    store = FakeStore(has={"redis:7": image()})
    assert get(store, "redis:7")[0].id == DIGEST
    assert store.pulled == []


def test_a_missing_image_is_pulled() -> None:
    store = FakeStore(registry={"redis:7": image(OTHER, f"redis@{DIGEST}")})
    found, origin = get(store, "redis:7")
    assert found.id == OTHER
    assert origin == ImageOrigin(kind="reference", name="redis:7", digest=DIGEST)


def test_always_pulls_what_is_there_too() -> None:
    store = FakeStore(has={"redis:7": image()}, registry={"redis:7": image(OTHER)})
    assert get(store, "redis:7", "always")[0].id == OTHER


def test_never_pulls_nothing() -> None:
    store = FakeStore(registry={"redis:7": image()})
    with pytest.raises(StoreError, match=r"no image redis:7, and workload\.pull is never") as caught:
        get(store, "redis:7", "never")
    assert store.pulled == []
    assert "pull: missing" in caught.value.hint


def test_an_image_that_vanishes_after_its_pull() -> None:
    with pytest.raises(StoreError, match="removed right after"):
        get(FakeStore(), "redis:7")


def test_a_digest_is_looked_up_without_the_tag_before_it() -> None:
    store = FakeStore(has={f"redis@{DIGEST}": image()})
    assert get(store, f"redis:7@{DIGEST}")[1].digest == DIGEST


@pytest.mark.parametrize(
    ("name", "digests", "expected"),
    [
        ("h:1/redis:7", (f"redis@{OTHER}", f"h:1/redis@{DIGEST}"), DIGEST),
        # An engine may write a registry's name shorter than the user.
        ("host.example/library/redis:7", (f"redis@{DIGEST}",), DIGEST),
        ("redis:7", (f"h:1/other@{OTHER}",), ""),
        ("redis:7", (), ""),
    ],
)
def test_the_digest_on_record(name: str, digests: tuple[str, ...], expected: str) -> None:
    assert get(FakeStore(has={name: image(OTHER, *digests)}), name)[1].digest == expected


def scenario(directory: Path, **workload: str) -> LoadedScenario:
    text = "".join(f"  {key}: {value}\n" for key, value in workload.items())
    (directory / "Dockerfile").touch()
    (directory / "scenario.yaml").write_text(f"question: q\nname: n\nready: {{when: exit}}\nworkload:\n{text}")
    return load_scenario(directory)


def workload_of(directory: Path, origin: ImageOrigin | None, **workload: str) -> Workload:
    return pinned(scenario(directory, **workload), origin).scenario.workload


def test_a_resumed_campaign_takes_the_same_image(tmp_path: Path) -> None:
    origin = ImageOrigin(kind="reference", name="h:1/redis:7", digest=DIGEST)
    found = workload_of(tmp_path, origin, image="h:1/redis:7", pull="always")
    assert (found.image, found.pull) == (f"h:1/redis@{DIGEST}", "missing")
    assert workload_of(tmp_path, origin, image="h:1/redis:7", pull="never").pull == "never"


@pytest.mark.parametrize(
    "origin",
    [
        None,
        ImageOrigin(kind="reference", name="app:1", digest=""),
        ImageOrigin(kind="archive", name="oci:a", digest=DIGEST),
    ],
)
def test_what_cannot_be_pinned_stays(tmp_path: Path, origin: ImageOrigin | None) -> None:
    assert workload_of(tmp_path, origin, image="app:1").image == "app:1"


def test_a_dockerfile_stays(tmp_path: Path) -> None:
    origin = ImageOrigin(kind="dockerfile", name="Dockerfile", digest=DIGEST)
    assert workload_of(tmp_path, origin, context=".").image is None


@pytest.mark.parametrize("system", ["linux", "windows"])
def test_an_image_of_another_platform_is_refused(tmp_path: Path, system: str) -> None:
    strange = StoredImage(DIGEST, {}, "s390x", system, 1, ())
    store = FakeStore(has={"redis:7": strange})
    with pytest.raises(StoreError, match=rf"redis:7 is for {system}/s390x, and this host runs linux/"):
        plain_image(store, scenario(tmp_path, image="redis:7"), lambda _line: None)  # type: ignore[arg-type]
