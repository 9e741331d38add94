"""The Docker Engine's API over a single byte stream, such as the virtio-serial port of a VM."""

from __future__ import annotations

import http.client
import json
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

from bench.util.clip import LAST_LINES, Clip, Clipped
from bench.util.deadline import DeadlineSocket, deadline_after
from bench.util.errors import LaunchError

API: Final = "/v1.44"
# The guest is not trusted, so the size of an answer is limited.
_LIMIT_BYTES: Final = 64 * 2**20
# Through a virtio-serial port of an emulated VM. An upload gets so much more time than another request.
_SLOWEST_UPLOAD_BYTES_S: Final = 2**20
_HEADER: Final = struct.Struct(">B3xI")


class EngineApi:
    """Listens on a unix socket to which the VMM connects, and sends requests one at a time over that connection.

    Args:
        path: the socket to create.
        timeout_s: how long a request may take, up to the last byte of its answer. For the first one this includes the
            start of the engine.
    """

    def __init__(self, path: Path, *, timeout_s: float) -> None:
        self.path = path
        self._timeout_s = timeout_s
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self._listener.bind(str(path))
        self._listener.listen(1)
        self._peer: DeadlineSocket | None = None
        self._connection: http.client.HTTPConnection | None = None

    def call(self, method: str, path: str, body: object = None) -> Any:
        """Send a request with a JSON body, and return the decoded JSON answer; None if the answer is not JSON.

        Raises:
            LaunchError: the engine refused or did not answer in time, or the VM has ended.
        """
        data = None if body is None else json.dumps(body).encode("utf-8")
        answer = self._request(method, path, data, {"Content-Type": "application/json"} if data else {})
        if answer[:1] not in (b"{", b"["):
            return None
        try:
            return json.loads(answer)
        except (ValueError, RecursionError):
            raise LaunchError(
                f"the engine in the VM answered {method} {path.partition('?')[0]} with malformed JSON: {answer[:80]!r}",
                hint="the last output of the VM may say why",
            ) from None

    def upload(self, path: str, content: BinaryIO, length: int) -> bytes:
        """POST a tar archive of ``length`` bytes and return the answer. Raises LaunchError as ``call`` does."""
        headers = {"Content-Type": "application/x-tar", "Content-Length": str(length)}
        timeout_s = self._timeout_s + length / _SLOWEST_UPLOAD_BYTES_S
        return self._request("POST", path, content, headers, timeout_s=timeout_s)

    def logs(self, container: str) -> tuple[Clipped, Clipped]:
        """What a container has written to stdout and stderr so far. Of a long log, the beginning and the last lines.

        Raises:
            LaunchError: as ``call`` does.
        """
        path = f"/containers/{container}/logs?stdout=1&stderr=1&tail="
        # The last lines come first, since an answer that is too long ends the connection.
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
            # A response that was not read to its end keeps the socket open.
            self._peer.close()
        self._listener.close()
        self.path.unlink(missing_ok=True)

    def _request(
        self,
        method: str,
        path: str,
        body: bytes | BinaryIO | None,
        headers: dict[str, str],
        *,
        timeout_s: float | None = None,
    ) -> bytes:
        limit_s = self._timeout_s if timeout_s is None else timeout_s
        try:
            connection = self._connected(limit_s)
            connection.request(method, API + path, body=body, headers=headers)
            response = connection.getresponse()
            content = response.read(_LIMIT_BYTES)
            if not response.isclosed():
                raise http.client.IncompleteRead(content)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise LaunchError(
                f"the engine in the VM did not answer {method} {path.partition('?')[0]}: {_reason(error, limit_s)}",
                hint="the last output of the VM says why; an engine with too little memory ends like this",
            ) from None
        if not 200 <= response.status < 400:
            raise LaunchError(
                f"the engine in the VM refused {method} {path.partition('?')[0]} with status {response.status}: "
                f"{content[:500].decode(errors='replace').strip()}",
                hint="check whether the same image starts in the docker target",
            )
        return content

    def _connected(self, limit_s: float) -> http.client.HTTPConnection:
        """The connection, whose calls end ``limit_s`` from now. The first call waits for the VMM."""
        deadline_ns = deadline_after(limit_s)
        if self._connection is None:
            self._listener.settimeout(limit_s)
            accepted, _ = self._listener.accept()
            self._peer = DeadlineSocket(fileno=accepted.detach())
            self._connection = http.client.HTTPConnection("engine")
            self._connection.response_class = _Response
            # The VMM has connected already, so http.client must not connect by itself.
            self._connection.sock = self._peer
            self._connection.auto_open = 0
        if self._peer is not None:
            self._peer.deadline_ns = deadline_ns
        return self._connection


class _Response(http.client.HTTPResponse):
    """An answer that is refused when it says "continue": http.client skips such answers, however many come."""

    def _read_status(self) -> tuple[str, int, str]:
        version, status, reason = super()._read_status()  # type: ignore[misc]
        if status == http.client.CONTINUE:
            raise http.client.HTTPException("an answer with status 100 to a request that does not ask for it")
        return version, status, reason


def _reason(error: Exception, limit_s: float) -> str:
    if isinstance(error, TimeoutError):
        return f"the answer was not complete after {limit_s:g} s"
    return str(error) or type(error).__name__


def frames(raw: bytes) -> Iterator[tuple[int, memoryview]]:
    """The frames of a log: stream number (1 is stdout, 2 is stderr) and content. The last one may be incomplete."""
    view, at = memoryview(raw), 0
    while at + _HEADER.size <= len(view):
        stream, length = _HEADER.unpack_from(view, at)
        at += _HEADER.size
        yield stream, view[at : at + length]
        at += length


def _clipped(raw: bytes, *, whole: bool = True) -> tuple[Clipped, Clipped]:
    """Stdout and stderr from the frames of a log; ``whole`` says that the log has nothing before them."""
    stdout, stderr = Clip(), Clip()
    if not whole:
        stdout.skip()
        stderr.skip()
    for stream, content in frames(raw):
        if stream in (1, 2):
            (stdout if stream == 1 else stderr).add(content)
    return stdout.clipped(), stderr.clipped()
