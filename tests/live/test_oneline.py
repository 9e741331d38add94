"""Each kind of thing that `boxbench run` takes in place of a scenario: built or pulled, tried, measured, reported."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from bench.records.campaign import read_records
from bench.records.manifest import read_manifest
from bench.run.cleanup import find_containers
from bench.scenario.model import load_scenario
from bench.util.errors import ExitCode
from tests.live.command import Command, refused
from tests.oci_images import OciImage, make_image, pack, write_layout
from tests.registry import Registry

SERVER: Final = """\
FROM scratch
COPY --chmod=755 busybox /bin/
COPY index.html /www/
EXPOSE 9 8080
CMD ["/bin/busybox", "httpd", "-f", "-p", "8080", "-h", "/www"]
"""
JOB: Final = ("/bin/busybox", "sh", "-c", "echo done")
CHECKED: Final = """\
# Only BuildKit has here-documents.
FROM scratch
COPY --chmod=755 busybox /bin/
COPY <<END /www/health
ok
END
EXPOSE 8080
HEALTHCHECK CMD ["/bin/busybox", "wget", "-q", "-O", "/dev/null", "http://127.0.0.1:8080/health"]
CMD ["/bin/busybox", "httpd", "-f", "-p", "8080", "-h", "/www"]
"""
COMPOSE: Final = """\
services:
  web:
    build: .
    command: [/bin/busybox, httpd, -f, -p, "${PORT:-8081}", -h, /www]
    environment: {MODE: fast}
    ports: ["80:8081"]
    mem_limit: 300m
    restart: always
"""


@pytest.fixture(autouse=True)
def _nothing_is_left(boxbench: Command) -> Iterator[None]:
    yield
    assert not tuple(find_containers(boxbench.lab.client))


@pytest.fixture
def server(boxbench: Command, busybox: bytes) -> Path:
    """A directory with a Dockerfile and a compose file, in the current directory of the command."""
    place = boxbench.cwd / "server"
    place.mkdir()
    (place / "Dockerfile").write_text(SERVER)
    (place / "busybox").write_bytes(busybox)
    (place / "index.html").write_text("ok")
    (place / "compose.yaml").write_text(COMPOSE)
    return place


def archive(directory: Path, busybox: bytes, *, cmd: tuple[str, ...], name: str) -> None:
    """An OCI archive in a directory."""
    image: OciImage = make_image({"/bin/busybox": busybox}, cmd=cmd)
    pack(write_layout(directory / f"{name}-layout", {"1": image}), directory / f"{name}.tar")


def test_every_kind_in_one_campaign(boxbench: Command, server: Path, registry: Registry, busybox: bytes) -> None:
    archive(boxbench.cwd, busybox, cmd=JOB, name="job")
    (server / "Dockerfile.slim").write_text(CHECKED)
    pulled = f"{registry.address}/app:1"
    words = ["server", "server/Dockerfile.slim", pulled, "oci-archive:job.tar", "server/compose.yaml:web"]
    result = boxbench("run", *words, "-t", "docker", "-b", "1", "--no-root-control", "-o", "out")
    said = result.stderr.decode()
    assert result.returncode == ExitCode.OK, said
    assert {(record.trial.cell.scenario, record.outcome) for record in read_records(boxbench.cwd / "out")} == {
        (name, "ok") for name in ("server", "server-slim", "app-1", "job", "server-web")
    }
    # Nothing listens on 9, which is exposed too.
    for text in (
        "server: Ready when port 8080 accepts a connection: of the ports that the image exposes (9, 8080), and it",
        "server-slim: Ready when its HEALTHCHECK passes; a box that takes longer than 120 s has failed (change",
        "app-1: Ready when it has written its first line (change with --ready log:TEXT).",
        "job: Ready when its command has ended with code 0: it ended after",
        "server-web: Ready when port 8081 accepts a connection: the compose file exposes it, and it listened there",
        "server-web: 1 CPU per box (change with --cpus N).",
    ):
        assert text in said
    assert "server-web: 300 MiB of memory per box, as the compose file says (change with --memory SIZE)." in said
    assert re.search(r"server-web: .*restart", said)
    assert (boxbench.cwd / "out/index.html").exists()
    # What was generated runs from where it lies.
    for name, ready in (("server", "tcp"), ("app-1", "first-line"), ("job", "exit"), ("server-web", "tcp")):
        file = boxbench.cwd / f"out/{name}-scenario.yaml"
        assert str(file.relative_to(boxbench.cwd)) in result.stdout.decode()
        assert load_scenario(file).scenario.ready.when == ready
    assert load_scenario(boxbench.cwd / "out/server-web-scenario.yaml").scenario.resources.memory == 300 * 2**20
    certified = boxbench("certify", "out/server-web-scenario.yaml", "-t", "docker", "--no-root-control")
    assert certified.returncode == ExitCode.OK, certified.stderr


def test_a_command_that_fails_says_why_before_anything_is_measured(boxbench: Command, busybox: bytes) -> None:
    cmd = (
        "/bin/busybox",
        "sh",
        "-c",
        "test -n \"$PASSWORD\" && exec busybox sleep 1000; echo 'no PASSWORD' >&2; exit 3",
    )
    archive(boxbench.cwd, busybox, cmd=cmd, name="db")
    words = ("init", "oci-archive:db.tar")
    refused(boxbench(*words), ExitCode.ERROR, "ended with code 3", "it wrote last: no PASSWORD", "--env NAME=VALUE")
    assert not (boxbench.cwd / "db").exists()
    said = boxbench(*words, "--env", "PASSWORD=hush", "--ready", "exit", "-t", "docker")
    assert said.returncode == ExitCode.OK, said.stderr
    assert load_scenario(boxbench.cwd / "db").scenario.workload.env == {"PASSWORD": "hush"}


def test_a_directory_is_the_same_image_after_it_was_measured(boxbench: Command, server: Path) -> None:
    """Its results lie in its own build context."""
    with (server / "Dockerfile").open("a") as file:
        file.write("COPY . /all\n")
    boxbench = replace(boxbench, cwd=server)
    words = ("run", ".", "-t", "process", "-b", "1", "--ready", "tcp:8080")
    for _ in range(2):
        result = boxbench(*words)
        assert result.returncode == ExitCode.OK, result.stderr
    (first, second) = sorted((server / "reports/out").iterdir())
    assert "The build leaves out reports: results of Boxbench" in " ".join(result.stdout.decode().split())
    assert read_manifest(first).images["server"].digest == read_manifest(second).images["server"].digest
    resumed = boxbench("resume", first, "-b", "1")
    assert resumed.returncode == ExitCode.OK, resumed.stderr
