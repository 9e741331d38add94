"""The facts of a certificate by name, and how a scenario declares that one of them may differ."""

from __future__ import annotations

from typing import Annotated, Final, Literal, get_args

from pydantic import BeforeValidator, Field, WithJsonSchema

FactName = Literal[
    "digest",
    "argv",
    "env",
    "uid",
    "gid",
    "groups",
    "cwd",
    "cpus",
    "memory",
    "memory_usable",
    "kernel",
    "machine",
    "hostname",
    "cgroup_version",
    "clocksource",
    "mounts",
    "cap_eff",
    "cap_bnd",
    "seccomp",
    "no_new_privs",
]
FACT_NAMES: Final[tuple[FactName, ...]] = get_args(FactName)

_SCHEMA: Final = {
    "anyOf": [
        {"type": "array", "items": {"enum": list(FACT_NAMES)}, "uniqueItems": True},
        {
            "type": "object",
            "propertyNames": {"enum": list(FACT_NAMES)},
            "additionalProperties": {"type": "string", "maxLength": 200},
        },
    ],
    "default": {},
    "examples": [{"memory": "gVisor does not show its limit"}],
}


def _without_reasons(value: object) -> object:
    if isinstance(value, list | tuple) and all(isinstance(name, str) for name in value):
        return dict.fromkeys(value, "")
    return value


AllowedDifferences = Annotated[
    dict[FactName, Annotated[str, Field(max_length=200)]],
    BeforeValidator(_without_reasons),
    WithJsonSchema(_SCHEMA),
]
"""Facts that may differ between the boxes of a scenario, each with the reason, or as a mere list."""
