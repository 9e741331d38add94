"""Types of the keys of a scenario file: strict models, and sizes and durations with units."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, WithJsonSchema

from bench.util.units import parse_bytes, parse_duration_ns

NAME_PATTERN: Final = r"^[a-z0-9][a-z0-9-]{0,39}$"
"""The name of a scenario, which becomes part of the names of files, containers and domains."""
IMAGE_PATTERN: Final = r"^[a-z0-9][a-z0-9._/-]*(:[A-Za-z0-9._-]+)?$"
PATH_PATTERN: Final = r"^/[!-~]*$"
VALUE_NAME: Final = r"^[a-z0-9][a-z0-9_.-]{0,60}_(ns|bytes|per_s)$"
"""The name of a value, which ends in its unit: ``get_per_s``, ``read.p99_ns``, ``copy_bytes_per_s``."""
FORMS: Final = {
    NAME_PATTERN: 'use a–z, 0–9 and "-" (not first), at most 40 characters',
    IMAGE_PATTERN: "write the name of an image, such as debian:stable-slim",
    PATH_PATTERN: 'begin with "/", without blanks',
    VALUE_NAME: 'use a–z, 0–9, ".", "_" and "-", and end it in its unit: _ns, _bytes or _per_s',
}
"""By pattern, the instruction in the error for text that does not match it."""


class Strict(BaseModel):
    """A frozen model that converts nothing silently and refuses unknown keys."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


USER_INPUT: Final = {"user_input": True}
"""The validation context of files that users write, in which sizes and durations need a unit. Manifests hold plain
bytes and ns."""


def _bytes_from_text(value: object, info: ValidationInfo) -> object:
    return parse_bytes(value) if isinstance(value, str) else _unitless(value, info, "256MiB")


def _ns_from_text(value: object, info: ValidationInfo) -> object:
    return parse_duration_ns(value) if isinstance(value, str) else _unitless(value, info, "30s")


def _unitless(value: object, info: ValidationInfo, example: str) -> object:
    if info.context == USER_INPUT and isinstance(value, int | float) and not isinstance(value, bool):
        raise ValueError(f"the unit is missing, write for example {example}")
    return value


_SIZE_SCHEMA: Final = {
    "type": "string",
    "pattern": r"^\s*\d+(\.\d+)?\s*([kKmMgG]i?[bB]|[bB])?\s*$",
    "examples": ["256MiB"],
}
_DURATION_SCHEMA: Final = {
    "type": "string",
    "pattern": r"^\s*\d+(\.\d+)?\s*(ns|us|ms|s|min|m)\s*$",
    "examples": ["30s"],
}
Bytes = Annotated[int, BeforeValidator(_bytes_from_text), Field(gt=0), WithJsonSchema(_SIZE_SCHEMA)]
DurationNs = Annotated[int, BeforeValidator(_ns_from_text), Field(gt=0), WithJsonSchema(_DURATION_SCHEMA)]
Port = Annotated[int, Field(ge=1, le=65535)]
