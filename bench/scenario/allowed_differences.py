"""The key ``allowed_differences`` of a scenario: facts of a certificate that may differ between boxes."""

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
"""All facts of a certificate, in the order in which reports list them."""

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


def _list_as_dict(value: object) -> object:
    if isinstance(value, list | tuple) and all(isinstance(name, str) for name in value):
        return dict.fromkeys(value, "")
    return value


AllowedDifferences = Annotated[
    dict[FactName, Annotated[str, Field(max_length=200)]],
    BeforeValidator(_list_as_dict),
    WithJsonSchema(_SCHEMA),
]
"""Facts that may differ between the boxes of a scenario, each with its reason. A list of names gives no reasons."""
