"""The endpoints and messages of one box. Two threads write them: the caller's (requests) and the channel's (marks)."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from bench.agent.boxconf import encode_word
from bench.agent.protocol import (
    CUT,
    AgentError,
    ExerciseEnd,
    ExerciseExit,
    ExerciseMessage,
    ExerciseOutput,
    ExerciseStart,
    Exit,
    FactsEnd,
    HealthReport,
    Mark,
    Message,
    Pong,
    ReportedFact,
    TreeDigest,
)
from bench.records.record import Endpoint
from bench.scenario.exercise import MOST_OUTPUT_BYTES
from bench.scenario.secrets import NOT_SHOWN, hide, is_secret
from bench.util.clock import Clock
from bench.util.errors import ProtocolError

MOST_FACTS: Final = 4000
MOST_FACT_BYTES: Final = 2**19
"""How many facts of a box are kept, and how many bytes of them as JSON. A record's line then stays below 1 MiB."""
MOST_ERRORS: Final = 20
MOST_ERROR_CHARACTERS: Final = 2000
"""How many errors of a box are kept, and how much of each. The first one is the cause of the others."""


@dataclass
class ExerciseLog:
    """Collects the messages of one exercise. Of repeated messages the first counts, as in a timeline."""

    start: ExerciseStart | None = None
    start_ns: int | None = None
    """Arrival of ``start`` on the host's clock; likewise ``exit_ns``."""
    exit: ExerciseExit | None = None
    exit_ns: int | None = None
    end: ExerciseEnd | None = None
    output: dict[str, bytearray] = field(default_factory=lambda: {"stdout": bytearray(), "stderr": bytearray()})

    def receive(self, message: ExerciseMessage, stamp_ns: int) -> None:
        """Add one message. Messages after the end and output beyond the agent's limit are dropped."""
        match message:
            case _ if self.end is not None:
                return
            case ExerciseStart() if self.start is None:
                self.start, self.start_ns = message, stamp_ns
            case ExerciseOutput(stream, data):
                kept = self.output[stream]
                kept += data[: MOST_OUTPUT_BYTES - len(kept)]
            case ExerciseExit() if self.exit is None:
                self.exit, self.exit_ns = message, stamp_ns
            case ExerciseEnd():
                self.end = message


class Timeline:
    """Collects what happens to one box.

    An endpoint happens once, so of repeated stamps the first counts. Stamps are absolute times of ``clock`` in ns, and
    ``guest_ns`` are times of the box's own clock. Values that the agent has not sent yet are None or missing.

    Args:
        secrets: values that are hidden in the facts, longest first.
    """

    def __init__(self, clock: Clock, secrets: Sequence[str] = ()) -> None:
        self.clock = clock
        self._secrets = secrets
        self.guest_ns: dict[Endpoint, int] = {}
        self.exit: Exit | None = None
        self.facts: dict[str, str] = {}
        self.tree_digest: str | None = None
        self.errors: list[str] = []
        self.health: HealthReport | None = None
        """The latest; None: no health check has ended."""
        self.exercise = ExerciseLog()
        self.cut_off = False
        """No message follows, because the host has stopped reading them."""
        self._stamps: dict[Endpoint, int] = {}
        self._pongs: dict[str, int] = {}
        self._facts_done = False
        self._fact_bytes = 0
        self._changed = threading.Condition()

    def mark(self, endpoint: Endpoint, *, at_ns: int | None = None) -> int:
        """Stamp ``endpoint`` with ``at_ns``; None is now. Returns that time, also when there was a stamp already."""
        now = self.clock.now_ns() if at_ns is None else at_ns
        with self._changed:
            self._stamps.setdefault(endpoint, now)
            self._changed.notify_all()
        return now

    def receive(self, message: Message | ProtocolError, stamp_ns: int) -> None:
        """Add a message from the channel, or the error that a line caused."""
        with self._changed:
            if isinstance(message, Mark | Exit) and not self._requested_before(stamp_ns):
                # No fault of ours: a VM that runs before the request may send what it likes.
                self._add_error("the box sent a mark before it was requested")
            else:
                self._take(message, stamp_ns)
            self._changed.notify_all()

    def _requested_before(self, stamp_ns: int) -> bool:
        return Endpoint.REQUESTED in self._stamps and self._stamps[Endpoint.REQUESTED] <= stamp_ns

    def _take(self, message: Message | ProtocolError, stamp_ns: int) -> None:
        match message:
            case Mark(endpoint, guest_ns):
                self._stamps.setdefault(endpoint, stamp_ns)
                self.guest_ns.setdefault(endpoint, guest_ns)
            case Exit():
                self._stamps.setdefault(Endpoint.STOPPED, stamp_ns)
                self.exit = self.exit or message
            case ReportedFact(key, value):
                self._add_fact(key, _storable(key, value, self._secrets))
            case FactsEnd():
                self._facts_done = True
            case Pong(token):
                self._pongs[token] = stamp_ns
            case HealthReport():
                self.health = message
            case TreeDigest(text):
                self.tree_digest = text
            case AgentError(text) | ProtocolError(message=text):
                self._add_error(text)
            case ExerciseStart() | ExerciseOutput() | ExerciseExit() | ExerciseEnd():
                self.exercise.receive(message, stamp_ns)

    def cut_short(self) -> None:
        """Note that no message follows, and wake up whoever waits for one."""
        with self._changed:
            self.cut_off = True
            self._changed.notify_all()

    def _add_fact(self, key: str, value: str) -> None:
        old = _json_bytes(key, self.facts[key]) if key in self.facts else 0
        size = self._fact_bytes - old + _json_bytes(key, value)
        if size > MOST_FACT_BYTES or (not old and len(self.facts) >= MOST_FACTS):
            self._add_error(
                f"the box reported more facts than are kept: {MOST_FACTS}, or {MOST_FACT_BYTES} bytes; {key} and "
                "others are missing"
            )
            return
        self._fact_bytes = size
        self.facts[key] = value

    def _add_error(self, text: str) -> None:
        if len(self.errors) < MOST_ERRORS:
            self.errors.append(text[:MOST_ERROR_CHARACTERS])

    def has(self, endpoint: Endpoint) -> bool:
        """Whether ``endpoint`` was passed."""
        return endpoint in self._stamps

    def failed(self) -> bool:
        """Whether the workload ended, the agent reported an error, or its messages are no longer read."""
        return self.exit is not None or bool(self.errors) or self.cut_off

    def pong_ns(self, token: str) -> int | None:
        """Time at which the answer to ``token`` arrived; None when it has not."""
        return self._pongs.get(token)

    def has_pong(self, token: str) -> bool:
        """Whether the answer to ``token`` has arrived."""
        return token in self._pongs

    def facts_complete(self) -> bool:
        """Whether the agent has sent all its facts."""
        return self._facts_done

    def wait_for(self, condition: Callable[[], bool], *, timeout_s: float) -> bool:
        """Block until ``condition`` holds; it is checked at every change.

        Returns:
            False when the time limit was reached, or when no message follows that could make the condition true.
        """
        with self._changed:
            self._changed.wait_for(lambda: condition() or self.cut_off, timeout_s)
            return condition()

    def relative_ns(self) -> dict[Endpoint, int]:
        """Time of each endpoint since ``requested``, in ns and in order of time; empty without a request.

        Raises:
            ValueError: an endpoint was stamped before the request, which is a fault of this program.
        """
        with self._changed:
            stamps = dict(self._stamps)
        if Endpoint.REQUESTED not in stamps:
            return {}
        t0 = stamps[Endpoint.REQUESTED]
        relative = {endpoint: stamp - t0 for endpoint, stamp in stamps.items()}
        early = [str(endpoint) for endpoint, value in relative.items() if value < 0]
        if early:
            raise ValueError(f"stamped before the request: {', '.join(early)}")
        return dict(sorted(relative.items(), key=lambda item: item[1]))


def _storable(key: str, value: str, secrets: Sequence[str]) -> str:
    """A fact without the values of secret variables: facts are stored in records and shown in reports."""
    name = key.removeprefix("env.")
    if key.removesuffix(CUT) == "argv":
        return hide(value, map(encode_word, secrets))
    if name == key:
        return value
    if not is_secret(name.removesuffix(CUT)):
        return hide(value, secrets)
    # A value that the agent had to cut agrees with every value that begins like it.
    return "" if name.endswith(CUT) else NOT_SHOWN


def _json_bytes(key: str, value: str) -> int:
    return len(json.dumps({key: value}, ensure_ascii=False).encode())
