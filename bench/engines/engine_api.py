"""The Docker Engine's API over one byte stream: what a VM's virtio-serial port gives instead of a socket."""

from __future__ import annotations

import http.client
import json
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

from bench.util.clip import LAST_LINES, Clip, Clipped
from bench.util.errors import LaunchError

API: Final = "/v1.44"
# The VM is the guest's: what comes out of it has an end.
_LIMIT_BYTES: Final = 64 * 2**20
_HEADER: Final = struct.Struct(">B3xI")


class EngineApi:
    """Listens for the VMM from the start; one request at a time, on one connection that stays open.

    Args:
        timeout_s: how long one answer may take, the engine's own start included.
    """

    def __init__(self, path: Path, *, timeout_s: float) -> None:
        self.path = path
        self._timeout_s = timeout_s
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self._listener.bind(str(path))
        self._listener.listen(1)
        self._peer: socket.socket | None = None
        self._connection: http.client.HTTPConnection | None = None

    def call(self, method: str, path: str, body: object = None) -> Any:
        """Send a request with a JSON body and return the JSON of its answer; None when it has none.

        Raises:
            LaunchError: the engine refused, did not answer in time, or the VM has ended.
        """
        data = None if body is None else json.dumps(body).encode("utf-8")
        answer = self._request(method, path, data, {"Content-Type": "application/json"} if data else {})
        if answer[:1] not in (b"{", b"["):
            return None
        try:
            return json.loads(answer)
        except (ValueError, RecursionError):
            raise LaunchError(
                f"the engine in the VM answered {method} {path.partition('?')[0]} with what is no JSON: "
                f"{answer[:80]!r}",
                hint="look at the kept stderr of the VM",
            ) from None

    def upload(self, path: str, content: BinaryIO, length: int) -> bytes:
        """POST a file."""
        headers = {"Content-Type": "application/x-tar", "Content-Length": str(length)}
        return self._request("POST", path, content, headers)

    def logs(self, container: str) -> tuple[Clipped, Clipped]:
        """What a container wrote so far: stdout, stderr; of a long log the beginning and the end.

        Raises:
            LaunchError: as ``call``.
        """
        path = f"/containers/{container}/logs?stdout=1&stderr=1&tail="
        # First, since an answer that is too long costs the connection.
        last = self._request("GET", f"{path}{LAST_LINES}", None, {})
        if sum(1 for _ in frames(last)) < LAST_LINES:
            return _clipped(last)
        try:
            return _clipped(self._request("GET", f"{path}all", None, {}))
        except LaunchError:
            return _clipped(last, whole=False)

    def close(self) -> None:
        """Close both sockets and remove the path."""
        if self._connection is not None:
            self._connection.close()
        if self._peer is not None:
            # A response that was cut keeps its own hold on the stream.
            self._peer.close()
        self._listener.close()
        self.path.unlink(missing_ok=True)

    def _request(self, method: str, path: str, body: bytes | BinaryIO | None, headers: dict[str, str]) -> bytes:
        try:
            connection = self._connected()
            connection.request(method, API + path, body=body, headers=headers)
            response = connection.getresponse()
            content = response.read(_LIMIT_BYTES)
            if not response.isclosed():
                raise http.client.IncompleteRead(content)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise LaunchError(
                f"the engine in the VM did not answer {method} {path.partition('?')[0]}: "
                f"{error or type(error).__name__}",
                hint="look at the kept stderr of the VM; too little memory ends an engine like this",
            ) from None
        if response.status >= 400:
            raise LaunchError(
                f"the engine in the VM refused {method} {path.partition('?')[0]} with status {response.status}: "
                f"{content[:500].decode(errors='replace').strip()}",
                hint="does the same image start in the docker target?",
            )
        return content

    def _connected(self) -> http.client.HTTPConnection:
        if self._connection is None:
            self._listener.settimeout(self._timeout_s)
            self._peer, _ = self._listener.accept()
            self._peer.settimeout(self._timeout_s)
            self._connection = http.client.HTTPConnection("engine")
            # There is nothing to connect to: the stream is there already.
            self._connection.sock = self._peer
            self._connection.auto_open = 0
        return self._connection


def frames(raw: bytes) -> Iterator[tuple[int, memoryview]]:
    """Stream number (1: stdout, 2: stderr) and content of every frame of a log; the last one may be torn."""
    view, at = memoryview(raw), 0
    while at + _HEADER.size <= len(view):
        stream, length = _HEADER.unpack_from(view, at)
        at += _HEADER.size
        yield stream, view[at : at + length]
        at += length


def _clipped(raw: bytes, *, whole: bool = True) -> tuple[Clipped, Clipped]:
    """Of a log's frames; ``whole``: it begins where the log does."""
    stdout, stderr = Clip(), Clip()
    if not whole:
        stdout.skip()
        stderr.skip()
    for stream, content in frames(raw):
        if stream in (1, 2):
            (stdout if stream == 1 else stderr).add(content)
    return stdout.clipped(), stderr.clipped()
