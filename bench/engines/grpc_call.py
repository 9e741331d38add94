"""gRPC calls, one at a time, over a unix socket: HTTP/2 by ``h2``, in the caller's thread.

Not by grpcio: its library keeps threads of its own in this process, which also starts boxes and takes their time, and
its fork handlers kill the children that libvirt's in-process driver makes.
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

from bench.util.errors import ProtocolError

_CHUNK_BYTES: Final = 65536
_PREFIX_BYTES: Final = 5
# What a container's engine answers is small; something else on that socket need not fill our memory.
_MAX_ANSWER_BYTES: Final = 16 * 2**20
_HINT: Final = "is that socket containerd's, and does it still run?"


NOT_FOUND: Final = 5
ALREADY_EXISTS: Final = 6


class CallRefusedError(Exception):
    """The server understood the call and refused it.

    Args:
        text: the server's reason.
        status: the gRPC status code, such as ``NOT_FOUND``.
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

    def message(self) -> bytes:
        """Raises CallRefusedError, ProtocolError."""
        status = self.headers.get("grpc-status", "")
        if not (status.isascii() and status.isdigit()):
            raise ProtocolError(f"the answer has no gRPC status: {self.headers}", hint=_HINT)
        if int(status) != 0:
            raise CallRefusedError(unquote(self.headers.get("grpc-message", f"status {status}")), int(status))
        length = int.from_bytes(self.data[1:_PREFIX_BYTES], "big")
        if len(self.data) != _PREFIX_BYTES + length or self.data[0] != 0:
            raise ProtocolError(f"an answer of {len(self.data)} bytes is not one gRPC message", hint=_HINT)
        return bytes(self.data[_PREFIX_BYTES:])


class GrpcConnection:
    """One connection, opened by the first call. Raises ProtocolError when the other side speaks something else."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._socket: socket.socket | None = None
        self._http = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self._lock = threading.Lock()

    def call(self, method: str, request: bytes, *, metadata: Mapping[str, str], timeout_s: float) -> bytes:
        """One unary call.

        Args:
            method: ``/package.Service/Method``.
            request: an encoded message.
            timeout_s: for every single read and write.

        Raises:
            CallRefusedError: an error status.
            ProtocolError: no connection, no answer in time, or no gRPC.
        """
        # A storm has a thread per box; a box may be ended by another thread than the one that starts it.
        with self._lock:
            return self._call(method, request, metadata=metadata, timeout_s=timeout_s)

    def _call(self, method: str, request: bytes, *, metadata: Mapping[str, str], timeout_s: float) -> bytes:
        answer = _Answer()
        try:
            connected = self._connected(timeout_s)
            stream = self._http.get_next_available_stream_id()
            self._http.send_headers(stream, [*_headers(method), *metadata.items()])
            self._send(connected, stream, b"\0" + len(request).to_bytes(4, "big") + request, answer)
            while not answer.ended:
                self._receive(connected, stream, answer)
        except BaseException as error:
            # Half a call may be under way: the next one begins anew.
            self.close()
            if not isinstance(error, (OSError, H2Error)):
                raise
            raise ProtocolError(f"{self._path}: {method}: {error or type(error).__name__}", hint=_HINT) from None
        return answer.message()

    def close(self) -> None:
        """Close the connection; a later call opens another."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
            self._http = H2Connection(self._http.config)

    def _connected(self, timeout_s: float) -> socket.socket:
        if self._socket is None:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._socket.settimeout(timeout_s)
            self._socket.connect(str(self._path))
            self._http.initiate_connection()
        self._socket.settimeout(timeout_s)
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
            raise ConnectionResetError("the connection was closed in the middle of a call")
        for event in self._http.receive_data(chunk):
            self._take(event, stream, answer)
        connected.sendall(self._http.data_to_send())

    def _take(self, event: Event, stream: int, answer: _Answer) -> None:
        if isinstance(event, ConnectionTerminated):
            raise ConnectionResetError("the other side ended the connection")
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
