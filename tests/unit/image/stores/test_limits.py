"""Builds that hang: an engine that says nothing more, and one that never stops."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer

import docker
import pytest

from bench.image import build
from bench.image.stores import classic, limits
from bench.image.stores.base import BuildOrder
from bench.image.stores.docker import DockerStore
from bench.scenario.model import LoadedScenario, ReadyFirstLine, Scenario
from bench.util.errors import BuildError
from tests.waiting import LIMIT_S

Write = Callable[[dict[str, object]], None]


@contextmanager
def engine(path: Path, behave: Callable[[Write], None]) -> Iterator[docker.DockerClient]:
    """The client of an engine that answers each build by ``behave``, which writes messages."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            with suppress(ConnectionError):
                behave(self._write)
                self.wfile.write(b"0\r\n\r\n")
            self.close_connection = True

        def _write(self, message: dict[str, object]) -> None:
            line = json.dumps(message).encode() + b"\n"
            self.wfile.write(b"%x\r\n%b\r\n" % (len(line), line))

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingUnixStreamServer(str(path), Handler) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        try:
            with closing(docker.DockerClient(base_url=f"unix://{path}", version="1.44")) as client:
                yield client
        finally:
            server.shutdown()
            serving.join()


def run(client: docker.DockerClient, directory: Path, log: Callable[[str], None] = lambda _line: None) -> str:
    (directory / "Dockerfile").write_text("FROM scratch\n")
    return classic.build_classic(client, BuildOrder(directory, "Dockerfile", "boxbench/made:1"), log)


def test_a_build_that_says_nothing_more_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SILENCE_LIMIT_S", 1)
    tested = threading.Event()

    def fall_silent(write: Write) -> None:
        write({"stream": "Step 1/2 : RUN true\n"})
        tested.wait(LIMIT_S)

    with engine(tmp_path / "sock", fall_silent) as client:
        try:
            with pytest.raises(BuildError, match=r"wrote nothing for 1 s"):
                run(client, tmp_path)
        finally:
            tested.set()


def test_a_build_without_end_is_ended_by_the_engine_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "TOTAL_LIMIT_S", 0.1)
    dropped = threading.Event()

    def go_on(write: Write) -> None:
        try:
            while True:
                write({"stream": "still compiling\n"})
        except ConnectionError:
            dropped.set()

    with engine(tmp_path / "sock", go_on) as client:
        with pytest.raises(BuildError, match=r"took more than 0.1 s") as caught:
            run(client, tmp_path)
        assert dropped.wait(LIMIT_S), "the connection stayed open, so the engine went on"
    assert "FROM" in caught.value.hint


def test_an_engine_that_dies_is_an_error_of_the_build(tmp_path: Path) -> None:
    def die(write: Write) -> None:
        write({"stream": "Step 1/1 : FROM scratch\n"})
        raise ConnectionError

    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    scenario = Scenario(question="?", name="made", ready=ReadyFirstLine(when="first-line"))
    loaded = LoadedScenario(scenario=scenario, directory=tmp_path, text="")
    with (
        engine(tmp_path / "sock", die) as client,
        pytest.raises(BuildError, match="scenario made: the engine failed"),
    ):
        build.build_image(DockerStore(client), loaded, lambda _line: None)


def test_a_build_in_time_gives_its_image(tmp_path: Path) -> None:
    def succeed(write: Write) -> None:
        write({"stream": "Step 1/1 : FROM scratch\n"})
        write({"aux": {"ID": "sha256:1"}})

    lines: list[str] = []
    with engine(tmp_path / "sock", succeed) as client:
        assert run(client, tmp_path, lines.append) == "sha256:1"
    assert lines == ["Step 1/1 : FROM scratch"]
