"""The agent and the counting guest's clients, as C programs that stop at a wrong memory access or undefined behaviour.

The agent runs in a root of its own, as in a box, with its configuration and its commands through real files and FIFOs.
The programs are built once, in a directory that lives as long as this process.
"""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from bench.agent.boxconf import BoxConfig, HealthCheck, render_boxconf
from bench.agent.compile import FLAGS, compile_program, program_sources
from bench.agent.protocol import parse_message
from bench.engines.wire import message
from bench.scenario.readiness import (
    Ready,
    ReadyExit,
    ReadyFirstLine,
    ReadyHealthcheck,
    ReadyHttp,
    ReadyLog,
    ReadyTcp,
)
from bench.util import proc
from bench.util.errors import BoxbenchError, ProtocolError
from tests.fuzz import mutate
from tests.fuzz.reader import Reader, RefusedError, ResourceError
from tests.fuzz.wire import Served, engine_answers, grpc_answers

_CHECKED: Final = ("-std=gnu11", "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
_FAULT: Final = 99
# Leaks are not looked for: that needs /proc, which the agent's own root lacks, and all memory of the agent is static.
_OPTIONS: Final = {
    "ASAN_OPTIONS": f"exitcode={_FAULT}:symbolize=0:detect_leaks=0",
    "UBSAN_OPTIONS": f"exitcode={_FAULT}",
}
_REFUSED: Final = 3
_PATIENCE_S: Final = 60.0
_DRIVER: Final = Path(__file__).with_name("counter_driver.c")
_COUNTER: Final = ("counter/grpc.c", "counter/socket.c", "counter/system.c")
# Workloads of the agent: one that ends at once, and one that stays.
_WORKLOADS: Final = {
    "true": b"int main(void) { return 0; }\n",
    "stay": b"#include <unistd.h>\nint main(void) { for (;;) pause(); }\n",
}
_NOBODY: Final = 65534


@dataclass(frozen=True)
class _Programs:
    """Where the programs are; the directory is removed when ``place`` is."""

    place: tempfile.TemporaryDirectory[str]

    def path(self, name: str) -> Path:
        return Path(self.place.name, name)


@cache
def _built() -> _Programs:
    """All programs. Raises ProcessError: the compiler lacks the checks or the static C library."""
    made = _Programs(tempfile.TemporaryDirectory(prefix="boxbench-fuzz-"))
    sources = program_sources("bench.agent", "boxinit")
    compile_program("gcc", sources, made.path("boxinit"), flags=_CHECKED)
    for name, source in _WORKLOADS.items():
        compile_program("gcc", {f"{name}.c": source}, made.path(name), flags=FLAGS)
    counter = program_sources("bench.instructions", "counter")
    units = {
        path: content
        for path, content in counter.items()
        if path.endswith(".h") or path in _COUNTER or path.startswith("shared/")
    }
    units[_DRIVER.name] = _DRIVER.read_bytes()
    compile_program("gcc", units, made.path("counter"), flags=_CHECKED)
    return made


@cache
def _why_not_built() -> str | None:
    if shutil.which("gcc") is None:
        return "there is no gcc"
    try:
        _built()
    except BoxbenchError as error:
        return f"gcc cannot build programs that check themselves: {error.message}"
    return None


def _why_no_agent() -> str | None:
    return "the agent enters a root of its own, which needs root" if os.geteuid() != 0 else _why_not_built()


def _config(*argv: str) -> BoxConfig:
    env = ("PATH=/", "GREETING=hello world")
    check = HealthCheck(("/true", "a b", "%"), 1000)
    return BoxConfig(argv or ("/true",), env, "/", _NOBODY, _NOBODY, (_NOBODY,), "nobody", 15, check)


_READY: Final[tuple[Ready | None, ...]] = (
    None,
    ReadyFirstLine(when="first-line"),
    ReadyLog(when="log", text="ready now"),
    ReadyExit(when="exit", code=0),
    ReadyTcp(when="tcp", port=80),
    ReadyHttp(when="http", port=80, path="/up", status=204, contains="ok"),
    ReadyHealthcheck(when="healthcheck", poll=10**6),
)


@cache
def _configurations() -> tuple[bytes, ...]:
    return tuple(render_boxconf(_config("/true", "a b", "%"), ready) for ready in _READY)


class _Agent:
    """A checked agent in a tree of its own, and what it says."""

    def __init__(self, tree: Path, conf: bytes) -> None:
        channel = tree / "ch"
        shutil.rmtree(tree, ignore_errors=True)
        channel.mkdir(parents=True)
        for name in _WORKLOADS:
            shutil.copy(_built().path(name), tree / name)
        for name in ("events", "commands"):
            os.mkfifo(channel / name)
        (channel / "box.conf").write_bytes(conf)
        self._events = os.open(channel / "events", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self._commands = os.open(channel / "commands", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self._said = b""
        argv = [str(_built().path("boxinit")), "--chroot", str(tree), "run", "/ch"]
        self._errors = tree.with_name("stderr")
        with self._errors.open("wb") as errors:
            self.process = proc.spawn(argv, stdout=subprocess.DEVNULL, stderr=errors, env=_OPTIONS)

    def tell(self, data: bytes) -> None:
        """Write to the FIFO while the agent reads it."""
        while data and self.process.poll() is None:
            self._wait(write=True)
            try:
                data = data[os.write(self._commands, data[:4096]) :]
            except BlockingIOError:
                continue

    def wait_for(self, answer: bytes | None) -> None:
        """Read until the agent has sent a line with ``answer`` or has ended."""
        while self.process.poll() is None and (answer is None or answer not in self._said):
            self._wait()
        self._read()

    def _wait(self, *, write: bool = False) -> None:
        ended = os.pidfd_open(self.process.pid)
        try:
            poller = select.poll()
            poller.register(ended, select.POLLIN)
            poller.register(self._events, select.POLLIN)
            if write:
                poller.register(self._commands, select.POLLOUT)
            ready = poller.poll(_PATIENCE_S * 1000)
        finally:
            os.close(ended)
        if not ready:
            raise ResourceError(f"the agent did nothing for {_PATIENCE_S:g} s")
        self._read()

    def _read(self) -> None:
        while True:
            try:
                self._said += os.read(self._events, 65536)
            except BlockingIOError:
                return

    def close(self) -> None:
        """End it and close both FIFOs."""
        proc.stop(self.process)
        self._read()
        os.close(self._events)
        os.close(self._commands)

    def errors(self) -> str:
        """Its standard error. Raises AssertionError when it noticed a fault of its own, or a signal ended it."""
        errors = self._errors.read_text(encoding="utf-8", errors="replace")
        code = self.process.returncode
        fault = code == _FAULT or code < 0 or "Sanitizer" in errors or "runtime error" in errors
        assert not fault, f"a fault of the agent, status {code}: {errors[:3000]}"
        return errors

    def messages(self) -> None:
        """Every line that the agent sent is a message of its protocol."""
        for line in self._said.split(b"\n")[:-1]:
            try:
                parse_message(line)
            except ProtocolError as error:
                # A ping is answered with whatever its line held.
                if not line.startswith(b"BB1 pong "):
                    raise AssertionError(f"the agent sent a line that is no message: {line[:200]!r}") from error


@contextmanager
def _agent(scratch: Path, conf: bytes) -> Iterator[_Agent]:
    agent = _Agent(scratch / "tree", conf)
    try:
        yield agent
    finally:
        agent.close()


def _check_configuration(data: bytes, scratch: Path) -> None:
    with _agent(scratch, data) as agent:
        agent.wait_for(None)
    errors = agent.errors()
    agent.messages()
    if "boxinit: " in errors:
        raise RefusedError(errors.partition("boxinit: ")[2].strip() or "?", hint="the agent's own error")


_COMMANDS: Final = (
    b"ping a\nfacts\nping b\n",
    b"exercise 5000 /true x%20y\nping a\n",
    b"digest dev proc etc/ lost%2Bfound\nping a\n",
    b"flush 2\nping a\n",
    b"exercise 100 /stay\nping a\nexercise 100 /missing\n",
)


def _check_commands(data: bytes, scratch: Path) -> None:
    """Whatever was written, the agent still answers, unless it was asked to stop."""
    with _agent(scratch, render_boxconf(_config("/stay"), None)) as agent:
        # The line before may be cut off.
        agent.tell(data + b"\nping fuzz-end\n")
        agent.wait_for(b"BB1 pong fuzz-end\n")
        agent.tell(b"stop\n")
        agent.wait_for(None)
    agent.errors()
    agent.messages()


def _check_counter(scratch: Path, data: bytes, *words: str) -> None:
    path = scratch / "socket"
    with Served(path, data):
        argv = [str(_built().path("counter")), words[0], str(path), *words[1:]]
        done = proc.run(argv, timeout_s=_PATIENCE_S, check=False, env=_OPTIONS)
    if done.returncode == _REFUSED:
        text = done.stderr.decode("utf-8", "replace")
        raise RefusedError(text.removeprefix("error ").strip() or "?", hint="the guest's own error")
    assert done.returncode == 0, f"status {done.returncode}: {done.stderr[:3000].decode('utf-8', 'replace')}"


def _check_counter_grpc(data: bytes, scratch: Path) -> None:
    names = ("snapshot", "container", "task")
    for name in names:
        (scratch / name).write_bytes(b"message")
        (scratch / f"{name}.head").write_bytes(b"head")
    _check_counter(scratch, data, "grpc", *(str(scratch / name) for name in names))


def _check_counter_http(data: bytes, scratch: Path) -> None:
    _check_counter(scratch, data, "http")


@cache
def _calls() -> tuple[bytes, ...]:
    """The answers to three calls on one connection."""
    mounts = message({1: [message({1: "overlay", 2: "overlay", 4: [b"upperdir=/a"]})] * 2})
    return (grpc_answers((mounts, "0"), (b"", "0"), (message({2: 7}), "0")),)


READERS: Final = (
    Reader(
        "agent.conf",
        _configurations,
        mutate.mixed(mutate.text, mutate.lines),
        _check_configuration,
        share=1,
        host=True,
        why_not=_why_no_agent,
    ),
    Reader(
        "agent.commands",
        lambda: _COMMANDS,
        mutate.mixed(mutate.text, mutate.lines),
        _check_commands,
        share=1,
        host=True,
        why_not=_why_no_agent,
    ),
    Reader("counter.grpc", _calls, mutate.text, _check_counter_grpc, share=1, host=True, why_not=_why_not_built),
    Reader(
        "counter.http", engine_answers, mutate.text, _check_counter_http, share=1, host=True, why_not=_why_not_built
    ),
)
