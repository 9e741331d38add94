"""Endpoints of one box on one clock, written by two threads: ours (requests) and the channel's (marks)."""

from __future__ import annotations

import threading
from collections.abc import Callable

from bench.agent.exercise_log import ExerciseLog
from bench.agent.protocol import (
    AgentError,
    ExerciseEnd,
    ExerciseExit,
    ExerciseOutput,
    ExerciseStart,
    Exit,
    FactsEnd,
    Mark,
    Message,
    Pong,
    ReportedFact,
    TreeDigest,
)
from bench.records.record import Endpoint
from bench.util.clock import Clock
from bench.util.errors import ProtocolError


class Timeline:
    """First stamps win: an endpoint happens once. Stamps are absolute ns of ``clock``; ``relative_ns`` gives t0 = 0."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.guest_ns: dict[Endpoint, int] = {}
        self.exit: Exit | None = None
        self.facts: dict[str, str] = {}
        self.tree_digest: str | None = None
        self.errors: list[str] = []
        self.exercise = ExerciseLog()
        self._stamps: dict[Endpoint, int] = {}
        self._pongs: dict[str, int] = {}
        self._facts_done = False
        self._changed = threading.Condition()

    def mark(self, endpoint: Endpoint, *, at_ns: int | None = None) -> int:
        """Stamp ``endpoint``, now unless told when; returns the stamp."""
        now = self.clock.now_ns() if at_ns is None else at_ns
        with self._changed:
            self._stamps.setdefault(endpoint, now)
            self._changed.notify_all()
        return now

    def receive(self, message: Message | ProtocolError, stamp_ns: int) -> None:
        """Take a message of the channel."""
        with self._changed:
            match message:
                case Mark(endpoint, guest_ns):
                    self._stamps.setdefault(endpoint, stamp_ns)
                    self.guest_ns.setdefault(endpoint, guest_ns)
                case Exit():
                    self._stamps.setdefault(Endpoint.STOPPED, stamp_ns)
                    self.exit = self.exit or message
                case ReportedFact(key, value):
                    self.facts[key] = value
                case FactsEnd():
                    self._facts_done = True
                case Pong(token):
                    self._pongs[token] = stamp_ns
                case TreeDigest(text):
                    self.tree_digest = text
                case AgentError(text):
                    self.errors.append(text)
                case ExerciseStart() | ExerciseOutput() | ExerciseExit() | ExerciseEnd():
                    self.exercise.receive(message, stamp_ns)
                case ProtocolError():
                    self.errors.append(message.message)
            self._changed.notify_all()

    def has(self, endpoint: Endpoint) -> bool:
        """Whether ``endpoint`` was passed."""
        return endpoint in self._stamps

    def failed(self) -> bool:
        """Whether the workload ended or the agent reported an error."""
        return self.exit is not None or bool(self.errors)

    def pong_ns(self, token: str) -> int | None:
        """When the answer to ``token`` came."""
        return self._pongs.get(token)

    def has_pong(self, token: str) -> bool:
        """Whether ``token`` was answered."""
        return token in self._pongs

    def facts_complete(self) -> bool:
        """Whether the agent has sent all its facts."""
        return self._facts_done

    def wait_for(self, condition: Callable[[], bool], *, timeout_s: float) -> bool:
        """Block until ``condition`` holds (checked at every change); False when the time is over."""
        with self._changed:
            return self._changed.wait_for(condition, timeout_s)

    def relative_ns(self) -> dict[Endpoint, int]:
        """All endpoints since ``requested``, in order of time.

        A mark that came before the request would be a fault of ours, so it raises ValueError.
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
