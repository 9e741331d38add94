"""The lines that the agent sends, parsed into messages. They are untrusted input: bounded and checked."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from bench.agent.boxconf import decode_bytes, decode_word
from bench.records.record import Endpoint
from bench.util.errors import ProtocolError
from bench.util.units import decode_number

MAX_LINE_BYTES: Final = 4096
MAGIC: Final = "BB1"
MOST_TOKEN_CHARACTERS: Final = 64
"""The longest token of a ping; ours have 8 characters at most."""
CUT: Final = ".cut"
"""Suffix of a fact's key when its value was too long for a line and was cut."""
# Keys are percent-encoded, since names of environment variables are part of them.
_KEY: Final = re.compile(r"[A-Za-z0-9_./:=,@+%-]{1,400}")
_TOO_LARGE: Final = 2**53
"""Larger than any count or time of a health check: a record could not hold its thousandfold."""
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
AGENT_MARKS: Final = frozenset(
    {Endpoint.INIT, Endpoint.ROOT, Endpoint.EXEC, Endpoint.LISTENING, Endpoint.READY, Endpoint.REPLIED}
)


@dataclass(frozen=True)
class Mark:
    """An endpoint was passed. ``guest_ns`` is the time on the box's own CLOCK_MONOTONIC."""

    endpoint: Endpoint
    guest_ns: int


@dataclass(frozen=True)
class Exit:
    """The workload has ended: exit code, signal (0: none) and resource usage of its process."""

    code: int
    signal: int
    user_us: int
    system_us: int
    max_rss_kib: int
    guest_ns: int

    @property
    def status(self) -> int:
        """The exit status as a shell reports it: 128 + signal when a signal ended the workload."""
        return 128 + self.signal if self.signal else self.code


@dataclass(frozen=True)
class ReportedFact:
    """A property of the box as the agent sees it from inside, such as ``cpus`` or ``env.PATH``."""

    key: str
    value: str


@dataclass(frozen=True)
class FactsEnd:
    """All facts have been sent."""


@dataclass(frozen=True)
class Pong:
    """The answer to a ping with the same token."""

    token: str


@dataclass(frozen=True)
class HealthReport:
    """How a health check ended: one that failed in another way than the one before it, or the one that passed."""

    code: int
    signal: int
    limit_passed: bool
    """It took longer than its limit and was killed."""
    attempts: int
    """How many checks have ended so far, this one included."""
    cpu_us: int
    """CPU time of all of them."""
    unseen_ns: int
    """Time since the check before this one began: so long the workload may have been ready unseen."""
    line: str
    """The last line of its output."""


@dataclass(frozen=True)
class TreeDigest:
    """The digest of the box's tree as ``bench.image.archive.tree_digest`` defines it: 64 hexadecimal digits."""

    hexadecimal: str


@dataclass(frozen=True)
class AgentError:
    """The agent failed to do something; ``text`` is for people."""

    text: str


@dataclass(frozen=True)
class ExerciseStart:
    """The exercise's command is about to be executed."""

    guest_ns: int


@dataclass(frozen=True)
class ExerciseOutput:
    """A piece of the exercise's output. ``stream`` is ``stdout`` or ``stderr``."""

    stream: str
    data: bytes


@dataclass(frozen=True)
class ExerciseExit:
    """The exercise has ended: exit code, signal (0: none), and resource usage with the children that it waited for."""

    code: int
    signal: int
    user_us: int
    system_us: int
    max_rss_kib: int
    limit_passed: bool
    """Whether the agent killed it at its time limit."""
    guest_ns: int


@dataclass(frozen=True)
class ExerciseEnd:
    """The exercise's output has been sent, up to the limit. The numbers count all bytes that it wrote."""

    stdout_bytes: int
    stderr_bytes: int


ExerciseMessage = ExerciseStart | ExerciseOutput | ExerciseExit | ExerciseEnd
Message = Mark | Exit | ReportedFact | FactsEnd | Pong | HealthReport | TreeDigest | AgentError | ExerciseMessage


def parse_message(line: bytes) -> Message:
    """Parse one line, without its newline.

    Raises:
        ProtocolError: it is not a message. The error shows the start of the line, with unprintable bytes escaped.
    """
    try:
        words = line.decode("ascii").split(" ")
        if len(line) <= MAX_LINE_BYTES and words[0] == MAGIC:
            return _PARSERS[words[1]](words[2:])
    except (UnicodeDecodeError, LookupError, ValueError):
        pass
    raise ProtocolError(
        f"the event channel carried a line that is not a message: {line[:80]!r}",
        hint="a program in the box writes to the agent's channel; look at the stored output of the trial",
    )


def _int(word: str) -> int:
    number = decode_number(word)
    if number is None:
        raise ValueError(word)
    return number


def _mark(words: list[str]) -> Message:
    name, stamp = words
    endpoint = Endpoint(name)
    if endpoint not in AGENT_MARKS:
        raise ValueError(name)
    return Mark(endpoint, _int(stamp))


def _exit(words: list[str]) -> Message:
    code, signal, user, system, rss, stamp = (_int(word) for word in words)
    return Exit(code, signal, user, system, rss, stamp)


def _fact(words: list[str]) -> Message:
    key, value = words
    if not _KEY.fullmatch(key):
        raise ValueError(key)
    return ReportedFact(key, decode_word(value, cut=key.endswith(CUT)))


def _facts_end(words: list[str]) -> Message:
    if words:
        raise ValueError(words)
    return FactsEnd()


def _pong(words: list[str]) -> Message:
    (token,) = words
    if len(token) > MOST_TOKEN_CHARACTERS:
        raise ValueError(token)
    return Pong(token)


def _digest(words: list[str]) -> Message:
    (text,) = words
    if not _DIGEST.fullmatch(text):
        raise ValueError(text)
    return TreeDigest(text)


def _error(words: list[str]) -> Message:
    (text,) = words
    return AgentError(decode_word(text))


def _exercise_start(words: list[str]) -> Message:
    (stamp,) = words
    return ExerciseStart(_int(stamp))


def _exercise_output(stream: str, words: list[str]) -> Message:
    (text,) = words
    return ExerciseOutput(stream, decode_bytes(text))


def _exercise_exit(words: list[str]) -> Message:
    code, signal, user, system, rss, limit, stamp = (_int(word) for word in words)
    return ExerciseExit(code, signal, user, system, rss, bool(limit), stamp)


def _exercise_end(words: list[str]) -> Message:
    stdout, stderr = (_int(word) for word in words)
    return ExerciseEnd(stdout, stderr)


def _health(words: list[str]) -> Message:
    *numbers, text = words
    code, signal, limit, attempts, cpu, unseen = (_int(word) for word in numbers)
    if max(attempts, cpu, unseen) >= _TOO_LARGE:
        raise ValueError(words)
    return HealthReport(code, signal, bool(limit), attempts, cpu, unseen, decode_word(text, cut=True))


_PARSERS: Final[dict[str, Callable[[list[str]], Message]]] = {
    "mark": _mark,
    "exit": _exit,
    "fact": _fact,
    "facts-end": _facts_end,
    "pong": _pong,
    "digest": _digest,
    "error": _error,
    "health": _health,
    "exercise-start": _exercise_start,
    "exercise-stdout": partial(_exercise_output, "stdout"),
    "exercise-stderr": partial(_exercise_output, "stderr"),
    "exercise-exit": _exercise_exit,
    "exercise-end": _exercise_end,
}
