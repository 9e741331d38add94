"""Sockets of ours that a VMM connects its character devices to, watched for one word."""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from bench.agent.channel import ListeningSocket

_KEEP_BYTES: Final = 256


class MarkerSocket(ListeningSocket):
    """An agentless box's channel: the VMM connects, then its guest says one word. No message ever comes."""

    def __init__(
        self, path: Path, on_connect: Callable[[], object], word: bytes, on_word: Callable[[], object]
    ) -> None:
        super().__init__(path, on_connect)
        self._word = word
        self._on_word = on_word

    def connect(self, cancel: int) -> None:
        """Wait for the VMM, then for the word."""
        fd = super().connect(cancel)
        if fd is not None and _await_word(fd, cancel, self._word):
            self._on_word()


class ConsoleWatch:
    """A guest's serial console: tells when a word first comes, and reads the rest away, so that no guest waits."""

    def __init__(self, path: Path, word: bytes, on_word: Callable[[], object]) -> None:
        self._ends = ListeningSocket(path, lambda: None)
        self._word = word
        self._on_word = on_word
        self._cancel_r, self._cancel_w = os.pipe2(os.O_CLOEXEC)
        self._thread = threading.Thread(target=self._watch, name="boxbench-console", daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        fd = self._ends.connect(self._cancel_r)
        if fd is None:
            return
        if _await_word(fd, self._cancel_r, self._word):
            self._on_word()
        while _next_chunk(fd, self._cancel_r):
            pass

    def close(self) -> None:
        """End the thread, close the socket."""
        os.write(self._cancel_w, b"x")
        self._thread.join()
        self._ends.close()
        os.close(self._cancel_r)
        os.close(self._cancel_w)


def _await_word(fd: int, cancel: int, word: bytes) -> bool:
    seen = b""
    while True:
        chunk = _next_chunk(fd, cancel)
        if not chunk:
            return False
        seen = (seen + chunk)[-max(_KEEP_BYTES, len(chunk) + len(word)) :]
        if word in seen:
            return True


def _next_chunk(fd: int, cancel: int) -> bytes:
    """What comes next; empty at the end, or when cancelled."""
    poller = select.poll()
    poller.register(fd, select.POLLIN)
    poller.register(cancel, select.POLLIN)
    ready = [number for number, _ in poller.poll()]
    if fd not in ready:
        return b""
    try:
        return os.read(fd, 65536)
    except (ConnectionResetError, BlockingIOError):
        return b""
