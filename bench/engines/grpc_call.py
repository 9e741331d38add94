"""gRPC calls over a unix socket, one at a time, in the caller's thread. ``h2`` speaks HTTP/2.

grpcio is not used. It keeps threads of its own in this process, which starts boxes and measures them, and its fork
handlers kill the children that libvirt's in-process driver makes.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)
from h2.exceptions import H2Error

from bench.util.deadline import DeadlineSocket, deadline_after
from bench.util.errors import ProtocolError

_CHUNK_BYTES: Final = 65536
_PREFIX_BYTES: Final = 5
# containerd's answers are small. The limit keeps another program on that socket from filling the memory.
_MAX_ANSWER_BYTES: Final = 16 * 2**20
_HINT: Final = "check that containerd runs and listens on that socket"

# Status codes, https://grpc.io/docs/guides/status-codes/
NOT_FOUND: Final = 5
ALREADY_EXISTS: Final = 6


class CallRefusedError(Exception):
    """The server refused the call.

    Args:
        text: the server's message.
        status: its gRPC status code.
    """

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.text = text
        self.status = status


@dataclass
class _Answer:
    data: bytearray = field(default_factory=bytearray)
    headers: dict[str, str] = field(default_factory=dict)
    ended: bool = False

    def messages(self) -> list[bytes]:
        """The encoded answers. Raises CallRefusedError, ProtocolError."""
        status = self.headers.get("grpc-status", "")
        if not (status.isascii() and status.isdigit()):
            raise ProtocolError(f"the answer has no gRPC status: {self.headers}", hint=_HINT)
        if int(status) != 0:
            raise CallRefusedError(unquote(self.headers.get("grpc-message", f"status {status}")), int(status))
        found, begin = [], 0
        while begin < len(self.data):
            prefix = self.data[begin : begin + _PREFIX_BYTES]
            end = begin + _PREFIX_BYTES + int.from_bytes(prefix[1:], "big")
            if len(prefix) < _PREFIX_BYTES or prefix[0] != 0 or end > len(self.data):
                raise ProtocolError(f"an answer of {len(self.data)} bytes has no whole gRPC messages", hint=_HINT)
            found.append(bytes(self.data[begin + _PREFIX_BYTES : end]))
            begin = end
        return found


class GrpcConnection:
    """One connection, opened by the first call."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._socket: DeadlineSocket | None = None
        self._http = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self._lock = threading.Lock()

    def call(self, method: str, request: bytes, *, metadata: Mapping[str, str], timeout_s: float) -> list[bytes]:
        """Make a call with one request and return the encoded answers: one, or any number from a stream.

        Args:
            method: ``/package.Service/Method``.
            request: an encoded message.
            metadata: additional headers.
            timeout_s: the limit of the whole call.

        Raises:
            CallRefusedError: the server answered with an error status.
            ProtocolError: there is no connection or no answer in time, or the server does not speak gRPC.
        """
        # A storm has a thread per box, and another thread than the one that starts a box may end it.
        with self._lock:
            return self._call(method, request, metadata=metadata, timeout_s=timeout_s)

    def _call(self, method: str, request: bytes, *, metadata: Mapping[str, str], timeout_s: float) -> list[bytes]:
        answer = _Answer()
        try:
            connected = self._connected(deadline_after(timeout_s))
            stream = self._http.get_next_available_stream_id()
            self._http.send_headers(stream, [*_headers(method), *metadata.items()])
            self._send(connected, stream, b"\0" + len(request).to_bytes(4, "big") + request, answer)
            while not answer.ended:
                self._receive(connected, stream, answer)
        except BaseException as error:
            # Part of the call may have been sent. The next call opens a new connection.
            self.close()
            # The library decodes the values of headers without a check.
            if not isinstance(error, (OSError, H2Error, UnicodeDecodeError)):
                raise
            raise ProtocolError(f"{self._path}: {method}: {error or type(error).__name__}", hint=_HINT) from None
        return answer.messages()

    def close(self) -> None:
        """Close the connection; a later call opens another."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
            self._http = H2Connection(self._http.config)

    def _connected(self, deadline_ns: int) -> socket.socket:
        if self._socket is None:
            self._socket = DeadlineSocket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._socket.deadline_ns = deadline_ns
            self._socket.connect(str(self._path))
            self._http.initiate_connection()
        self._socket.deadline_ns = deadline_ns
        return self._socket

    def _send(self, connected: socket.socket, stream: int, data: bytes, answer: _Answer) -> None:
        while True:
            room = min(self._http.local_flow_control_window(stream), self._http.max_outbound_frame_size)
            piece, data = data[:room], data[room:]
            if room > 0:
                self._http.send_data(stream, piece, end_stream=not data)
            connected.sendall(self._http.data_to_send())
            if not data or answer.ended:
                return
            if room <= 0:
                self._receive(connected, stream, answer)

    def _receive(self, connected: socket.socket, stream: int, answer: _Answer) -> None:
        chunk = connected.recv(_CHUNK_BYTES)
        if not chunk:
            raise ConnectionResetError("the connection was closed during a call")
        for event in self._http.receive_data(chunk):
            self._take(event, stream, answer)
        connected.sendall(self._http.data_to_send())

    def _take(self, event: Event, stream: int, answer: _Answer) -> None:
        if isinstance(event, ConnectionTerminated):
            raise ConnectionResetError("the server ended the connection")
        if getattr(event, "stream_id", stream) != stream:
            return
        if isinstance(event, DataReceived):
            answer.data += event.data
            if len(answer.data) > _MAX_ANSWER_BYTES:
                raise ConnectionResetError(f"an answer of more than {_MAX_ANSWER_BYTES} bytes")
            self._http.acknowledge_received_data(event.flow_controlled_length, stream)
        elif isinstance(event, (ResponseReceived, TrailersReceived)):
            answer.headers.update((str(name), str(value)) for name, value in event.headers)
        elif isinstance(event, StreamReset):
            raise ConnectionResetError(f"the call was reset (error {event.error_code})")
        elif isinstance(event, StreamEnded):
            answer.ended = True


def _headers(method: str) -> list[tuple[str, str]]:
    return [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", method),
        (":authority", "localhost"),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
    ]
