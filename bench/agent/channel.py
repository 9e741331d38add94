"""The event channel: bytes from the agent to stamped messages, and commands back. One thread, no polling."""

from __future__ import annotations

import os
import select
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

from bench.agent.protocol import MAX_LINE_BYTES, Message, parse_message
from bench.util.errors import ProtocolError

# A box that floods its channel is cut off; a well-behaved one sends some hundred lines.
MAX_MESSAGES: Final = 10_000

OnMessage = Callable[[Message | ProtocolError, int], None]
"""Called in the channel's thread with the stamp, ns, taken before the line was parsed."""


class ChannelEnds(Protocol):
    """How the two ends meet. ``connect`` blocks until the box is there, or ``cancel`` becomes readable."""

    def connect(self, cancel: int) -> int | None:
        """A file descriptor to read from, or None when cancelled."""

    def send(self, data: bytes) -> None:
        """Write to the box."""

    def close(self) -> None:
        """Close everything and remove what was made."""


class Fifos:
    """Two FIFOs in a directory that the box sees: ``events`` from it, ``commands`` to it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._fds: list[int] = []
        for name in ("events", "commands"):
            path = directory / name
            os.mkfifo(path)
            # The workload's user writes here, whoever that is; umask must not decide.
            path.chmod(0o666)
            # Open for reading and writing: no opening blocks, and no end of file while nobody writes.
            self._fds.append(os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC))

    def connect(self, cancel: int) -> int | None:
        """The read end; there from the start."""
        del cancel
        return self._fds[0]

    def send(self, data: bytes) -> None:
        """Write a command; lost when the FIFO is full, which only a dead box lets happen."""
        with suppress(BlockingIOError):
            os.write(self._fds[1], data)

    def close(self) -> None:
        """Close both; the directory's owner removes the files."""
        while self._fds:
            os.close(self._fds.pop())


class ListeningSocket:
    """A unix socket that the VMM connects to: the connection itself says that the VMM lives."""

    def __init__(self, path: Path, on_connect: Callable[[], object]) -> None:
        self.path = path
        self._on_connect = on_connect
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self._listener.bind(str(path))
        self._listener.listen(1)
        self._peer: socket.socket | None = None

    def connect(self, cancel: int) -> int | None:
        """Wait for the VMM."""
        poller = select.poll()
        poller.register(self._listener, select.POLLIN)
        poller.register(cancel, select.POLLIN)
        if any(fd == cancel for fd, _ in poller.poll()):
            return None
        peer, _ = self._listener.accept()
        self._on_connect()
        peer.setblocking(False)
        self._peer = peer
        return peer.fileno()

    def send(self, data: bytes) -> None:
        """Write a command; a closed or full connection takes nothing."""
        if self._peer is not None:
            with suppress(BlockingIOError, BrokenPipeError, ConnectionResetError):
                self._peer.send(data)

    def close(self) -> None:
        """Close both sockets and remove the path."""
        if self._peer is not None:
            self._peer.close()
        self._listener.close()
        self.path.unlink(missing_ok=True)


class Channel:
    """Reads lines in its own thread, stamps each chunk as it arrives, hands messages on."""

    def __init__(self, ends: ChannelEnds, *, now_ns: Callable[[], int], on_message: OnMessage) -> None:
        self._ends = ends
        self._now_ns = now_ns
        self._on_message = on_message
        self._wake_r, self._wake_w = os.pipe2(os.O_CLOEXEC)
        self._seen = 0
        self._thread = threading.Thread(target=self._pump, name="boxbench-events", daemon=True)
        self._thread.start()

    def send(self, command: str) -> None:
        """A command line to the agent."""
        self._ends.send(command.encode("ascii") + b"\n")

    def close(self) -> None:
        """End the thread and close the ends; safe to call twice."""
        if self._wake_w < 0:
            return
        os.write(self._wake_w, b"x")
        self._thread.join()
        self._ends.close()
        os.close(self._wake_r)
        os.close(self._wake_w)
        self._wake_w = -1

    def _pump(self) -> None:
        fd = self._ends.connect(self._wake_r)
        if fd is None:
            return
        poller = select.poll()
        poller.register(fd, select.POLLIN)
        poller.register(self._wake_r, select.POLLIN)
        rest = b""
        while True:
            ready = poller.poll()
            stamp = self._now_ns()
            # What has arrived is taken before a request to close is obeyed, so that no last word is lost.
            if any(number == fd for number, _ in ready):
                chunk = _read(fd)
                if chunk == b"":
                    return
                rest = self._take(rest + (chunk or b""), stamp)
                # Taken by another reader, as the box can be one: no message, and no reason to look for ever.
                self._seen += chunk is None
                if self._seen > MAX_MESSAGES:
                    self._on_message(_cut_off(), stamp)
                    return
            elif ready:
                return

    def _take(self, data: bytes, stamp_ns: int) -> bytes:
        *lines, rest = data.split(b"\n")
        if len(rest) > MAX_LINE_BYTES:
            lines.append(rest)
            rest = b""
        for line in lines:
            self._seen += 1
            try:
                message: Message | ProtocolError = parse_message(line)
            except ProtocolError as error:
                message = error
            self._on_message(message, stamp_ns)
        return rest


def _cut_off() -> ProtocolError:
    return ProtocolError(
        f"the box was cut off: more than {MAX_MESSAGES} messages came through its event channel",
        hint="something in the box writes to the agent's channel, or its exercise writes very many lines, one by one",
    )


def _read(fd: int) -> bytes | None:
    """What is there; empty at the end, None where nothing is there after all."""
    try:
        return os.read(fd, 65536)
    except BlockingIOError:
        return None
    except ConnectionResetError:
        return b""
