"""A container's log over a Docker Engine's real wire, played by a thread."""

from __future__ import annotations

import json
import socketserver
import struct
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import docker
import pytest
from docker.errors import NotFound

from bench.targets.containers import docker_log as dockerlog
from bench.targets.containers.docker_log import read_log
from bench.util.clip import HEAD_BYTES, LAST_LINES, MOST_READ_BYTES, Clip, Clipped
from tests.waiting import LIMIT_S

Frames = Callable[[bool, str], Iterator[bytes]]
"""Contents of frames, given whether stdout is asked for and ``tail``."""
LINE: Final = b"x" * 16383 + b"\n"


class Engine(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    frames: Frames

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is what is tested."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(url.query).items()}
        if "/gone/" in url.path:
            self._json(404, {"message": "No such container: gone"})
        elif url.path.endswith("/json"):
            self._json(200, {"Config": {"Tty": False}})
        else:
            self._log(asked)

    def _json(self, status: int, value: object) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _log(self, asked: dict[str, str]) -> None:
        assert asked["follow"] == "0"
        assert asked["stdout"] != asked["stderr"]
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        number = 1 if asked["stdout"] == "1" else 2
        server: Any = self.server
        for content in server.frames(number == 1, asked["tail"]):
            frame = struct.pack(">BxxxL", number, len(content)) + content
            self.wfile.write(b"%x\r\n%s\r\n" % (len(frame), frame))
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        """Quiet."""


Play = Callable[[Frames], docker.APIClient]


@pytest.fixture
def play(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Play]:
    path = tmp_path_factory.mktemp("s") / "d"
    server = Engine(str(path), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    clients: list[docker.APIClient] = []

    def start(frames: Frames) -> docker.APIClient:
        server.frames = frames
        clients.append(docker.APIClient(base_url=f"unix://{path}", version="1.44", timeout=round(LIMIT_S)))
        return clients[-1]

    yield start
    for client in clients:
        client.close()
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_short_log_is_whole(play: Play) -> None:
    def frames(stdout: bool, tail: str) -> Iterator[bytes]:
        assert tail == "all"
        yield from (b"out", b"put\n") if stdout else (b"err\n",)

    api = play(frames)
    assert read_log(api, "tag", "stdout") == Clipped(b"output\n", whole=True)
    assert read_log(api, "tag", "stderr") == Clipped(b"err\n", whole=True)


def test_a_log_without_end_is_asked_for_its_last_lines(play: Play) -> None:
    sent = 0

    def frames(_stdout: bool, tail: str) -> Iterator[bytes]:
        nonlocal sent
        if tail == str(LAST_LINES):
            yield b"the end\n"
            return
        while True:
            sent += len(LINE)
            yield LINE

    found = read_log(play(frames), "tag", "stdout")
    assert not found.whole
    assert found.data[:HEAD_BYTES] == LINE * (HEAD_BYTES // len(LINE))
    assert found.data.endswith(b" bytes are left out ---\nthe end\n")
    assert sent < 2 * MOST_READ_BYTES


def test_an_engine_that_falls_silent_is_not_waited_for(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time limit passes as soon as the first content has been read."""
    heard, over = threading.Event(), threading.Event()

    class HeardClip(Clip):
        def add(self, data: bytes | memoryview) -> None:
            super().add(data)
            heard.set()

    class PassingTimer(threading.Timer):
        def run(self) -> None:
            heard.wait()
            heard.clear()
            self.function(*self.args, **self.kwargs)

    monkeypatch.setattr(dockerlog, "Clip", HeardClip)
    monkeypatch.setattr(dockerlog, "Timer", PassingTimer)

    def frames(_stdout: bool, tail: str) -> Iterator[bytes]:
        yield tail.encode() + b"\n"
        over.wait(LIMIT_S)

    found = read_log(play(frames), "tag", "stdout")
    over.set()
    assert not found.whole
    assert found.data.startswith(b"all\n--- boxbench: ")
    assert found.data.endswith(b"\n%d\n" % LAST_LINES)
    assert not [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]


def test_no_such_container(play: Play) -> None:
    with pytest.raises(NotFound):
        read_log(play(lambda _stdout, _tail: iter(())), "gone", "stdout")
