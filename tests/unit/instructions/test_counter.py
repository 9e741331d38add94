"""Calls of the counting guest's PID 1, compiled with a console that is standard error."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from bench.agent.compile import COMPILERS, compile_program, program_sources
from bench.util import proc
from tests.needs import need
from tests.waiting import LIMIT_S

pytestmark = pytest.mark.host

CONSOLE = b"""
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "console.h"
void report(const char *format, ...) { (void)format; }
void power_off(void) { exit(0); }
void fatal(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    exit(1);
}
"""
MAIN = b"""
#include <string.h>
#include "grpc.h"
#include "socket.h"
int main(int argc, char **argv)
{
    (void)argc;
    if (strcmp(argv[1], "grpc") == 0)
        grpc_calls(argv[2], argv + 3);
    else
        http_call(argv[2], argv[3], argv[4], NULL);
}
"""


@pytest.fixture(scope="module")
def caller(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = next(filter(None, map(shutil.which, COMPILERS)), None)
    if compiler is None:
        need("no C compiler")
    assert compiler is not None
    sources = program_sources("bench.instructions", "counter")
    sources |= {"counter/console.c": CONSOLE, "counter/main.c": MAIN}
    program = tmp_path_factory.mktemp("counter") / "caller"
    compile_program(compiler, sources, program, flags=("-std=gnu11", "-O1"))
    return program


def _varint(value: int) -> bytes:
    return bytes([value]) if value < 0x80 else bytes([value & 0x7F | 0x80]) + _varint(value >> 7)


def _frame(kind: int, flags: int, stream: int, data: bytes) -> bytes:
    return len(data).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + data


def _call(caller: Path, directory: Path, answer: bytes, *words: str) -> subprocess.CompletedProcess[bytes]:
    """Run the caller against a server that sends ``answer`` to whatever it is asked."""
    path = directory / "server"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(1)
        listener.settimeout(LIMIT_S)

        def serve() -> None:
            peer, _ = listener.accept()
            with peer, suppress(ConnectionError):
                peer.sendall(answer)
                while peer.recv(65536):
                    pass

        server = threading.Thread(target=serve, daemon=True)
        server.start()
        result = proc.run([caller, words[0], path, *words[1:]], timeout_s=LIMIT_S, check=False)
        server.join(LIMIT_S)
    return subprocess.CompletedProcess(result.argv, result.returncode, result.stdout, result.stderr)


def _snapshot(caller: Path, directory: Path, mounts: bytes) -> tuple[int, bytes]:
    for name in ("snapshot", "snapshot.head"):
        (directory / name).write_bytes(b"x")
    answer = _frame(0, 1, 1, b"\0" + len(mounts).to_bytes(4, "big") + mounts)
    result = _call(caller, directory, answer, "grpc", str(directory / "snapshot"))
    return result.returncode, result.stderr


@pytest.mark.parametrize("mounts", [b"\x0a\x03abc\x0a\x01d", b"\x0a" + _varint(300) + b"m" * 300])
def test_the_mounts_of_a_snapshot_are_taken(caller: Path, tmp_path: Path, mounts: bytes) -> None:
    assert _snapshot(caller, tmp_path, mounts) == (0, b"")


@pytest.mark.parametrize(
    "mounts",
    [
        pytest.param(b"\x0a", id="no length"),
        pytest.param(b"\x0a\xff\xff", id="half a length"),
        pytest.param(b"\x0a" + b"\xff" * 12 + b"\x01", id="an endless length"),
        pytest.param(b"\x0a\x09abc", id="longer than the answer"),
    ],
)
def test_a_snapshot_that_is_cut_off_is_an_error(caller: Path, tmp_path: Path, mounts: bytes) -> None:
    assert _snapshot(caller, tmp_path, mounts) == (1, b"containerd: a snapshot's mounts are cut off")


def test_a_request_that_does_not_fit_is_an_error(caller: Path, tmp_path: Path) -> None:
    result = _call(caller, tmp_path, b"HTTP/1.1 200 OK\r\n", "http", "GET", "/" + "x" * 1000)
    assert (result.returncode, result.stderr[-40:]) == (1, b"x: the request is longer than 1023 bytes")
