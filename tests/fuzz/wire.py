"""What daemons and engines answer: protocol buffers, gRPC, the Docker Engine in a VM, QEMU's monitor."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from random import Random
from typing import Final, Protocol, TypeVar

from h2.config import H2Configuration
from h2.connection import H2Connection

from bench.engines.containerd_api import ContainerdApi, SnapshotMount
from bench.engines.engine_api import EngineApi, frames
from bench.engines.wire import message, number_of, parse, parts, texts
from bench.targets.vms.qmp import Monitor
from tests.fuzz import mutate
from tests.fuzz.reader import Reader, again, same

_MOST_SENT: Final = 100_000
_MOUNT: Final = message({1: "overlay", 2: "overlay", 4: [b"upperdir=/a", b"lowerdir=/b"]})


@cache
def _messages() -> tuple[bytes, ...]:
    return (
        message({1: [_MOUNT, _MOUNT]}),
        message({1: "1.7.24", 2: "abc"}),
        message({1: message({1: "io.containerd.snapshotter.v1", 2: "overlayfs"}), 2: 2**40, 300: "far"}),
        bytes.fromhex("0d010203041101020304050607081a0141"),
    )


def _check_message(data: bytes, _scratch: Path) -> None:
    fields = parse(data)
    for number in (*fields, 1, 2, 6):
        texts(fields, number)
        number_of(fields, number)
        for part in parts(fields, number):
            same(parts(again(partial(parse, message({1: [part]}))), 1), [part])
    mount = SnapshotMount.decoded(data)
    assert mount.own is None or isinstance(mount.own, Path)
    numbers = {number: value for number, values in fields.items() for value in values if isinstance(value, int)}
    for number, value in again(lambda: parse(message(numbers))).items():
        same(value, [numbers[number]])


@cache
def _grpc_answers() -> tuple[bytes, ...]:
    plugins = message({1: [message({1: "io.containerd.snapshotter.v1", 2: "overlayfs"})]})
    return tuple(grpc_answers((body, status)) for body, status in ((plugins, "0"), (b"", "0"), (b"", "5")))


def grpc_answers(*calls: tuple[bytes, str]) -> bytes:
    """What a server sends on a connection for some calls, each with the body and the status of its answer."""
    server = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
    client = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
    client.initiate_connection()
    server.initiate_connection()
    for stream, (body, status) in enumerate(calls):
        number = 2 * stream + 1
        client.send_headers(number, [(":method", "POST"), (":scheme", "http"), (":path", "/x"), (":authority", "x")])
        server.receive_data(client.data_to_send())
        server.send_headers(number, [(":status", "200"), ("content-type", "application/grpc")])
        server.send_data(number, b"\0" + len(body).to_bytes(4, "big") + body)
        server.send_headers(number, [("grpc-status", status), ("grpc-message", "no%20such")], end_stream=True)
    return server.data_to_send()


def _check_grpc(data: bytes, scratch: Path) -> None:
    path = scratch / "grpc"
    with Served(path, data):
        api = ContainerdApi(path)
        try:
            api.snapshotters()
            api.close()
        finally:
            api.close()


class Served:
    """A server on a unix socket that answers its only connection with some bytes and then ends the stream."""

    def __init__(self, path: Path, data: bytes) -> None:
        path.unlink(missing_ok=True)
        self._data = data[:_MOST_SENT]
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen(1)
        self._listener.settimeout(20)
        self._thread = threading.Thread(target=self._serve)

    def _serve(self) -> None:
        with suppress(OSError), self._listener.accept()[0] as peer:
            peer.sendall(self._data)
            peer.shutdown(socket.SHUT_WR)
            while peer.recv(65536):
                pass

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_error: object) -> None:
        # A client that never came must not be waited for.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()


def _http(body: bytes, *, chunked: bool = False, status: str = "200 OK", before: bytes = b"") -> bytes:
    if chunked:
        pieces = b"".join(
            b"%x\r\n%s\r\n" % (len(body[at : at + 7]), body[at : at + 7]) for at in range(0, len(body), 7)
        )
        return before + f"HTTP/1.1 {status}\r\nTransfer-Encoding: chunked\r\n\r\n".encode() + pieces + b"0\r\n\r\n"
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return before + head.encode() + body


_LOG: Final = struct.pack(">B3xI", 1, 3) + b"out" + struct.pack(">B3xI", 2, 4) + b"err\n"


@cache
def engine_answers() -> tuple[bytes, ...]:
    document = json.dumps({"Id": "ab", "State": {"Pid": 5, "Running": True}, "Names": ["/x"]}).encode()
    return (
        _http(document),
        _http(document, chunked=True),
        _http(_LOG, chunked=True),
        _http(b'{"message": "no such container"}', status="404 Not Found"),
        _http(b"", status="204 No Content"),
    )


def _check_engine(data: bytes, scratch: Path) -> None:
    _connected(scratch / "engine", data, lambda path: EngineApi(path, timeout_s=10), lambda api: api.call("GET", "/x"))
    _connected(scratch / "engine", data, lambda path: EngineApi(path, timeout_s=10), lambda api: api.logs("x"))


_MONITOR: Final = (
    b'{"QMP": {"version": {"qemu": {"micro": 2, "minor": 0, "major": 10}}, "capabilities": []}}\r\n'
    b'{"return": {}}\r\n{"timestamp": {"seconds": 1}, "event": "RESUME"}\r\n{"return": [{"device": "d"}]}\r\n',
    b'{"QMP": {}}\n{"return": {}}\n{"error": {"class": "GenericError", "desc": "no"}}\n',
)


def _check_monitor(data: bytes, scratch: Path) -> None:
    _connected(scratch / "monitor", data, Monitor, lambda monitor: monitor.execute("query-blockstats"))


class _Closable(Protocol):
    def close(self) -> None: ...


_Listener = TypeVar("_Listener", bound=_Closable)


def _connected(
    path: Path, data: bytes, listen: Callable[[Path], _Listener], call: Callable[[_Listener], object]
) -> None:
    """Connect as the VMM does, send everything and end the stream, then make the call."""
    path.unlink(missing_ok=True)
    api = listen(path)
    peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * _MOST_SENT)
        peer.connect(str(path))
        peer.sendall(data[:_MOST_SENT])
        peer.shutdown(socket.SHUT_WR)
        call(api)
    finally:
        peer.close()
        api.close()


def _check_frames(data: bytes, _scratch: Path) -> None:
    total = sum(len(content) for stream, content in frames(data) if 0 <= stream < 256)
    assert total <= len(data)


def _cut(rng: Random, seeds: Sequence[bytes]) -> bytes:
    return mutate.mixed(mutate.text, mutate.lines)(rng, seeds)[:_MOST_SENT]


READERS: Final = (
    Reader("protobuf", _messages, mutate.text, _check_message, share=300),
    Reader("grpc", _grpc_answers, mutate.text, _check_grpc, share=15),
    Reader("engine-in-vm", engine_answers, _cut, _check_engine, share=20),
    Reader("engine-log", lambda: (_LOG, _LOG * 3), mutate.text, _check_frames, share=100),
    Reader("qemu-monitor", lambda: _MONITOR, _cut, _check_monitor, share=40),
)
