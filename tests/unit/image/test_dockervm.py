"""The relay of the VM that runs containers, compiled with its socket in a test's directory."""

from __future__ import annotations

import shutil
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE, Popen

import pytest

from bench.agent.compile import COMPILERS, compile_program, program_sources
from bench.util import proc
from tests.needs import need
from tests.waiting import LIMIT_S, wait_until

pytestmark = pytest.mark.host

MAIN = b"""
int main(int argc, char **argv)
{
    (void)argc;
    engine = getpid();
    signal(SIGPIPE, SIG_IGN);
    relay(atoi(argv[1]), watch_signals());
}
"""


class Relay:
    """A running relay: ``host`` is the host's end of the port, ``engine`` the engine's end of a connection."""

    def __init__(self, directory: Path) -> None:
        path = directory / "docker.sock"
        compiler = next(filter(None, map(shutil.which, COMPILERS)), None)
        if compiler is None:
            need("no C compiler")
        assert compiler is not None
        sources = program_sources("bench.image.vm", "dockervm.c")
        source = sources["dockervm.c"].replace(b'"/run/docker.sock"', f'"{path}"'.encode())
        sources["dockervm.c"] = source.replace(b"int main(", b"int unused_main(") + MAIN
        compile_program(compiler, sources, directory / "relay", flags=("-std=gnu11", "-O1"))
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(4)
        self._listener.settimeout(LIMIT_S)
        self.host, port = socket.socketpair()
        self.host.settimeout(LIMIT_S)
        words: list[Path | str] = [directory / "relay", str(port.fileno())]
        self.process: Popen[bytes] = proc.spawn(words, stderr=PIPE, pass_fds=(port.fileno(),))
        port.close()
        self.engine = self.accepted()

    def accepted(self) -> socket.socket:
        connection, _ = self._listener.accept()
        connection.settimeout(LIMIT_S)
        return connection

    def close(self) -> None:
        proc.stop(self.process)
        for opened in (self.host, self.engine, self._listener):
            opened.close()


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[Relay]:
    started = Relay(tmp_path)
    yield started
    started.close()


def test_requests_and_answers_are_passed_on(relay: Relay) -> None:
    relay.host.sendall(b"GET /")
    assert relay.engine.recv(100) == b"GET /"
    relay.engine.sendall(b"200 OK")
    assert relay.host.recv(100) == b"200 OK"


def _is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] == "T"


def test_a_request_does_not_go_to_a_connection_that_the_engine_has_closed(relay: Relay) -> None:
    relay.process.send_signal(signal.SIGSTOP)
    wait_until(lambda: _is_stopped(relay.process.pid), "the relay's stop")
    relay.engine.close()
    relay.host.sendall(b"GET /")
    relay.process.send_signal(signal.SIGCONT)
    relay.engine = relay.accepted()
    assert relay.engine.recv(100) == b"GET /"


def test_bytes_that_the_engine_does_not_take_are_an_error(relay: Relay) -> None:
    relay.engine.shutdown(socket.SHUT_RD)
    relay.host.sendall(b"GET /")
    _, stderr = relay.process.communicate(timeout=LIMIT_S)
    assert (relay.process.returncode, stderr) == (1, b"dockervm: 5 bytes to the engine are lost: Broken pipe\n")
