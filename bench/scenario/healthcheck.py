"""The key ``workload.healthcheck``: the command that tells whether the workload is healthy."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from bench.scenario.fields import Argument, DurationNs, Strict

_FORMS: Final = {
    "NONE": "no word follows",
    "CMD": "a program and its arguments follow",
    "CMD-SHELL": "one text follows",
}
_WORDS: Final = {"type": "array", "items": {"type": "string"}, "minItems": 1}


def _words(value: object) -> object:
    # pydantic calls this with what JSON has, and checks the result as strictly as a value of Python.
    if isinstance(value, str):
        return ("CMD-SHELL", value)
    return tuple(value) if isinstance(value, list) else value


def _checked(test: tuple[str, ...]) -> tuple[str, ...]:
    form, words = test[0], test[1:]
    if form not in _FORMS:
        raise ValueError(f"begin the list with {', '.join(_FORMS)}, or write one text for a shell")
    right = {"NONE": not words, "CMD": bool(words and words[0]), "CMD-SHELL": len(words) == 1 and bool(words[0])}
    if not right[form]:
        raise ValueError(f"after {form} {_FORMS[form]}")
    return test


Test = Annotated[
    tuple[Argument, ...],
    BeforeValidator(_words),
    Field(min_length=1),
    AfterValidator(_checked),
    WithJsonSchema({"anyOf": [{"type": "string", "minLength": 1}, _WORDS], "examples": ["curl -f http://localhost"]}),
]
"""A health check's command: ``CMD`` and its words, ``CMD-SHELL`` and a text for a shell, or ``NONE``. In a file a plain
text is for a shell."""


class Healthcheck(Strict):
    """Replaces the image's HEALTHCHECK. What is left out stays as the image has it.

    Only ``test`` and ``timeout`` change what Boxbench does. The other keys are accepted because compose files have
    them: they say how often an engine asks, and how long it waits until it calls a running container unhealthy.
    """

    test: Test | None = None
    """The command: one text for a shell; or a list that begins with ``CMD`` (words follow), ``CMD-SHELL`` (one text
    follows) or ``NONE``."""
    timeout: DurationNs | None = None
    """A check that takes longer is killed and counts as failed. Where neither this nor the image says it: 30 s."""
    interval: DurationNs | None = None
    """Has no effect."""
    start_period: DurationNs | None = None
    """Has no effect."""
    start_interval: DurationNs | None = None
    """Has no effect."""
    retries: Annotated[int, Field(ge=1)] | None = None
    """Has no effect."""
