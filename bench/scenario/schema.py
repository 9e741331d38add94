"""The JSON Schema of a scenario file, as editors use it: with the meaning and the default of every key."""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel

from bench.scenario.factors import format_level
from bench.scenario.model import Scenario
from bench.scenario.targets import TargetSpec
from bench.util.field_docs import field_docs, models_in
from bench.util.units import format_bits_per_s


def scenario_schema() -> dict[str, Any]:
    """The JSON Schema of a scenario file."""
    schema = Scenario.model_json_schema()
    for model in models_in(Scenario):
        part = schema if model is Scenario else schema["$defs"].get(model.__name__)
        if part is not None:
            _describe(model, part)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "Boxbench scenario"
    return schema


def _describe(model: type[BaseModel], part: dict[str, Any]) -> None:
    part["description"] = _plain(model.__doc__ or "")
    docs = field_docs(model)
    for name, key in part["properties"].items():
        if name in docs:
            key["description"] = _plain(docs[name])
        if "$ref" in key:
            key.pop("default", None)  # The keys below it have theirs.
        elif "default" in key:
            key["default"] = _as_written(getattr(model.model_fields[name], "default", None), key)


def _plain(text: str) -> str:
    return re.sub(r"\bNone(?=:)", "`null`", " ".join(text.split())).replace("``", "`")


def _as_written(default: Any, key: dict[str, Any]) -> Any:
    """A default as a file would have it: with its unit."""
    if isinstance(default, tuple) and default and isinstance(default[0], TargetSpec):
        return [spec.label for spec in default]
    text = next((one for one in (key, *key.get("anyOf", ())) if one.get("type") == "string"), None)
    if text is None or not isinstance(default, int):
        return key["default"]
    if "bit/s" in text["pattern"]:
        return format_bits_per_s(default).replace(" ", "")
    return format_level(default) if "[bB]" in text["pattern"] else _duration(default)


def _duration(span_ns: int) -> str:
    units = (("s", 10**9), ("ms", 10**6), ("us", 10**3), ("ns", 1))
    return next(f"{span_ns // scale}{unit}" for unit, scale in units if span_ns % scale == 0)
