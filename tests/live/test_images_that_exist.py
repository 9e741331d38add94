"""Images of a registry and on disk, in place of a Dockerfile: pulled, pinned, loaded; and all that goes wrong there."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import docker
import pytest

from bench.image.build import build_image
from bench.image.model import Image
from bench.image.stores.docker import DockerStore
from bench.records.manifest import read_manifest
from bench.scenario.model import load_scenario
from bench.util import proc
from bench.util.errors import BuildError, ExitCode
from tests.lab import Lab
from tests.live.command import Command, refused
from tests.live.conftest import HELLO
from tests.oci_images import (
    FOREIGN,
    SCHEMA_1,
    Blob,
    OciImage,
    make_image,
    pack,
    write_docker_archive,
    write_layout,
)
from tests.registry import PASSWORD, USER, Door, Fault, Registry, door, running_registry

SCENARIO: Final = """\
question: How long until an image that exists has started?
name: existing
workload: {{image: "{image}", pull: {pull}}}
ready: {{when: first-line, timeout: 90s}}
resources: {{cpus: 1, memory: 128MiB, disk: 64MiB}}
targets: [{target}]
baseline: {target}
design: {{blocks: 1, warmups: 0, settle: 20ms}}
"""
BROKEN: Final = b'{"errors": [{"code": "DENIED", "message": "requested access to the resource is denied"}]}'
OLD: Final = b'{"schemaVersion": 1, "name": "app", "tag": "1", "architecture": "amd64", "fsLayers": [], "history": []}'
# An engine of its own, with little room for images, and with settings of this host's engine that are the test's.
SMALL_ENGINE: Final = """\
mount -t tmpfs -o size={size},mode=700 none "$BOXBENCH_CACHE"
mkdir -p /etc/docker
mount -t tmpfs none /etc/docker
echo '{settings}' >/etc/docker/daemon.json
exec "$@"
"""


@pytest.fixture
def before(registry: Registry) -> Iterator[Door]:
    """A door before the registry."""
    with door(registry) as opened:
        yield opened


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes a scenario of an image; returns its file."""

    def made(image: str, *, pull: str = "missing", target: str = "process") -> Path:
        path = tmp_path / "scenario.yaml"
        path.write_text(SCENARIO.format(image=image, pull=pull, target=target))
        return path

    return made


@pytest.fixture
def build(lab: Lab, write: Callable[..., Path]) -> Callable[..., tuple[Image, list[str]]]:
    """Makes the image of a scenario in the session's engine; returns it and what was said."""

    def made(image: str, *, pull: str = "missing") -> tuple[Image, list[str]]:
        said: list[str] = []
        return build_image(lab.store, load_scenario(write(image, pull=pull)), said.append), said

    return made


def fails(build: Callable[..., object], image: str, *words: str, pull: str = "missing") -> None:
    with pytest.raises(BuildError) as caught:
        build(image, pull=pull)
    said = caught.value.message
    assert "\n" not in said
    for word in words:
        assert word in said, said


def test_a_campaign_of_an_image_goes_on_with_it_when_its_tag_has_moved(
    boxbench: Command, lab: Lab, registry: Registry, busybox: bytes, write: Callable[..., Path]
) -> None:
    image = make_image({"/bin/busybox": busybox, "/one": b""}, cmd=HELLO)
    digest = registry.push("moving:1", image).partition("@")[2]
    done = boxbench("run", write(f"{registry.address}/moving:1", target="docker"), "-o", "out")
    assert done.returncode == ExitCode.OK, done.stderr.decode()
    assert f"pulling {registry.address}/moving:1" in done.stderr.decode()
    origin = read_manifest(boxbench.cwd / "out").images["existing"].origin
    assert origin is not None
    assert (origin.kind, origin.digest) == ("reference", digest)
    registry.push("moving:1", make_image({"/bin/busybox": busybox, "/two": b""}, cmd=HELLO))
    lab.client.images.pull(f"{registry.address}/moving", tag="1")
    again = boxbench("resume", "out", "-b", "1")
    assert again.returncode == ExitCode.OK, again.stderr.decode()


def test_the_same_image_from_everywhere(
    lab: Lab, registry: Registry, app: OciImage, tmp_path: Path, build: Callable[..., tuple[Image, list[str]]]
) -> None:
    """One id in the engine, one tree, one configuration, whatever way it came; and no name of the user's was taken."""
    pack(write_layout(tmp_path / "layout", {"app:1": app}), tmp_path / "oci.tar")
    write_docker_archive(tmp_path / "saved.tar", {"boxbench-test-theirs:1": app})
    proc.run(["zstd", "-q", tmp_path / "saved.tar"], timeout_s=60)
    pinned = f"{registry.address}/app@{app.manifest.digest}"
    sources = {
        f"{registry.address}/app:1": app.manifest.digest,
        pinned: app.manifest.digest,
        "oci:layout": app.manifest.digest,
        "oci-archive:oci.tar:app:1": app.manifest.digest,
        "docker-archive:saved.tar": None,
        "docker-archive:saved.tar.zst:boxbench-test-theirs:1": None,
    }
    found = {source: build(source)[0] for source in sources}
    assert {(image.digest, image.config) for image in found.values()} == {(found[pinned].digest, found[pinned].config)}
    assert found[pinned].config.argv == HELLO
    for source, digest in sources.items():
        origin = found[source].origin
        assert origin is not None
        assert origin.name == source
        assert digest in (None, origin.digest)
    assert lab.store.inspect("boxbench-test-theirs:1") is None
    assert not any("loading" in line for line in build("oci:layout")[1]), "it was loaded before"


def test_an_image_in_podmans_storage(
    app: OciImage, tmp_path: Path, build: Callable[..., tuple[Image, list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_layout(tmp_path / "layout", [app])
    settings = tmp_path / "storage.conf"
    settings.write_text(f'[storage]\ndriver = "vfs"\ngraphroot = "{tmp_path}/graph"\nrunroot = "{tmp_path}/run"\n')
    monkeypatch.setenv("CONTAINERS_STORAGE_CONF", str(settings))
    copy = ["skopeo", "--insecure-policy", "copy", "-q", f"oci:{tmp_path}/layout"]
    proc.run([*copy, "containers-storage:localhost/app:1"], timeout_s=60)
    image, _ = build("containers-storage:localhost/app:1")
    assert image.config.argv == HELLO
    assert image.origin is not None
    assert image.origin.kind == "storage"
    fails(build, "containers-storage:localhost/nope:1", "localhost/nope:1", "have no such image")


def test_credentials_of_the_user(
    lab: Lab, app: OciImage, write: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, home = tmp_path / "closed", tmp_path / "docker"
    place.mkdir()
    home.mkdir()
    monkeypatch.setenv("DOCKER_CONFIG", str(home))

    def build(image: str, *, pull: str) -> Image:
        # A client reads the user's configuration when it is made.
        with closing(docker.DockerClient(base_url=lab.docker_host)) as client:
            return build_image(DockerStore(client), load_scenario(write(image, pull=pull)), lambda _line: None)

    with running_registry(place, closed=True) as closed:
        closed.push("app:1", app)
        image = f"{closed.address}/app:1"
        fails(build, image, "without a login", image, pull="always")
        token = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        (home / "config.json").write_text(json.dumps({"auths": {closed.address: {"auth": token}}}))
        assert build(image, pull="always").config.argv == HELLO
        (home / "config.json").write_text(json.dumps({"credHelpers": {closed.address: "boxbench-test-missing"}}))
        fails(build, image, "credentials", "boxbench-test-missing", pull="always")


def test_images_that_cannot_be_had(
    registry: Registry, before: Door, app: OciImage, build: Callable[..., tuple[Image, list[str]]]
) -> None:
    strange = make_image({"/bin/busybox": b""}, cmd=HELLO, architecture=FOREIGN)
    registry.push("strange:1", strange)
    registry.push_index("strange:list", strange)
    registry.push("windows:1", make_image({"/x": b"x"}, cmd=["/x"], system="windows"))
    spoilt = make_image({"/bin/busybox": b"spoilt"}, cmd=HELLO)
    registry.push("spoilt:1", spoilt)
    registry.spoil(spoilt.layer)
    registry.push("idle:1", make_image({"/bin/busybox": b"idle"}))
    here = registry.address
    fails(build, f"{here}/app:2", "there is no image", f"{here}/app:2")
    fails(build, f"{here}/nope:1", "there is no image", f"{here}/nope:1")
    fails(build, f"{here}/app@sha256:{'0' * 64}", "there is no image", "0" * 64)
    fails(build, f"{here}/app:2", "workload.pull is never", pull="never")
    fails(build, f"{here}/strange:list", "does not exist for linux/")
    fails(build, f"{here}/strange:1", f"is for linux/{FOREIGN}, and this host runs linux/")
    fails(build, f"{here}/windows:1", "does not exist for linux/", "windows")
    fails(build, f"{here}/spoilt:1", "other content", spoilt.layer.digest)
    fails(build, f"{here}/idle:1", "has nothing to run")
    fails(build, "127.0.0.1:1/app:1", "does not answer", "connection refused")
    door_faults = {
        "without a login": Fault("/manifests/", 403, Blob("application/json", BROKEN)),
        "connection to the registry broke": Fault("/v2/", 503),
        "refuses further pulls": Fault("/manifests/", 429),
    }
    for words, fault in door_faults.items():
        before.faults[:] = [fault]
        fails(build, f"{before.address}/app:1", words, f"{before.address}/app:1")
    before.faults[:] = [Fault("/manifests/", 200, Blob(SCHEMA_1, OLD))]
    fails(build, f"{before.address}/app:1", f"{before.address}/app:1")


def test_archives_that_cannot_be_had(
    tmp_path: Path, app: OciImage, build: Callable[..., tuple[Image, list[str]]]
) -> None:
    saved = write_docker_archive(tmp_path / "saved.tar", {"a:1": app})
    (tmp_path / "cut.tar").write_bytes(saved.read_bytes()[:100_000])
    other = make_image({"/bin/busybox": b"other"}, cmd=HELLO)
    write_docker_archive(tmp_path / "two.tar", {"a:1": other, "b:1": make_image({"/b": b"b"}, cmd=["/b"])})
    layout = write_layout(tmp_path / "layout", [other])
    blob = layout / "blobs/sha256" / other.layer.digest.removeprefix("sha256:")
    blob.write_bytes(blob.read_bytes()[:-8] + b"\0" * 8)
    (tmp_path / "junk").write_bytes(b"hello" * 1000)
    fails(build, "docker-archive:cut.tar", "docker-archive:cut.tar", "a part of it is missing")
    fails(build, "docker-archive:two.tar", "several images: a:1, b:1")
    fails(build, "docker-archive:junk", "no image archive")
    fails(build, "oci-archive:junk", "not a whole tar archive")
    fails(build, "oci-archive:saved.tar", "index.json cannot be read")
    fails(build, "oci:layout", "oci:layout", "other content")


def test_a_registry_that_dies_in_the_middle_of_a_layer(
    before: Door, app: OciImage, boxbench: Command, write: Callable[..., Path], tmp_path: Path
) -> None:
    """The private engine has the host's own settings, here the number of attempts."""
    before.faults[:] = [Fault(f"/blobs/{app.layer.digest}", cut_after=100_000)]
    result = _with_small_engine(boxbench, write(f"{before.address}/app:1"), tmp_path, size="64m", attempts=1)
    refused(result, ExitCode.ERROR, "the connection to the registry broke", f"{before.address}/app:1", "run again")


def test_a_disk_that_becomes_full(
    registry: Registry, boxbench: Command, write: Callable[..., Path], tmp_path: Path
) -> None:
    large = make_image({"/large": b"\0" * 100 * 2**20}, cmd=["/large"])
    registry.push("large:1", large)
    result = _with_small_engine(boxbench, write(f"{registry.address}/large:1"), tmp_path, size="48m", attempts=1)
    refused(result, ExitCode.ERROR, "the disk became full", f"{registry.address}/large:1", "BOXBENCH_CACHE")


def _with_small_engine(boxbench: Command, scenario: Path, tmp_path: Path, *, size: str, attempts: int) -> proc.Result:
    cache = tmp_path / "cache"
    cache.mkdir(mode=0o700)
    settings = json.dumps({"max-download-attempts": attempts})
    script = SMALL_ENGINE.format(size=size, settings=settings)
    inside = ("unshare", "--mount", "sh", "-ec", script, "sh")
    env = {"DOCKER_HOST": "", "BOXBENCH_CACHE": str(cache)}
    return boxbench("run", scenario, "-o", "out", env=env, inside=inside)
