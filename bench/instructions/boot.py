"""One boot of a guest, and what it said: lines on a debug console, written by its PID 1."""

from __future__ import annotations

import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Final

from bench.agent.boxconf import decode_word
from bench.agent.protocol import Mark, parse_message
from bench.host.run_directory import LABEL, owned_dir, run_root
from bench.instructions.guest import CountingGuest
from bench.instructions.machine import boot_argv
from bench.instructions.model import Instant
from bench.util import proc
from bench.util.cache import start_over
from bench.util.clock import MonotonicClock
from bench.util.errors import LaunchError, NotReadyError, ProtocolError

TIMEOUT_S: Final = 900.0
"""For one boot, of the host's time: a loaded host needs several times what an idle one does."""
_LOOK_S: Final = 0.2
REPORT_BYTES: Final = 4 * 2**20
CLOCK_SLACK: Final = 1000
"""Instructions by which the distance of the guest's two clocks may vary: reading both takes some hundred."""


@dataclass
class GuestStart:
    """One start in a guest: instants by the machine's own counter."""

    name: str
    requested: int = 0
    marks: dict[str, int] = field(default_factory=dict)
    waited: int = 0

    @property
    def clock(self) -> int:
        """From request to ready."""
        return self.marks["ready"] - self.requested

    @property
    def steps(self) -> tuple[Instant, ...]:
        """Since the request, in order."""
        pairs = sorted(self.marks.items(), key=lambda pair: pair[1])
        return tuple(Instant(name=name, at=at - self.requested) for name, at in pairs)


def boot(guest: CountingGuest, cancelled: Event | None = None) -> tuple[GuestStart, ...]:
    """Boot a guest to its end.

    Args:
        cancelled: once set, by another thread, the guest is ended.

    Raises:
        LaunchError: QEMU failed, ran into the time limit, or the guest could not do what it was told.
        NotReadyError: the workload did not become ready.
        ProtocolError: what it said makes no sense.
    """
    name = f"{LABEL}-count-{secrets.token_hex(4)}"
    directory = run_root() / name
    with ExitStack() as stack:
        stack.enter_context(owned_dir(directory))
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        said, log = directory / "said", directory / "qemu.log"
        argv = boot_argv(name, guest.words, kernel=guest.kernel, initramfs=guest.initramfs, said=said)
        _run(argv, log, guest.target, cancelled or Event())
        return parse_report(guest.target, _read(said))


def _run(argv: list[str], log: Path, target: str, cancelled: Event) -> None:
    with log.open("wb") as stream:
        process = proc.spawn(argv, stdout=stream, stderr=subprocess.STDOUT)
        try:
            status = _wait(process, target, cancelled)
        finally:
            proc.stop(process)
    if status != 0:
        raise LaunchError(
            f"{target}: QEMU ended with {status}: {proc.tail(log.read_bytes())}", hint="is the host out of memory?"
        )


def _wait(process: subprocess.Popen[bytes], target: str, cancelled: Event) -> int:
    clock = MonotonicClock()
    deadline_ns = clock.now_ns() + round(TIMEOUT_S * 1e9)
    while clock.now_ns() < deadline_ns:
        with suppress(subprocess.TimeoutExpired):
            return process.wait(_LOOK_S)  # looking takes nothing from the guest's clock
        if cancelled.is_set():
            raise LaunchError(f"{target}: the guest was called off", hint="start again")
    raise LaunchError(f"{target}: the guest was still running after {TIMEOUT_S:g} s", hint="is this host very busy?")


def _read(said: Path) -> list[str]:
    with said.open("rb") as stream:
        return stream.read(REPORT_BYTES).decode("ascii", "replace").splitlines()


def parse_report(target: str, lines: list[str]) -> tuple[GuestStart, ...]:
    """The starts that a guest reported; raises as ``boot``."""
    reader = _Reader(target)
    for line in lines:
        reader.take(line)
    return reader.finished(lines)


class _Reader:
    def __init__(self, target: str) -> None:
        self.target = target
        self.started: list[GuestStart] = []
        self._offset: int | None = None
        self._init: int | None = None
        self._ended = False
        self._errors: list[str] = []

    def take(self, line: str) -> None:
        verb, _, rest = line.partition(" ")
        words = rest.split(" ")
        try:
            self._obey(verb, words, rest)
        except (ValueError, IndexError):
            raise ProtocolError(
                f"{self.target}: the guest's PID 1 said {line[:200]!r}",
                hint=f"was it our program? {start_over()}",
            ) from None

    def _obey(self, verb: str, words: list[str], rest: str) -> None:
        if verb == "request":
            self.started.append(GuestStart(rest))
        elif verb == "clock":
            self._compare_clocks(int(words[0]) - int(words[1]))
        elif verb == "waited":
            self.started[-1].waited = int(words[0])
        elif verb == "agent":
            self._agent(rest)
        elif verb == "mark":
            self._mark(words[0], int(words[1]))
        elif verb == "finished":
            self._ended = True

    def _mark(self, name: str, at: int) -> None:
        if name == "requested":
            self.started[-1].requested = at
            # A VM's first instant of its own is the kernel's end and PID 1's beginning.
            if at == 0 and self._init is not None:
                self.started[-1].marks["system"] = self._init
        elif not self.started:
            self._init = at
        else:
            self.started[-1].marks[name] = at

    def _compare_clocks(self, offset: int) -> None:
        if self._offset is None:
            self._offset = offset
        elif abs(offset - self._offset) > CLOCK_SLACK:
            raise ProtocolError(
                f"{self.target}: the guest's two clocks went apart by {offset - self._offset} instructions",
                hint="the guest kernel does not use the counter as it is; choose another with BOXBENCH_KERNEL",
            )

    def _agent(self, line: str) -> None:
        # What it says about the box as it sees it may be long, and is cut on its way.
        if line.startswith("BB1 error "):
            self._errors.append(decode_word(line.removeprefix("BB1 error ")))
        if not line.startswith("BB1 mark ") or self._offset is None:
            return
        message = parse_message(line.encode("ascii", "replace"))
        if isinstance(message, Mark):
            self.started[-1].marks[message.endpoint.value] = message.guest_ns + self._offset

    def finished(self, lines: list[str]) -> tuple[GuestStart, ...]:
        """All starts. Raises LaunchError or NotReadyError with what the guest said last."""
        errors = [line.removeprefix("error ") for line in lines if line.startswith("error ")]
        logged = list(_logged(lines))
        if errors or not self._ended:
            kind = NotReadyError if any("without being ready" in error for error in errors) else LaunchError
            what = "; ".join((*self._errors, *errors)) or "the machine ended before its script did"
            said = f"; it wrote: {' | '.join(logged[-5:])}" if logged else ""
            raise kind(
                f"{self.target}: in the guest: {_printable(what + said)}",
                hint="does the scenario run in a container here? `boxbench certify` shows it",
            )
        return tuple(self.started)


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _logged(lines: list[str]) -> Iterator[str]:
    for line in lines:
        if line.startswith("log ") and line[4:].strip():
            yield line[4:]
