"""Reach a Dask scheduler within a time limit.

Dask's own client waits without a limit for a server that accepts a connection and says nothing, and breaks on one that
speaks another protocol. So the scheduler's first message is awaited here before the client is made.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

_HEADER_BYTES: Final = 8
"""A message begins with its length, as an unsigned number of 64 bits."""
_MOST_GREETING: Final = 2**20
"""Bytes of a first message. It has some hundred."""


class NoAnswerError(Exception):
    """Nobody is there, or no scheduler."""


def is_address(text: str) -> bool:
    """Whether a text is ``tcp://HOST:PORT`` or ``tls://HOST:PORT``."""
    return text.startswith(("tcp://", "tls://")) and _place(text) is not None


def _place(address: str) -> tuple[str, int] | None:
    try:
        parts = urlsplit(address)
        return (parts.hostname, parts.port) if parts.hostname and parts.port else None
    except ValueError:
        return None


def await_greeting(address: str, timeout_s: float) -> None:
    """Wait for the first message of a scheduler. With TLS only its port is tried.

    Args:
        address: as ``is_address`` accepts it.

    Raises:
        NoAnswerError: the port is closed, nothing came in time, or what came is no message of Dask.
    """
    place = _place(address)
    if place is None:
        raise NoAnswerError("the address has no host or no port")
    try:
        with socket.create_connection(place, timeout=timeout_s) as connection:
            if address.startswith("tls://"):
                return
            header = b""
            while len(header) < _HEADER_BYTES:
                some = connection.recv(_HEADER_BYTES - len(header))
                if not some:
                    raise NoAnswerError("it ended the connection")
                header += some
    except TimeoutError:
        raise NoAnswerError("it said nothing") from None
    except OSError as error:
        raise NoAnswerError(error.strerror or str(error)) from None
    if not 0 < int.from_bytes(header, "little") <= _MOST_GREETING:
        raise NoAnswerError(f"what answers is no Dask scheduler: it says {header!r}")


def within(timeout_s: float, make: Callable[[], Any]) -> Any:
    """What a function returns, if it does so in time. Raises TimeoutError, or whatever the function raises.

    A function that takes longer is left alone in a thread that ends with the program.
    """
    found: list[Any] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            found.append(make())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(timeout_s)
    if failed:
        raise failed[0]
    if not found:
        raise TimeoutError
    return found[0]
