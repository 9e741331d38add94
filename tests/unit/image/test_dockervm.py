"""The relay of the VM that runs containers, compiled with its socket in a test's directory."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import signal
import socket
import struct
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, Popen

import pytest

from bench.agent.compile import COMPILERS, compile_program, program_sources
from bench.util import proc
from tests.needs import need
from tests.waiting import LIMIT_S, wait_until

pytestmark = pytest.mark.host

START = b"""
int main(int argc, char **argv)
{
    (void)argc;
    run_containerd(argv[1], watch_signals());
    puts("serves");
    fflush(stdout);
    end();
}
"""
MAIN = b"""
int main(int argc, char **argv)
{
    (void)argc;
    engine = getpid();
    signal(SIGPIPE, SIG_IGN);
    relay(atoi(argv[1]), watch_signals());
}
"""


def _compiled(directory: Path, main: bytes, **paths: Path) -> Path:
    """The program with another ``main``, and with the sockets ``paths`` (by macro) in a test's directory."""
    compiler = next(filter(None, map(shutil.which, COMPILERS)), None)
    if compiler is None:
        need("no C compiler")
    assert compiler is not None
    sources = program_sources("bench.image.vm", "dockervm.c")
    source = sources["dockervm.c"].replace(b"int main(", b"int unused_main(")
    for macro, path in paths.items():
        source, count = re.subn(rb'(#define %s) ".*"' % macro.encode(), rb'\1 "%s"' % str(path).encode(), source)
        assert count == 1
    compile_program(compiler, sources | {"dockervm.c": source + main}, directory / "made", flags=("-std=gnu11", "-O1"))
    return directory / "made"


class Relay:
    """A running relay: ``host`` is the host's end of the port, ``engine`` the engine's end of a connection."""

    def __init__(self, directory: Path) -> None:
        path = directory / "docker.sock"
        program = _compiled(directory, MAIN, ENGINE_SOCKET=path)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(4)
        self._listener.settimeout(LIMIT_S)
        self.host, port = socket.socketpair()
        self.host.settimeout(LIMIT_S)
        words: list[Path | str] = [program, str(port.fileno())]
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


# --- the start of containerd ---


@pytest.fixture
def starter(tmp_path: Path) -> Path:
    """A program that starts the containerd of its PATH, says that it serves, and ends it."""
    return _compiled(tmp_path, START, NOTICE_SOCKET=tmp_path / "notice")


@contextmanager
def starting(starter: Path, containerd: str) -> Iterator[Popen[bytes]]:
    """The program at work, with a shell script in containerd's place."""
    script = starter.with_name("containerd")
    script.write_text(f"#!/bin/sh\n{containerd}\n", encoding="ascii")
    script.chmod(0o755)
    env = {"PATH": f"{starter.parent}:{os.environ['PATH']}"}
    process = proc.spawn([starter, "containerd.toml"], stdout=PIPE, stderr=PIPE, env=env)
    try:
        yield process
    finally:
        proc.stop(process)


def _unread(sender: socket.socket) -> int:
    """So many bytes of memory are held by what nobody has received yet: unix(7), SIOCOUTQ."""
    (held,) = struct.unpack("i", fcntl.ioctl(sender, termios.TIOCOUTQ, bytes(4)))
    return int(held)


def notify(path: Path, text: bytes) -> None:
    """Tell as a service does, and wait until it is received."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        wait_until(path.exists, "the socket for notices")
        sender.sendto(text, str(path))
        wait_until(lambda: _unread(sender) == 0, "the program takes the notice")


def test_containerd_may_take_as_long_as_it_lives(starter: Path) -> None:
    """dockerd waits for one that it starts itself for 15 s, which an emulated CPU on a busy host exceeded."""
    notice, called = starter.with_name("notice"), starter.with_name("called")
    with starting(starter, f'echo "$@" $NOTIFY_SOCKET > {called}; exec sleep 1000') as process:
        wait_until(lambda: called.exists() and called.read_text().endswith("\n"), "containerd's start")
        assert called.read_text() == f"--config containerd.toml {notice}\n"
        notify(notice, b"STATUS=still loading")
        notify(notice, b"READY=1")
        assert process.communicate(timeout=LIMIT_S) == (b"serves\n", b"")
        assert process.returncode == 0


def _pid(file: Path) -> int:
    """Of the containerd that writes it into this file."""
    wait_until(lambda: file.exists() and file.read_text().endswith("\n"), "containerd's start")
    return int(file.read_text())


def test_another_notice_does_not_say_that_containerd_serves(starter: Path) -> None:
    with starting(starter, f"echo $$ > {starter.with_name('pid')}; exec sleep 1000") as process:
        pid = _pid(starter.with_name("pid"))
        notify(starter.with_name("notice"), b"STATUS=still loading")
        os.kill(pid, signal.SIGKILL)
        assert process.communicate(timeout=LIMIT_S) == (b"", b"dockervm: containerd ended with status 137\n")
        assert process.returncode == 1


def test_a_containerd_that_ends_before_it_serves_is_an_error(starter: Path) -> None:
    with starting(starter, "exit 3") as process:
        assert process.communicate(timeout=LIMIT_S) == (b"", b"dockervm: containerd ended with status 3\n")
        assert process.returncode == 1


def test_a_stop_while_containerd_starts_ends_both(starter: Path) -> None:
    with starting(starter, f"echo $$ > {starter.with_name('pid')}; exec sleep 1000") as process:
        pid = _pid(starter.with_name("pid"))
        process.terminate()
        assert process.communicate(timeout=LIMIT_S) == (b"", b"")
        assert process.returncode == 0
        assert not Path(f"/proc/{pid}").exists()
