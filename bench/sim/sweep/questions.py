"""The questions that a sweep can ask, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from bench.sim.sweep.fleet_questions import FLEET_QUESTIONS
from bench.sim.sweep.host_questions import HOST_QUESTIONS
from bench.sim.sweep.question import Question
from bench.util.errors import UsageError

QUESTIONS: Final[Mapping[str, Question]] = {**HOST_QUESTIONS, **FLEET_QUESTIONS}


def question_of(name: str) -> Question:
    """A question. Raises UsageError that lists all of them."""
    if name not in QUESTIONS:
        raise UsageError(f"a sweep cannot ask {name!r}", hint=f"it can ask {', '.join(QUESTIONS)}")
    return QUESTIONS[name]
