"""A client of QEMU's monitor protocol, QMP. QEMU connects to our socket and answers one command at a time."""

from __future__ import annotations

import json
import socket
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
        self._rest = b""

    @property
    def argv(self) -> list[str]:
        """QEMU's arguments for this monitor."""
        return ["-chardev", f"socket,id=qmp,path={self.path}", "-mon", "chardev=qmp,mode=control"]

    def execute(self, command: str, **arguments: object) -> Any:
        """Run a command and return its result.

        Raises:
            LaunchError: QEMU does not run, refuses the command, or does not answer within 10 s.
        """
        if self._peer is None:
            self._accept()
        return self._ask(command, arguments)

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

    def _accept(self) -> None:
        self._listener.settimeout(_TIMEOUT_S)
        try:
            self._peer, _ = self._listener.accept()
        except OSError as error:
            raise _gone("the connection", error) from None
        self._peer.settimeout(_TIMEOUT_S)
        self._read(lambda message: "QMP" in message, "its greeting")
        self._ask("qmp_capabilities", {})

    def _ask(self, command: str, arguments: dict[str, object]) -> Any:
        request: dict[str, object] = {"execute": command}
        if arguments:
            request["arguments"] = arguments
        try:
            assert self._peer is not None
            self._peer.sendall(json.dumps(request).encode("ascii") + b"\n")
        except OSError as error:
            raise _gone(command, error) from None
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


def _gone(what: str, error: OSError | None) -> LaunchError:
    why = "it closed the monitor, or does not speak QMP" if error is None else str(error)
    return LaunchError(f"QEMU did not answer on its monitor ({what}): {why}", hint="look at the kept output of QEMU")
