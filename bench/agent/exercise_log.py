"""What the channel says about one exercise: stamps of both clocks, its output, its end. All of it is hostile input."""

from __future__ import annotations

from dataclasses import dataclass, field

from bench.agent.protocol import ExerciseEnd, ExerciseExit, ExerciseMessage, ExerciseOutput, ExerciseStart
from bench.scenario.exercise import MOST_OUTPUT_BYTES


@dataclass
class ExerciseLog:
    """First words win, as in a timeline: an exercise happens once."""

    start: ExerciseStart | None = None
    start_ns: int | None = None
    """On the host's clock."""
    exit: ExerciseExit | None = None
    exit_ns: int | None = None
    end: ExerciseEnd | None = None
    output: dict[str, bytearray] = field(default_factory=lambda: {"stdout": bytearray(), "stderr": bytearray()})

    def receive(self, message: ExerciseMessage, stamp_ns: int) -> None:
        """Take one message; nothing after the end, no more output than the agent is allowed to send."""
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
