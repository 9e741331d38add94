"""Dockerfiles with everything that BuildKit has, the same Dockerfile by both builders, and builds that are ended."""

from __future__ import annotations

import io
import secrets
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import psutil
import pytest

from bench.engines import dockerd
from bench.host.run_directory import BOX_LABEL
from bench.host.scratch import temporary_run_dir
from bench.image.archive import read_index
from bench.image.build import build_image
from bench.image.config import config_digest
from bench.image.model import Image
from bench.image.saved import layer_sizes
from bench.image.source import plain_image
from bench.image.stores import limits
from bench.image.stores.buildkit import find_buildx
from bench.image.stores.docker import DockerStore
from bench.records.manifest import ImageOrigin
from bench.scenario.model import LoadedScenario
from bench.scenario.workload import Build
from bench.util.cache import cache_dir
from bench.util.errors import BuildError
from tests.lab import Lab
from tests.needs import need
from tests.waiting import wait_until

Make = Callable[..., LoadedScenario]
HEAD: Final = 'FROM boxbench/base-busybox:latest\nSHELL ["/usr/bin/busybox", "sh", "-c"]\n'
EVERYTHING: Final = """\
# syntax=127.0.0.1:1/docker/dockerfile:1
ARG BASE=nothing
FROM ${BASE} AS tools
SHELL ["/usr/bin/busybox", "sh", "-ec"]
ARG WORD
RUN --mount=type=cache,target=/var/cache/x --mount=type=tmpfs,target=/scratch <<EOT
busybox mkdir -p /out
busybox touch /scratch/x /var/cache/x/y
busybox echo "$WORD" > /out/word
EOT
RUN --mount=type=secret,id=tok busybox sha256sum < /run/secrets/tok > /out/sum
RUN --mount=type=bind,source=kept,target=/in busybox cp /in /out/bound

FROM scratch AS wanted
COPY --from=tools /usr/bin/busybox /bin/busybox
COPY --link --from=tools /out /out
COPY --chmod=711 . /context
COPY <<-"EOT" /hello
\tno $EXPANSION
EOT
CMD ["/bin/busybox", "true"]

FROM wanted AS unwanted
RUN ["/bin/busybox", "false"]
"""
BOTH: Final = (
    HEAD
    + """\
ARG WORD=one
ENV WORD=$WORD QUOTED="a 'b' \\"c\\""
WORKDIR /srv/app
COPY kept ./
ADD kept /added/
COPY --chown=12:34 . /owned
RUN busybox echo run > made && busybox chmod 4711 made && busybox ln made hard && busybox ln -s made soft
VOLUME /data
EXPOSE 80
STOPSIGNAL SIGQUIT
HEALTHCHECK --interval=5s CMD true
USER 12:34
ENTRYPOINT ["/usr/bin/busybox"]
CMD ["true"]
"""
)
FILES: Final = {
    "kept": "kept\n",
    "dropped": "dropped\n",
    ".dockerignore": "dropped\ntoken\n.dockerignore\nDockerfile\n*.yaml\nreports\n!reports\n",
}


@pytest.fixture(autouse=True)
def _with_buildkit(lab: Lab) -> None:
    if find_buildx(lab.client) is None:
        need("docker-buildx is not installed, or the engine has no BuildKit")


def build(lab: Lab, loaded: LoadedScenario) -> tuple[Image, list[str]]:
    lines: list[str] = []
    return build_image(lab.store, loaded, lines.append), lines


def origin(image: Image) -> ImageOrigin:
    assert image.origin is not None
    return image.origin


def with_build(loaded: LoadedScenario, **keys: object) -> LoadedScenario:
    workload = loaded.scenario.workload.model_copy(update={"build": Build.model_validate(keys)})
    return loaded.model_copy(update={"scenario": loaded.scenario.model_copy(update={"workload": workload})})


def test_everything_that_only_buildkit_has(lab: Lab, make_scenario: Make) -> None:
    """Also without the image of the syntax line, which is then said in the log, on the record and in the report."""
    word = secrets.token_hex(8)
    loaded = make_scenario(EVERYTHING, name="everything", files=FILES | {"token": f"hidden-{word}"})
    args = {"WORD": word, "BASE": "boxbench/base-busybox:latest"}
    loaded = with_build(loaded, network="none", args=args, target="wanted", secrets={"tok": "token"})
    image, lines = build(lab, loaded)
    index = read_index(image.tree_tar)
    assert index.read("/out/word") == f"{word}\n".encode()
    assert index.read("/out/bound") == b"kept\n"
    assert index.read("/hello") == b"no $EXPANSION\n"
    assert index.find("/context/kept") is not None
    assert index.members["context/kept"].mode == 0o711
    assert {"context/dropped", "scratch/x", "var/cache/x/y"}.isdisjoint(index.members)
    made = origin(image)
    assert (made.kind, made.name, made.builder) == ("dockerfile", "Dockerfile", "BuildKit")
    assert "buildx" in made.builder_version
    assert made.frontend == "built-in (in place of 127.0.0.1:1/docker/dockerfile:1)"
    assert image.notes == tuple(line for line in lines if "syntax line" in line)
    assert f"hidden-{word}".encode() not in image.tree_tar.read_bytes()
    assert not any(f"hidden-{word}" in text for text in (*lines, str(made), str(image.config)))


def test_both_builders_make_the_same_of_a_dockerfile(
    lab: Lab, make_scenario: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the results of earlier runs, which no pattern of the user's brings back."""
    loaded = with_build(make_scenario(BOTH, name="both", files=FILES), network="none", args={"WORD": "two words"})
    write_results(loaded.directory / "reports/out/a (b)")
    new, _ = build(lab, loaded)
    names = read_index(new.tree_tar).members
    assert "owned/kept" in names
    assert {"owned/reports", "owned/dropped"}.isdisjoint(names)
    assert new.notes == (
        "The build leaves out reports: results of Boxbench, with which each run would have another image.",
    )
    monkeypatch.setenv("DOCKER_BUILDKIT", "0")
    old, _ = build(lab, loaded)
    assert (origin(new).builder, origin(old).builder) == ("BuildKit", "classic builder")
    assert new.config == old.config
    assert (new.digest, new.volumes) == (old.digest, old.volumes)
    assert config_digest(new.config, new.volumes) == config_digest(old.config, old.volumes)
    # Running the one again builds and exports nothing.
    assert build(lab, loaded)[0] == old


def write_results(place: Path) -> None:
    """A directory as a campaign leaves it, as far as a build looks."""
    place.mkdir(parents=True)
    (place / "manifest.json").write_text('{"schema_number": 2}')


def test_onbuild_triggers_are_for_images_that_are_built_on_it(lab: Lab, make_scenario: Make) -> None:
    image, _ = build(lab, make_scenario(f'{HEAD}ONBUILD RUN false\nCMD ["busybox", "true"]\n', name="onbuild"))
    assert image.config.argv == ("busybox", "true")


ODD: Final = """\
FROM boxbench/base-busybox:latest AS tools
FROM scratch
COPY --from=tools /usr/bin/busybox /usr/bin/busybox
RUN ["/usr/bin/busybox", "ln", "-s", "usr/bin", "/bin"]
RUN ["/bin/busybox", "mkdir", "-p", "/data/kept"]
LABEL mine=yes
ENV QUOTED="two\\nlines 'and' quotes"
ONBUILD RUN false
"""


@pytest.mark.parametrize("more", ["", "VOLUME /data /fresh\n"], ids=["plain", "volumes"])
def test_a_layer_is_added_and_nothing_else_is_changed(lab: Lab, make_scenario: Make, tmp_path: Path, more: str) -> None:
    """Through links of the image, below its volumes, without a command, and without any of its triggers."""
    loaded = make_scenario(ODD + more, name="odd-layer")
    plain = plain_image(lab.store, with_build(loaded, network="none"), lambda _line: None).image
    names = (".boxbench/x", "bin/tool", "data/put", "fresh/deep/put")
    write_tar(tmp_path / "layer.tar", names)
    ref = f"boxbench/odd-layer:{secrets.token_hex(4)}"
    lab.store.add_layer(plain.id, tmp_path / "layer.tar", plain.config, ref, directories=("/.boxbench",))
    done = lab.store.inspect(ref)
    assert done is not None
    changed = {key for key in plain.config if done.config.get(key) != plain.config[key]}
    # An engine makes no container without a command, so the image gets one. Nothing reads it.
    assert changed <= {"Cmd", "Labels", "Image", *(("OnBuild",) if more else ())}
    assert done.config["Labels"] == plain.config["Labels"] | {BOX_LABEL: ""}
    assert done.layers[: len(plain.layers)] == plain.layers
    lab.store.export(ref, tmp_path / "tree.tar")
    index = read_index(tmp_path / "tree.tar")
    assert index.members["bin"].issym()
    assert {name for name in names if index.read(f"/{name}") == name.encode()} == set(names)
    assert index.find("/data/kept") is not None
    assert lab.store.inspect(f"{ref}-first") is None


def write_tar(path: Path, names: tuple[str, ...]) -> None:
    with tarfile.open(path, "w") as archive:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = len(name)
            archive.addfile(member, io.BytesIO(name.encode()))


@pytest.mark.parametrize("how", ["silent", "interrupted"])
def test_a_build_that_is_ended_leaves_nothing(
    lab: Lab, make_scenario: Make, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    seconds = str(secrets.randbelow(10**6) + 10**6)
    loaded = make_scenario(f"{HEAD}RUN busybox echo up; busybox sleep {seconds}\n", name="hangs")
    monkeypatch.setattr(limits, "SILENCE_LIMIT_S", 1 if how == "silent" else 60)

    def interrupt(line: str) -> None:
        if how == "interrupted" and line.strip() == "up":
            raise KeyboardInterrupt

    with pytest.raises((BuildError, KeyboardInterrupt)) as caught:
        build_image(lab.store, loaded, interrupt)
    assert how == "interrupted" or "wrote nothing for 1 s" in str(caught.value)
    wait_until(lambda: not _with_word(seconds), "the end of the step")


def _with_word(word: str) -> list[int]:
    return [process.pid for process in psutil.process_iter(["cmdline"]) if word in (process.info["cmdline"] or ())]


def test_an_engine_that_keeps_its_images_in_containerd(
    lab: Lab, make_scenario: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It knows images by other digests and saves their layers compressed, as Docker 29 does where it is new."""
    loaded = with_build(make_scenario(f'{ODD}VOLUME /data\nCMD ["/bin/busybox", "true"]\n', name="elsewhere"))
    here, _ = build(lab, loaded)
    sizes_here = layer_sizes(lab.store, here)
    cache = tmp_path / "cache"
    cache.mkdir(mode=0o700)
    for kind in ("agent", "base"):
        (cache / kind).symlink_to(cache_dir() / kind)
    monkeypatch.setenv("BOXBENCH_CACHE", str(cache))
    monkeypatch.setattr(dockerd, "engine_settings", lambda: {"features": {"containerd-snapshotter": True}})
    with temporary_run_dir() as run_dir, dockerd.private_docker(run_dir) as engine:
        assert engine.describe()["storage"] == "overlayfs"
        store = DockerStore(engine.client)
        there = build_image(store, loaded, lambda _line: None)
        sizes_there = layer_sizes(store, there)
    assert there.id != here.id
    assert (there.digest, there.volumes, there.config) == (here.digest, here.volumes, here.config)
    assert [unpacked for unpacked, _ in sizes_there.values()] == [unpacked for unpacked, _ in sizes_here.values()]
