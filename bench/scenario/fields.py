"""Types of the keys of a scenario file: strict models, and sizes and durations with units."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, WithJsonSchema

from bench.util.units import parse_bytes, parse_duration_ns

NAME_PATTERN: Final = r"^[a-z0-9][a-z0-9-]{0,39}$"
"""The name of a scenario, which becomes part of the names of files, containers and domains."""
IMAGE_PATTERN: Final = r"^[a-z0-9][a-z0-9._/-]*(:[A-Za-z0-9._-]+)?$"
PATH_PATTERN: Final = r"^/[!-~]*$"
BOX_PATH_PATTERN: Final = r"^/."
VARIABLE_PATTERN: Final = r"^[^=\x00]+$"
VALUE_NAME: Final = r"^[a-z0-9][a-z0-9_.-]{0,60}_(ns|bytes|per_s)$"
"""The name of a value, which ends in its unit: ``get_per_s``, ``read.p99_ns``, ``copy_bytes_per_s``."""
FORMS: Final = {
    NAME_PATTERN: 'use a–z, 0–9 and "-" (not first), at most 40 characters',
    IMAGE_PATTERN: "write the name of an image, such as debian:stable-slim",
    PATH_PATTERN: 'begin with "/", without blanks',
    BOX_PATH_PATTERN: 'begin with "/", and name a place in the box',
    VARIABLE_PATTERN: 'name an environment variable: not empty, without "=" and NUL',
    VALUE_NAME: 'use a–z, 0–9, ".", "_" and "-", and end it in its unit: _ns, _bytes or _per_s',
}
"""By pattern, the instruction in the error for text that does not match it."""


_OPTIONS: Final = re.compile(r"\[[^\[\]]*\]")
_TRUTH: Final = re.compile(r"(?<==)(true|false)(?=[,\]])", re.IGNORECASE)


def canonical_label(text: str) -> str:
    """A label, or a text with one in it, as a user types it: ``docker[seccomp=false]``, as YAML writes it.

    Older records have ``docker[seccomp=False]``. They are read as if they had the other.
    """
    return _with_truth(text, str.lower)


def older_label(text: str) -> str:
    """The same as older versions wrote it, for what they have stored digests or patterns of."""
    return _with_truth(text, str.capitalize)


def _with_truth(text: str, spell: Callable[[str], str]) -> str:
    # Levels of factors stay as they are: they stand in braces.
    if "[" not in text:
        return text
    return _OPTIONS.sub(lambda options: _TRUTH.sub(lambda word: spell(word[0]), options[0]), text)


Label = Annotated[str, AfterValidator(canonical_label)]
"""The label of a target, alone or in the name of a box or the key of a cell."""


class Strict(BaseModel):
    """A frozen model that converts nothing silently and refuses unknown keys."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


USER_INPUT: Final = {"user_input": True}
"""The validation context of files that users write, in which sizes and durations need a unit. Manifests hold plain
bytes and ns."""


def _bytes_from_text(value: object, info: ValidationInfo) -> object:
    if not isinstance(value, str):
        return _unitless(value, info, "256MiB")
    return _at_most(parse_bytes(value), _MOST_BYTES, value, "1048576GiB")


def _ns_from_text(value: object, info: ValidationInfo) -> object:
    if not isinstance(value, str):
        return _unitless(value, info, "30s")
    return _at_most(parse_duration_ns(value), MOST_NS, value, "10080min")


def _at_most(value: int, most: int, text: str, most_text: str) -> int:
    if value > most:
        raise ValueError(f"{text!r} is more than {most_text}")
    return value


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError(f"{text!r} contains a NUL character, at which the kernel would cut it off")
    return text


def _unitless(value: object, info: ValidationInfo, example: str) -> object:
    if info.context == USER_INPUT and isinstance(value, int | float) and not isinstance(value, bool):
        raise ValueError(f"the unit is missing, write for example {example}")
    return value


_MOST_BYTES: Final = 2**50
"""The largest size. Engines and tools take sizes as 64-bit numbers and fail late on larger ones."""
MOST_NS: Final = 7 * 24 * 3600 * 10**9
"""The longest duration, a week. Timers of the system fail on much longer ones."""
_SIZE_SCHEMA: Final = {
    "type": "string",
    "pattern": r"^\s*\d+(\.\d+)?\s*([kKmMgG]i?[bB]|[bB])?\s*$",
    "examples": ["256MiB"],
}
_DURATION_SCHEMA: Final = {
    "type": "string",
    "pattern": r"^\s*\d+(\.\d+)?\s*(ns|us|ms|s|min|m|h|d)\s*$",
    "examples": ["30s"],
}
Bytes = Annotated[int, BeforeValidator(_bytes_from_text), Field(gt=0, le=_MOST_BYTES), WithJsonSchema(_SIZE_SCHEMA)]
DurationNs = Annotated[int, BeforeValidator(_ns_from_text), Field(gt=0, le=MOST_NS), WithJsonSchema(_DURATION_SCHEMA)]
Int64 = Annotated[int, Field(ge=-(2**63), lt=2**63)]
"""A whole number of a file that programs write. Arithmetic with larger ones fails: a float cannot hold them."""
Argument = Annotated[str, AfterValidator(_without_nul)]
"""A word of a command, or the value of an environment variable. The kernel ends such text at a NUL character."""
VariableName = Annotated[str, Field(pattern=VARIABLE_PATTERN)]
Port = Annotated[int, Field(ge=1, le=65535)]
