"""JSON Schemas of export formats without a packaged reader, made after their published descriptions."""

from __future__ import annotations

from typing import Any, Final

_NUMBER: Final = {"type": "number"}

BENCHER: Final[dict[str, Any]] = {
    "title": "Bencher Metric Format after its reference page, without additional properties",
    "type": "object",
    "minProperties": 1,
    "additionalProperties": {
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"minLength": 1, "maxLength": 64, "pattern": "^[a-z0-9-]+$"},
        "additionalProperties": {
            "type": "object",
            "properties": {"value": _NUMBER, "lower_value": _NUMBER, "upper_value": _NUMBER},
            "required": ["value"],
            "additionalProperties": False,
        },
    },
    "propertyNames": {"minLength": 1, "maxLength": 1024},
}

ACTION_BENCHMARK: Final[dict[str, Any]] = {
    "title": "github-action-benchmark, custom tools: an array of entries, after its README",
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            "name": {"type": "string", "minLength": 1},
            "unit": {"type": "string", "minLength": 1},
            "value": _NUMBER,
            "range": {"type": "string"},
            "extra": {"type": "string"},
        },
        "required": ["name", "unit", "value"],
        "additionalProperties": False,
    },
}

_SECONDS: Final = {"type": "number", "minimum": 0}
HYPERFINE: Final[dict[str, Any]] = {
    "title": "hyperfine --export-json, after BenchmarkResult of its source, version 1.20",
    "type": "object",
    "required": ["results"],
    "additionalProperties": False,
    "properties": {
        "results": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["command", "mean", "stddev", "median", "user", "system", "min", "max"],
                "properties": {
                    "command": {"type": "string"},
                    "mean": _SECONDS,
                    "stddev": {"type": ["number", "null"]},
                    "median": _SECONDS,
                    # hyperfine always has these two values. Boxbench does not, and writes null instead of zero.
                    "user": {"type": ["number", "null"]},
                    "system": {"type": ["number", "null"]},
                    "min": _SECONDS,
                    "max": _SECONDS,
                    "times": {"type": "array", "items": _SECONDS},
                    "exit_codes": {"type": "array", "items": {"type": ["integer", "null"]}},
                    "parameters": {"type": "object", "additionalProperties": {"type": "string"}},
                },
                "additionalProperties": False,
            },
        }
    },
}
