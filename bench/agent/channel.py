"""The channel between agent and host: stamped messages from the agent, commands to it. One thread, no polling."""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

from bench.agent.protocol import MAX_LINE_BYTES, Message, parse_message
from bench.util.errors import ProtocolError
from bench.util.threads import WatchedThread

# A well-behaved box sends a few hundred lines. After so many messages the channel is no longer read.
MAX_MESSAGES: Final = 10_000

OnMessage = Callable[[Message | ProtocolError, int], None]
"""Called in the channel's thread, with the time in ns at which the bytes arrived, taken before the line was parsed."""


class ChannelEnds(Protocol):
    """The host's ends of a channel: one to read from the box, one to write to it."""

    def connect(self, cancel: int) -> int | None:
        """Block until the box is connected. Returns a descriptor to read from; None when ``cancel`` became readable."""

    def send(self, data: bytes) -> None:
        """Write to the box. Data is dropped when the box does not read."""

    def close(self) -> None:
        """Close both ends."""


def hand_over(path: Path, agent: int | None, *, everybody: int) -> None:
    """Make a file of ours usable by the agent, and by nobody else if possible.

    Args:
        agent: the agent's uid on this host. None: an engine maps it to a uid that we do not know, or we may not give
            files away. Then everybody may use the file who can reach it, which takes entering our run directory.
        everybody: the file's mode in that case.
    """
    if agent is None:
        path.chmod(everybody)
        return
    path.chmod(0o600)
    if agent != os.geteuid():
        os.chown(path, agent, -1)


class Fifos:
    """Two FIFOs in a directory that the box has mounted: ``events`` from the box, ``commands`` to it.

    Args:
        agent: the agent's uid, as for ``hand_over``. Whoever can write to them can command the agent.
    """

    def __init__(self, directory: Path, agent: int | None) -> None:
        self.directory = directory
        self._fds: list[int] = []
        for name in ("events", "commands"):
            path = directory / name
            os.mkfifo(path, 0o600)
            hand_over(path, agent, everybody=0o666)
            # Opened for reading and writing: open() does not block, and there is no end of file without a writer.
            self._fds.append(os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC))

    def connect(self, cancel: int) -> int | None:
        """Return the read end, which is open from the beginning."""
        del cancel
        return self._fds[0]

    def send(self, data: bytes) -> None:
        """Write a command. It is dropped when the FIFO is full, which only happens when the box has died."""
        with suppress(BlockingIOError):
            os.write(self._fds[1], data)

    def close(self) -> None:
        """Close both FIFOs. The owner of the directory removes the files."""
        while self._fds:
            os.close(self._fds.pop())


class ListeningSocket:
    """A Unix socket that the VMM connects to.

    Args:
        path: where the socket is made.
        on_connect: called when the VMM has connected, which proves that it runs.
    """

    def __init__(self, path: Path, on_connect: Callable[[], object]) -> None:
        self.path = path
        self._on_connect = on_connect
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self._listener.bind(str(path))
        self._listener.listen(1)
        self._peer: socket.socket | None = None

    def connect(self, cancel: int) -> int | None:
        """Wait for the VMM to connect."""
        poller = select.poll()
        poller.register(self._listener, select.POLLIN)
        poller.register(cancel, select.POLLIN)
        if any(fd == cancel for fd, _ in poller.poll()):
            return None
        self._peer, _ = self._listener.accept()
        self._on_connect()
        self._peer.setblocking(False)
        return self._peer.fileno()

    def send(self, data: bytes) -> None:
        """Write a command. It is dropped when the connection is closed or full."""
        if self._peer is not None:
            _send(self._peer, data)

    def close(self) -> None:
        """Close both sockets and remove the socket file."""
        if self._peer is not None:
            self._peer.close()
        self._listener.close()
        self.path.unlink(missing_ok=True)


class SocketPair:
    """Two connected sockets. A VMM inherits ``theirs`` as a descriptor; we close our copy of it when the VMM has it."""

    def __init__(self) -> None:
        self._ours, self.theirs = socket.socketpair()
        self._ours.setblocking(False)

    def connect(self, cancel: int) -> int | None:
        """Return our socket, which is connected from the beginning."""
        del cancel
        return self._ours.fileno()

    def send(self, data: bytes) -> None:
        """Write a command. It is dropped when the other end is closed or full."""
        _send(self._ours, data)

    def close(self) -> None:
        """Close both sockets."""
        self._ours.close()
        self.theirs.close()


class Channel:
    """Reads lines in a thread of its own, stamps each chunk on arrival and passes messages to ``on_message``.

    Args:
        on_error: called in the channel's thread when an error or too many messages have ended it; no message follows.
    """

    def __init__(
        self,
        ends: ChannelEnds,
        *,
        now_ns: Callable[[], int],
        on_message: OnMessage,
        on_error: Callable[[], object] = lambda: None,
    ) -> None:
        self._ends = ends
        self._now_ns = now_ns
        self._on_message = on_message
        self._on_error = on_error
        self._wake_r, self._wake_w = os.pipe2(os.O_CLOEXEC)
        self._seen = 0
        self._thread = WatchedThread(self._pump, name="boxbench-events", on_error=on_error)
        self._thread.start()

    def send(self, command: str) -> None:
        """Send a command line, without its newline, to the agent."""
        self._ends.send(command.encode("ascii") + b"\n")

    def close(self) -> None:
        """End the thread and close the ends. A second call does nothing.

        Raises:
            ThreadDiedError: an error had ended the thread before.
        """
        if self._wake_w < 0:
            return
        os.write(self._wake_w, b"x")
        self._thread.join()
        self._ends.close()
        os.close(self._wake_r)
        os.close(self._wake_w)
        self._wake_w = -1
        self._thread.check()

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
            # Bytes that have arrived are read before a request to close is obeyed, so that no message is lost.
            if any(number == fd for number, _ in ready):
                chunk = _read(fd)
                if chunk == b"":
                    return
                rest = self._parse_lines(rest + (chunk or b""), stamp)
                if chunk is None:
                    # The box can read its own FIFO and steal our bytes. Count that, so that a box cannot make us spin.
                    self._seen += 1
                if self._seen > MAX_MESSAGES:
                    self._on_message(_flooded(), stamp)
                    self._on_error()
                    return
            elif ready:
                return

    def _parse_lines(self, data: bytes, stamp_ns: int) -> bytes:
        """Pass on every whole line, and return the incomplete line at the end."""
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


def _send(peer: socket.socket, data: bytes) -> None:
    with suppress(BlockingIOError, BrokenPipeError, ConnectionResetError):
        peer.send(data)


def _flooded() -> ProtocolError:
    return ProtocolError(
        f"the channel of the box was closed after more than {MAX_MESSAGES} messages",
        hint="a program in the box writes to the agent's channel, or the exercise writes very many single lines",
    )


def _read(fd: int) -> bytes | None:
    """Read what has arrived. Empty at the end of the stream; None when another reader took it first."""
    try:
        return os.read(fd, 65536)
    except BlockingIOError:
        return None
    except ConnectionResetError:
        return b""
