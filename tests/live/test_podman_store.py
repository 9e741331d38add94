"""Images without Docker: podman builds, pulls and holds them, and targets that need no Docker run them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from bench.host.mounts import unmount
from bench.image.archive import read_index
from bench.image.build import build_image
from bench.image.stores.podman import PodmanStore
from bench.records.campaign import read_records
from bench.records.manifest import read_manifest
from bench.scenario.model import LoadedScenario, load_scenario
from bench.util import proc
from bench.util.errors import BuildError, ExitCode
from tests.lab import Lab, write_scenario
from tests.live.command import Command, refused
from tests.oci_images import FOREIGN, OciImage, make_image, write_layout
from tests.registry import running_registry

BASE: Final = "FROM boxbench/base-busybox:latest\n"
MODERN: Final = (
    BASE
    + """\
SHELL ["/usr/bin/busybox", "sh", "-c"]
RUN --mount=type=cache,target=/cache <<EOT
busybox echo made >/made
EOT
COPY --chmod=750 script /script
COPY . /all/
WORKDIR /work
VOLUME /data
ENV A="x  y"
STOPSIGNAL SIGINT
HEALTHCHECK CMD ["/usr/bin/busybox", "true"]
ONBUILD RUN exit 1
CMD ["/usr/bin/busybox", "sh", "-c", "echo up; exec busybox sleep 1000"]
"""
)
HIDDEN: Final = 'mount --bind /dev/null "$(command -v dockerd)"; exec "$@"'


@pytest.fixture(autouse=True)
def _own_storage(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """podman's storage is the user's own; here it is the tests', with a registry without TLS."""
    place = tmp_path_factory.mktemp("storage")
    (place / "storage.conf").write_text(
        f'[storage]\ndriver = "overlay"\ngraphroot = "{place}/graph"\nrunroot = "{place}/run"\n'
    )
    monkeypatch.setenv("CONTAINERS_STORAGE_CONF", str(place / "storage.conf"))
    monkeypatch.setenv("CONTAINERS_REGISTRIES_CONF", str(place / "registries.conf"))
    (place / "registries.conf").write_text('[[registry]]\nlocation = "127.0.0.1"\ninsecure = true\n')
    yield
    # podman mounts its storage on itself.
    unmount(str(place / "graph/overlay"))


@pytest.fixture
def modern(tmp_path: Path) -> LoadedScenario:
    """A Dockerfile with much of what there is."""
    script = {"script": "#!/bin/sh\n"}
    return load_scenario(write_scenario(tmp_path / "modern", MODERN, name="modern", files=script))


def test_podman_and_docker_make_the_same_image_of_a_dockerfile(lab: Lab, modern: LoadedScenario) -> None:
    said: list[str] = []
    store = PodmanStore()
    (modern.directory / "out").mkdir()
    (modern.directory / "out/manifest.json").write_text('{"schema_number": 2}')
    by_podman = build_image(store, modern, said.append)
    by_docker = build_image(lab.store, modern, lambda _line: None)
    assert by_podman.digest == by_docker.digest
    assert by_podman.config == by_docker.config
    assert by_podman.volumes == by_docker.volumes == ("/data",)
    names = read_index(by_podman.tree_tar).members
    assert "all/script" in names
    assert "all/out" not in names
    assert any(line.startswith("STEP 3/") for line in said)
    assert by_podman.origin is not None
    assert by_podman.origin.builder == "Buildah"
    assert build_image(store, modern, lambda _line: None).id == by_podman.id, "it is not made again"


def test_a_campaign_without_docker(boxbench: Command, modern: LoadedScenario) -> None:
    inside = ("unshare", "--mount", "sh", "-ec", HIDDEN, "sh")
    words = ("run", modern.directory, "-t", "process,runc,podman", "-b", "1", "-o", "out")
    done = boxbench(*words, env={"DOCKER_HOST": ""}, inside=inside)
    assert done.returncode == ExitCode.OK, done.stderr.decode()
    records = list(read_records(boxbench.cwd / "out"))
    assert {(record.trial.cell.target, record.outcome) for record in records} == {
        (name, "ok") for name in ("process", "runc", "podman")
    }
    origin = read_manifest(boxbench.cwd / "out").images["modern"].origin
    assert origin is not None
    assert origin.builder == "Buildah"
    containers = json.loads(proc.run(["podman", "ps", "--all", "--format", "json"], timeout_s=60).text or "[]")
    assert containers == []


def test_pulls_and_archives_and_what_fails(tmp_path: Path, app: OciImage) -> None:
    store = PodmanStore()

    def build(image: str) -> str:
        (tmp_path / "scenario.yaml").write_text(
            f"question: q\nname: existing\nready: {{when: exit}}\nworkload: {{image: '{image}'}}\n"
        )
        return build_image(store, load_scenario(tmp_path), lambda _line: None).digest

    def fails(image: str, *words: str) -> None:
        with pytest.raises(BuildError) as caught:
            build(image)
        for word in words:
            assert word in caught.value.message

    write_layout(tmp_path / "layout", [app])
    (tmp_path / "registry").mkdir()
    with running_registry(tmp_path / "registry") as registry:
        pinned = registry.push("app:1", app)
        registry.push_index("strange:1", make_image({"/x": b"x"}, cmd=["/x"], architecture=FOREIGN))
        assert build(f"{registry.address}/app:1") == build(pinned) == build("oci:layout")
        fails(f"{registry.address}/app:2", "there is no image")
        fails(f"{registry.address}/strange:1", "does not exist for linux/")
    fails("127.0.0.1:1/app:1", "does not answer")
    fails("other:1", "asks no registry")


def test_a_build_that_fails(boxbench: Command, tmp_path: Path) -> None:
    scenario = write_scenario(tmp_path / "bad", BASE + 'RUN ["/usr/bin/busybox", "false"]\n', name="bad")
    inside = ("unshare", "--mount", "sh", "-ec", HIDDEN, "sh")
    result = boxbench("run", scenario, "-o", "out", env={"DOCKER_HOST": ""}, inside=inside)
    refused(result, ExitCode.ERROR, "'STEP 2/", "exit status 1", "podman build")


def test_an_image_with_a_link_in_our_place_is_refused(tmp_path: Path) -> None:
    bad = BASE + 'RUN ["/usr/bin/busybox", "ln", "-s", "/etc", "/.boxbench"]\nCMD ["/usr/bin/busybox"]\n'
    loaded = load_scenario(write_scenario(tmp_path / "linked", bad, name="linked"))
    with pytest.raises(BuildError, match=r"/\.boxbench is not a directory but a link to '/etc'"):
        build_image(PodmanStore(), loaded, lambda _line: None)
    assert not os.path.lexists("/etc/boxinit")
