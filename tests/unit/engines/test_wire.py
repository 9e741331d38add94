"""Protocol buffers by field number, and gRPC over HTTP/2 with a server made with the same library."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded

from bench.engines.grpc_call import NOT_FOUND, CallRefusedError, GrpcConnection
from bench.engines.wire import message, number_of, parse, parts, texts
from bench.util.errors import ProtocolError
from tests.waiting import LIMIT_S


@pytest.mark.parametrize(
    ("fields", "encoded"),
    [
        # From the format's own documentation.
        ({1: 150}, "089601"),
        ({2: "testing"}, "120774657374696e67"),
        ({3: message({1: 150})}, "1a03089601"),
        ({4: {"a": "b"}}, "22060a01611201 62".replace(" ", "")),
        ({1: 0, 2: "", 3: b"", 4: {}, 5: []}, ""),
        ({5: [b"x", b""]}, "2a01782a00"),
        ({16: 1}, "800101"),
    ],
)
def test_encoding(fields: dict[int, object], encoded: str) -> None:
    assert message(fields).hex() == encoded  # type: ignore[arg-type]


def test_what_was_encoded_is_decoded() -> None:
    fields = parse(message({1: "name", 2: 2**40, 3: [b"one", b"two"], 300: "far"}))
    assert texts(fields, 1) == ["name"]
    assert number_of(fields, 2) == 2**40
    assert parts(fields, 3) == [b"one", b"two"]
    assert texts(fields, 300) == ["far"]
    assert (texts(fields, 9), number_of(fields, 9)) == ([], 0)


def test_fixed_numbers_are_stepped_over() -> None:
    assert texts(parse(bytes.fromhex("0d010203041101020304050607081a0141")), 3) == ["A"]


@pytest.mark.parametrize("data", [b"\x08", b"\x12\x05ab", b"\x80", b"\x0b\x08\x01", b"\x0d\x01"])
def test_what_is_no_message_is_an_expected_error(data: bytes) -> None:
    with pytest.raises(ProtocolError, match="is not a protocol buffers message"):
        parse(data)


class Server:
    """Answers every call with what it is told to."""

    def __init__(self, path: Path, reply: bytes, trailers: list[tuple[str, str]]) -> None:
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self._reply, self._trailers = reply, trailers
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen(1)
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self) -> None:
        with self._listener, self._listener.accept()[0] as peer:
            http = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
            http.initiate_connection()
            headers: dict[str, str] = {}
            body = b""
            while chunk := _received(peer):
                for event in http.receive_data(chunk):
                    if isinstance(event, RequestReceived):
                        headers, body = {str(name): str(value) for name, value in event.headers}, b""
                    elif isinstance(event, DataReceived):
                        body += event.data
                        http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                    elif isinstance(event, StreamEnded):
                        self.requests.append((headers, body))
                        http.send_headers(event.stream_id, [(":status", "200")])
                        http.send_data(event.stream_id, self._reply)
                        http.send_headers(event.stream_id, self._trailers, end_stream=True)
                with suppress(BrokenPipeError):  # the client has its answer and may be gone
                    peer.sendall(http.data_to_send())


def _received(peer: socket.socket) -> bytes:
    try:
        return peer.recv(65536)
    except ConnectionResetError:
        return b""


@contextmanager
def serving(path: Path, reply: bytes, trailers: list[tuple[str, str]]) -> Iterator[tuple[Server, GrpcConnection]]:
    server, connection = Server(path, reply, trailers), GrpcConnection(path)
    try:
        yield server, connection
    finally:
        connection.close()
        server.thread.join(LIMIT_S)


OK = [("grpc-status", "0")]


def test_calls_on_one_connection_also_larger_than_the_window(tmp_path: Path) -> None:
    with serving(tmp_path / "sock", b"\0\0\0\0\2hi", OK) as (server, connection):
        for request in (b"", b"x" * 200_000, b"last"):
            assert connection.call("/a.B/C", request, metadata={"who": "us"}, timeout_s=LIMIT_S) == [b"hi"]
    assert [body[5:] for _, body in server.requests] == [b"", b"x" * 200_000, b"last"]
    assert all((head[":path"], head["who"], head["te"]) == ("/a.B/C", "us", "trailers") for head, _ in server.requests)


def test_a_stream_has_many_answers(tmp_path: Path) -> None:
    with serving(tmp_path / "sock", b"\0\0\0\0\2hi\0\0\0\0\0\0\0\0\0\1x", OK) as (_, connection):
        assert connection.call("/a.B/C", b"", metadata={}, timeout_s=LIMIT_S) == [b"hi", b"", b"x"]


def test_a_refusal_has_the_servers_words(tmp_path: Path) -> None:
    refusal = [("grpc-status", "5"), ("grpc-message", 'container "x": not%20found')]
    with (
        serving(tmp_path / "sock", b"", refusal) as (_, connection),
        pytest.raises(CallRefusedError, match='container "x": not found') as caught,
    ):
        connection.call("/a.B/C", b"", metadata={}, timeout_s=LIMIT_S)
    assert caught.value.status == NOT_FOUND


@pytest.mark.parametrize(
    ("reply", "trailers", "said"),
    [
        (b"\0\0\0\0\5hi", OK, "has no whole gRPC messages"),
        (b"\1\0\0\0\2hi", OK, "has no whole gRPC messages"),
        (b"", [("other", "1")], "has no gRPC status"),
        (b"", [("grpc-status", "no")], "has no gRPC status"),
    ],
)
def test_an_answer_that_is_none(tmp_path: Path, reply: bytes, trailers: list[tuple[str, str]], said: str) -> None:
    with serving(tmp_path / "sock", reply, trailers) as (_, connection), pytest.raises(ProtocolError, match=said):
        connection.call("/a.B/C", b"", metadata={}, timeout_s=LIMIT_S)


def test_nobody_listens(tmp_path: Path) -> None:
    with pytest.raises(ProtocolError, match="No such file"):
        GrpcConnection(tmp_path / "sock").call("/a.B/C", b"", metadata={}, timeout_s=1)


def test_somebody_listens_who_never_answers(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(tmp_path / "sock"))
        listener.listen(1)
        connection = GrpcConnection(tmp_path / "sock")
        with pytest.raises(ProtocolError, match="timed out"):
            connection.call("/a.B/C", b"", metadata={}, timeout_s=0.05)


def test_an_answer_that_comes_bit_by_bit_ends_at_the_deadline(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(tmp_path / "sock"))
        listener.listen(1)

        def serve() -> None:
            with listener.accept()[0] as peer, suppress(BrokenPipeError, ConnectionResetError):
                http = H2Connection(H2Configuration(client_side=False))
                http.initiate_connection()
                while True:
                    http.ping(b"12345678")
                    peer.sendall(http.data_to_send())
                    with suppress(BlockingIOError):
                        peer.recv(65536, socket.MSG_DONTWAIT)
                    time.sleep(0.01)

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(ProtocolError, match="timed out"):
            GrpcConnection(tmp_path / "sock").call("/a.B/C", b"", metadata={}, timeout_s=0.3)
        # A host that stalls may let the time pass before the call has connected: then nobody has come so far.
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as last:
            last.connect(str(tmp_path / "sock"))
            thread.join()
