"""A client of QEMU's monitor protocol, QMP. QEMU connects to our socket and answers one command at a time."""

from __future__ import annotations

import json
import os
import select
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from bench.util.errors import LaunchError

_LIMIT_BYTES: Final = 1 << 20
_TIMEOUT_S: Final = 10.0


class Monitor:
    """A monitor. It listens from the start, so that no polling is needed until QEMU is there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self._listener.bind(str(path))
        self._listener.listen(1)
        self._peer: socket.socket | None = None
        # A box may be ended by another thread than the one that starts it.
        self._lock = threading.Lock()
        self._rest = b""

    @property
    def argv(self) -> list[str]:
        """QEMU's arguments for this monitor."""
        return ["-chardev", f"socket,id=qmp,path={self.path}", "-mon", "chardev=qmp,mode=control"]

    def first_answer(self, command: str, pid: int, *, patience_s: float) -> Any:
        """Wait until a QEMU that is starting has answered its first command.

        The command is sent before QEMU can read it, so that a QEMU that is ready waits for one answer of ours only.

        Args:
            pid: QEMU's pid; its end ends the wait.

        Raises:
            LaunchError: it has ended, refuses the command, or does not answer within ``patience_s``.
        """
        with self._lock:
            self._await_peer(pid, patience_s)
            self._accept(patience_s, first=command)
            return self._answer(command)

    def execute(self, command: str, **arguments: object) -> Any:
        """Run a command and return its result. Threads take turns.

        Raises:
            LaunchError: QEMU does not run, refuses the command, or does not answer within 10 s.
        """
        with self._lock:
            if self._peer is None:
                self._accept(_TIMEOUT_S)
            self._send(command, arguments)
            return self._answer(command)

    def quit(self) -> bool:
        """Ask QEMU to exit. False when it cannot be asked."""
        try:
            self.execute("quit")
        except LaunchError:
            return False
        return True

    def close(self) -> None:
        """Close both sockets and remove the path."""
        if self._peer is not None:
            self._peer.close()
        self._listener.close()
        self.path.unlink(missing_ok=True)

    def _await_peer(self, pid: int, patience_s: float) -> None:
        try:
            pidfd = os.pidfd_open(pid)
        except ProcessLookupError:
            raise _ended() from None
        poller = select.poll()
        poller.register(self._listener, select.POLLIN)
        poller.register(pidfd, select.POLLIN)
        try:
            ready = [fd for fd, _ in poller.poll(patience_s * 1000)]
        finally:
            os.close(pidfd)
        if ready == [pidfd]:
            raise _ended()

    def _accept(self, patience_s: float, *, first: str | None = None) -> None:
        self._listener.settimeout(patience_s)
        try:
            self._peer, _ = self._listener.accept()
            self._peer.settimeout(patience_s)
        except OSError as error:
            raise _gone("the connection", error) from None
        for command in filter(None, ("qmp_capabilities", first)):
            self._send(command, {})
        self._read(lambda message: "QMP" in message, "its greeting")
        self._answer("qmp_capabilities")
        self._peer.settimeout(_TIMEOUT_S)

    def _send(self, command: str, arguments: dict[str, object]) -> None:
        request: dict[str, object] = {"execute": command}
        if arguments:
            request["arguments"] = arguments
        try:
            assert self._peer is not None
            self._peer.sendall(json.dumps(request).encode("ascii") + b"\n")
        except OSError as error:
            raise _gone(command, error) from None

    def _answer(self, command: str) -> Any:
        answer = self._read(lambda message: "return" in message or "error" in message, command)
        if "error" in answer:
            refusal = answer["error"]
            said = refusal.get("desc") if isinstance(refusal, dict) else refusal
            raise LaunchError(
                f"QEMU refused the monitor command {command}: {said}",
                hint="check the version of QEMU",
            )
        return answer["return"]

    def _read(self, wanted: Callable[[dict[str, Any]], bool], what: str) -> dict[str, Any]:
        """The next message for which ``wanted`` is true. Other messages are dropped."""
        assert self._peer is not None
        while True:
            line, newline, rest = self._rest.partition(b"\n")
            if newline:
                self._rest = rest
                message = _parsed(line)
                if message is None:
                    raise _gone(what, None)
                if wanted(message):
                    return message
                continue
            try:
                chunk = self._peer.recv(65536)
            except OSError as error:
                raise _gone(what, error) from None
            if not chunk or len(self._rest) > _LIMIT_BYTES:
                raise _gone(what, None)
            self._rest += chunk


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return message if isinstance(message, dict) else None


def _ended() -> LaunchError:
    return LaunchError("QEMU ended before its monitor answered", hint="look at the kept output of QEMU")


def _gone(what: str, error: OSError | None) -> LaunchError:
    why = "it closed the monitor, or does not speak QMP" if error is None else str(error)
    return LaunchError(f"QEMU did not answer on its monitor ({what}): {why}", hint="look at the kept output of QEMU")
