"""Boots a guest and parses its report: the lines that its PID 1 writes to the debug console."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Final

from bench.agent.boxconf import decode_word
from bench.agent.protocol import Mark, parse_message
from bench.host.run_directory import new_tag, owned_dir, run_root
from bench.instructions.guest import CountingGuest
from bench.instructions.machine import boot_argv
from bench.instructions.model import Instant
from bench.util import proc
from bench.util.cache import start_over
from bench.util.clip import file_end
from bench.util.clock import MonotonicClock
from bench.util.errors import LaunchError, NotReadyError, ProtocolError
from bench.util.tree import remove_tree
from bench.util.units import format_bytes

TIMEOUT_S: Final = 900.0
"""Time limit of one boot on the host's clock. A loaded host needs several times as long as an idle one."""
_POLL_S: Final = 0.2
REPORT_BYTES: Final = 4 * 2**20
_MOST_TICKS: Final = 2**62
"""Above any count: differences of two such numbers still fit 64 bits."""
CLOCK_SLACK: Final = 1000
"""How much the difference of the guest's clocks may vary, in ticks. Reading both takes some hundred instructions."""


@dataclass
class GuestStart:
    """One start in a guest. All times are ticks of the machine's counter."""

    name: str
    requested: int = 0
    marks: dict[str, int] = field(default_factory=dict)
    waited: int = 0

    @property
    def clock(self) -> int:
        """Ticks from the request to ready."""
        return self.marks["ready"] - self.requested

    @property
    def inside(self) -> int | None:
        """Ticks from the workload's exec to ready; None when one of the two is missing."""
        return self.marks["ready"] - self.marks["exec"] if {"ready", "exec"} <= self.marks.keys() else None

    @property
    def steps(self) -> tuple[Instant, ...]:
        """All endpoints since the request, in order of time."""
        pairs = sorted(self.marks.items(), key=lambda pair: pair[1])
        return tuple(Instant(name=name, at=at - self.requested) for name, at in pairs)


def boot(guest: CountingGuest, cancelled: Event | None = None) -> tuple[GuestStart, ...]:
    """Boot a guest, wait for its end and return the starts that it reported.

    Args:
        cancelled: another thread sets it to end the guest.

    Raises:
        LaunchError: QEMU failed or reached the time limit, or a directive of the guest's script failed.
        NotReadyError: the workload did not become ready.
        ProtocolError: the guest's report cannot be parsed.
    """
    name = new_tag("count")
    directory = run_root() / name
    with ExitStack() as stack:
        stack.enter_context(owned_dir(directory))
        stack.callback(remove_tree, directory)
        report, log = directory / "report", directory / "qemu.log"
        argv = boot_argv(name, guest.words, kernel=guest.kernel, initramfs=guest.initramfs, report=report)
        _run(argv, log, guest.target, cancelled or Event(), report=report)
        return parse_report(guest.target, _read(report))


def _run(argv: list[str], log: Path, target: str, cancelled: Event, *, report: Path) -> None:
    with log.open("wb") as stream:
        process = proc.spawn(argv, stdout=stream, stderr=subprocess.STDOUT, keep=proc.QEMU_VARIABLES)
        try:
            status = _wait(process, target, cancelled, report=report)
        finally:
            proc.stop(process)
    if status != 0:
        raise LaunchError(
            f"{target}: QEMU ended with {status}: {proc.tail(file_end(log, proc.TAIL_BYTES))}",
            hint="check that the host has free memory",
        )


def _wait(process: subprocess.Popen[bytes], target: str, cancelled: Event, *, report: Path) -> int:
    clock = MonotonicClock()
    deadline_ns = clock.now_ns() + round(TIMEOUT_S * 1e9)
    while clock.now_ns() < deadline_ns:
        with suppress(subprocess.TimeoutExpired):
            return process.wait(_POLL_S)  # polling does not affect the guest's clock
        _check_size(report, target)
        if cancelled.is_set():
            raise LaunchError(f"{target}: the guest was cancelled", hint="run it again")
    raise LaunchError(
        f"{target}: the guest was still running after {TIMEOUT_S:g} s", hint="run it again when the host is less busy"
    )


def _check_size(report: Path, target: str) -> None:
    """Raise ProtocolError when a report is too long: the guest can write any, and it is the host's memory."""
    if report.exists() and report.stat().st_size > REPORT_BYTES:
        raise ProtocolError(
            f"{target}: the guest was ended, since it wrote more than {format_bytes(REPORT_BYTES)} to its report "
            f"{report}",
            hint="only the guest's PID 1 writes reports; look for a program that writes to the port 0xe9",
        )


def _read(report: Path) -> list[str]:
    with report.open("rb") as stream:
        return stream.read(REPORT_BYTES).decode("ascii", "replace").splitlines()


def parse_report(target: str, lines: list[str]) -> tuple[GuestStart, ...]:
    """The starts in the lines of a guest's report. Raises as ``boot``."""
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
                f"{self.target}: the guest's PID 1 reported {line[:200]!r}, which is not a line of its protocol",
                hint=start_over(),
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
            # A VM's first endpoint is the moment when the kernel has started PID 1.
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
                f"{self.target}: the guest's two clocks drifted apart by {offset - self._offset} instructions",
                hint="the guest kernel scales the time stamp counter; choose another kernel with BOXBENCH_KERNEL",
            )

    def _agent(self, line: str) -> None:
        # Other lines, such as facts, can be too long for the console and be cut.
        if line.startswith("BB1 error "):
            self._errors.append(decode_word(line.removeprefix("BB1 error ")))
        if not line.startswith("BB1 mark ") or self._offset is None:
            return
        message = parse_message(line.encode("ascii", "replace"))
        if isinstance(message, Mark):
            self.started[-1].marks[message.endpoint.value] = message.guest_ns + self._offset

    def finished(self, lines: list[str]) -> tuple[GuestStart, ...]:
        """All starts. Raises LaunchError or NotReadyError with the guest's errors and the end of its log."""
        errors = [line.removeprefix("error ") for line in lines if line.startswith("error ")]
        logged = list(_logged(lines))
        if errors or not self._ended:
            kind = NotReadyError if any("without being ready" in error for error in errors) else LaunchError
            what = "; ".join((*self._errors, *errors)) or "the machine ended before its script did"
            log = f"; its log ends with: {' | '.join(logged[-5:])}" if logged else ""
            raise kind(
                f"{self.target}: in the guest: {_printable(what + log)}",
                hint="check with `boxbench certify` that the scenario runs in a container on this host",
            )
        for start in self.started:
            self._check_times(start)
        return tuple(self.started)

    def _check_times(self, start: GuestStart) -> None:
        """Raise NotReadyError or ProtocolError. The guest runs the workload: its report is not trusted."""
        name = _printable(start.name[:80])
        if "ready" not in start.marks:
            raise NotReadyError(
                f"{self.target}: the guest's script ended, but its report has no moment at which the {name} start was "
                "ready",
                hint="check with `boxbench certify` that the scenario runs in a container on this host",
            )
        ticks = (start.requested, start.waited, *start.marks.values())
        if max(map(abs, ticks)) > _MOST_TICKS or not 0 <= start.waited < start.clock:
            raise ProtocolError(
                f"{self.target}: the report of the {name} start has impossible times: {start.clock} ticks from the "
                f"request to ready, of which {start.waited} were idle",
                hint=start_over(),
            )


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _logged(lines: list[str]) -> Iterator[str]:
    for line in lines:
        if line.startswith("log ") and line[4:].strip():
            yield line[4:]
