"""How buildx is called, and its time limits. No program is started."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import docker
import pytest

from bench.engines.dockerd import client_environment
from bench.image.stores import buildkit, limits
from bench.image.stores import lines as reader
from bench.image.stores.arguments import secret_arguments
from bench.image.stores.base import BuildOrder, StoreError
from bench.image.stores.lines import read_lines
from bench.image.stores.progress import Progress
from bench.util import proc


def options(order: BuildOrder) -> list[str]:
    return list(buildkit._options(order, Path("/s/about"), network=order.network))


def test_everything_of_an_order_is_passed(tmp_path: Path) -> None:
    order = BuildOrder(
        tmp_path,
        "sub/Dockerfile",
        "boxbench/x:workload",
        args={"A": "b c", "API_TOKEN": "hidden"},
        network="host",
        target="last",
        secrets={"tok": Path('/a,b"c')},
    )
    words = options(order)
    assert words[-1] == str(tmp_path)
    pairs = list(pairwise(words))
    for pair in (
        ("--file", f"{tmp_path}/sub/Dockerfile"),
        ("--tag", "boxbench/x:workload"),
        ("--network", "host"),
        ("--target", "last"),
        ("--build-arg", "A=b c"),
        ("--build-arg", "API_TOKEN"),
        ("--secret", 'id=tok,"src=/a,b""c"'),
        ("--label", "boxbench=1"),
    ):
        assert pair in pairs
    assert not any("hidden" in word for word in words), "other users can read a command line"
    assert secret_arguments(order) == {"API_TOKEN": "hidden"}


def test_an_argument_does_not_change_our_own_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_KEY", "ours")
    order = BuildOrder(tmp_path, "Dockerfile", "x:1", args={"DOCKER_KEY": "theirs", "LD_PRELOAD": "/x"})
    assert secret_arguments(order) == {}
    assert "DOCKER_KEY=theirs" in options(order)


def test_a_secret_that_the_user_has_exported_is_on_no_command_line_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_TOKEN", "hush")
    order = BuildOrder(tmp_path, "Dockerfile", "x:1", args={"API_TOKEN": "hush"})
    assert not any("hush" in word for word in options(order))
    assert secret_arguments(order) == {"API_TOKEN": "hush"}


@pytest.mark.parametrize("text", ["", "[]", "{}", "{", '{"containerimage.digest"'])
def test_an_answer_without_an_image_is_no_image(tmp_path: Path, text: str) -> None:
    assert buildkit._image_id(tmp_path / "missing") is None
    (tmp_path / "about").write_text(text)
    assert buildkit._image_id(tmp_path / "about") is None


@pytest.fixture
def pipe() -> Iterator[tuple[Any, int]]:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb", buffering=0) as stream:
        try:
            yield stream, writing
        finally:
            os.close(writing)


def test_a_builder_that_says_nothing_more(pipe: tuple[Any, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SILENCE_LIMIT_S", 0.05)
    os.write(pipe[1], b"#1 [1/1] RUN x\nhalf a line")
    lines = iter(read_lines(pipe[0]))
    assert next(lines) == "#1 [1/1] RUN x"
    with pytest.raises(StoreError, match=r"wrote nothing for 0\.05 s"):
        next(lines)


def test_a_builder_without_end(pipe: tuple[Any, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "TOTAL_LIMIT_S", 0.05)

    def read() -> None:
        for _ in read_lines(pipe[0]):
            os.write(pipe[1], b"still compiling\n")

    os.write(pipe[1], b"compiling\n")
    with pytest.raises(StoreError, match=r"took more than 0\.05 s"):
        read()


def test_a_line_without_end_is_cut(pipe: tuple[Any, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "_LINE_BYTES", 10)
    os.write(pipe[1], b"x" * 1000 + b"\nrest")
    lines = iter(read_lines(pipe[0]))
    assert next(lines) == "x" * 1000
    os.write(pipe[1], b"y" * 50)
    assert next(lines) == "rest" + "y" * 50


def client(**api: Any) -> docker.DockerClient:
    return cast("docker.DockerClient", SimpleNamespace(api=SimpleNamespace(**{"_custom_adapter": None, **api})))


def test_the_variables_for_each_kind_of_engine() -> None:
    unix = client(_custom_adapter=SimpleNamespace(socket_path="/run/x.sock"))
    assert client_environment(unix)["DOCKER_HOST"] == "unix:///run/x.sock"
    plain = client(base_url="http://127.0.0.1:2375", cert=None, verify=True)
    assert client_environment(plain) == {
        "DOCKER_HOST": "tcp://127.0.0.1:2375",
        "DOCKER_TLS": "",
        "DOCKER_TLS_VERIFY": "",
    }
    tls = client(base_url="https://engine:2376", cert=("/c/cert.pem", "/c/key.pem"), verify="/c/ca.pem")
    assert client_environment(tls) == {
        "DOCKER_HOST": "tcp://engine:2376",
        "DOCKER_TLS": "1",
        "DOCKER_TLS_VERIFY": "1",
        "DOCKER_CERT_PATH": "/c",
    }
    ssh = client(_custom_adapter=SimpleNamespace(ssh_host="me@engine"))
    assert client_environment(ssh)["DOCKER_HOST"] == "ssh://me@engine"


def test_the_program_is_found_as_the_docker_command_finds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buildkit, "_PLUGINS", (str(tmp_path / "system"),))
    monkeypatch.setattr(proc, "find_tool", lambda _name: None)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "own"))
    assert buildkit.find_program() is None
    for place in ("system", "own/cli-plugins"):
        program = tmp_path / place / "docker-buildx"
        program.parent.mkdir(parents=True)
        program.touch(mode=0o755)
        assert buildkit.find_program() == str(program)


def test_the_user_can_switch_it_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_BUILDKIT", "0")
    monkeypatch.setattr(buildkit, "find_program", lambda: "/usr/bin/docker-buildx")
    assert buildkit.find_buildx(client()) is None


@pytest.mark.parametrize(
    ("network", "bridges", "hinted"), [("default", [], True), ("host", [], False), ("default", ["bridge"], False)]
)
def test_a_step_that_may_have_missed_the_network(
    tmp_path: Path, network: Any, bridges: list[str], hinted: bool
) -> None:
    """A private engine has no bridge, and BuildKit would refuse every RUN step with the default network there."""
    engine = client(networks=lambda names: [name for name in names if name in bridges])
    order = BuildOrder(tmp_path, "Dockerfile", "x:1", network=network)
    assert buildkit._network(engine, order) == ("none" if hinted else network)
    progress = Progress(lambda _line: None)
    progress.read('ERROR: failed to solve: process "x" did not complete successfully: exit code: 1')
    error = buildkit._error(progress, buildkit.Buildx("/x", "1", engine), order)
    assert ("if the step needs a network" in error.hint) == hinted


def test_a_cache_may_link_to_the_settings_of_another_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other, own = tmp_path / "other", tmp_path / "own"
    for directory in (other, own):
        directory.mkdir(mode=0o700)
    (other / "buildx").mkdir(mode=0o700)
    (own / "buildx").symlink_to(other / "buildx")
    monkeypatch.setenv("BOXBENCH_CACHE", str(own))
    assert buildkit._settings() == other / "buildx"
