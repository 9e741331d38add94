"""The facts of a host as text, one line each: for reports, and for the comparison of two campaigns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bench.util.units import format_bytes


def host_facts(facts: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Names and values, by name. Lists are joined; a size has its unit and the exact bytes.

    A fact with parts, such as the mitigations of the CPU, is a line for each part: ``mitigations, retbleed``. The text
    is not cleaned.
    """
    for key in sorted(facts):
        value, name = facts[key], _words(key)
        if isinstance(value, Mapping) and value:
            yield from ((f"{name}, {_words(str(part))}", _text(key, value[part])) for part in sorted(value))
        else:
            yield name, _text(key, value)


def _words(key: str) -> str:
    return key.removesuffix("_bytes").replace("_", " ")


def _text(key: str, value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return "; ".join(f"{name}: {inner}" for name, inner in sorted(value.items())) or "none"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value)) or "none"
    if key.endswith("_bytes") and isinstance(value, int):
        return f"{format_bytes(value)} ({value} B)"
    return str(value)
