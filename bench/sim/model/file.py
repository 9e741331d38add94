"""Read and write model files. A number that a user edited is taken as stated by the user."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bench.scenario.validation import first_problem
from bench.sim.model.consistency import problem_of
from bench.sim.model.draws import weighted_median, written
from bench.sim.model.schema import (
    SCHEMA,
    Discrepancy,
    HostEntry,
    Model,
    Parameter,
    SourceEntry,
    TargetEntry,
)
from bench.util.errors import UsageError
from bench.util.result_file import write_result_file

# One import serves whoever works with models.
__all__ = [
    "SCHEMA",
    "Discrepancy",
    "HostEntry",
    "Model",
    "Parameter",
    "SourceEntry",
    "TargetEntry",
    "assumed_sentences",
    "model_digest",
    "model_text",
    "read_model",
    "write_model",
]

_AGAIN = "fit it again with `boxbench simulate fit`, or restore the file"


def read_model(file: Path) -> Model:
    """The model in a file.

    A parameter whose value is not the weighted median of its draws was edited: its kind becomes ``assumed``, and all
    of its draws the value.

    Raises:
        UsageError: missing, not a model, of another version, or numbers that do not fit together.
    """
    try:
        if not file.is_file():
            raise UsageError(
                f"{file} is not a file", hint="name the model.json that `boxbench simulate fit ... -o` wrote"
            )
        content = file.read_bytes()
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}", hint="check its owner and mode") from None
    try:
        model = Model.model_validate_json(content)
    except ValidationError as error:
        raise UsageError(
            f"{file} is not a model of schema {SCHEMA}: {first_problem(error)}",
            hint=f"{_AGAIN}; `boxbench simulate explain --schema` prints its form",
        ) from None
    problem = problem_of(model)
    if problem is not None:
        raise UsageError(f"{file}: {problem}", hint=f"edit only `value` of a parameter; else {_AGAIN}")
    return _with_edits(model)


def write_model(file: Path, model: Model) -> None:
    """Write a model file, whole or not at all. Raises ResultError."""
    write_result_file(file, model_text(model), hint="choose another place with -o")


def model_digest(model: Model) -> str:
    """``sha256:...`` of the model as it is written."""
    return f"sha256:{hashlib.sha256(model_text(model).encode()).hexdigest()}"


def model_text(model: Model) -> str:
    """The model as JSON, one number list per line, so that two models can be compared line by line."""
    return "\n".join(_lines(model.model_dump(mode="json"), "", "")) + "\n"


def assumed_sentences(model: Model) -> tuple[str, ...]:
    """One sentence per parameter that no data stand behind."""
    return tuple(
        f"{label}: {name} is {_shown(parameter)}, {parameter.note}"
        for label, target in model.targets.items()
        for name, parameter in target.parameters.items()
        if parameter.kind == "assumed"
    )


def _shown(parameter: Parameter) -> str:
    unit = "" if parameter.unit == "1" else f" {parameter.unit}"
    return f"{parameter.value:.6g}{unit}"


def _lines(value: Any, prefix: str, indent: str) -> Iterator[str]:
    """The lines of a JSON value; ``prefix`` is its key. Lists of numbers are on one line."""
    if isinstance(value, dict) and value:
        yield f"{indent}{prefix}{{"
        yield from _items(((f"{json.dumps(key)}: ", item) for key, item in value.items()), indent)
        yield f"{indent}}}"
    elif isinstance(value, list) and any(not isinstance(item, int | float) for item in value):
        yield f"{indent}{prefix}["
        yield from _items((("", item) for item in value), indent)
        yield f"{indent}]"
    else:
        yield f"{indent}{prefix}{json.dumps(value, ensure_ascii=False)}"


def _items(items: Iterator[tuple[str, Any]], indent: str) -> Iterator[str]:
    pending: list[str] = []
    for prefix, item in items:
        if pending:
            pending[-1] += ","
        yield from pending
        pending = list(_lines(item, prefix, f"{indent} "))
    yield from pending


def _with_edits(model: Model) -> Model:
    """The model in which edited values are assumed, and stand in all of their draws."""
    targets, draws = dict(model.targets), {label: dict(by_name) for label, by_name in model.draws.items()}
    for label, target in model.targets.items():
        parameters = dict(target.parameters)
        for name, parameter in target.parameters.items():
            found = draws.get(label, {}).get(name)
            if found is None:
                draws.setdefault(label, {})[name] = (parameter.value,) * len(model.weights)
                continue
            fitted = written(weighted_median(found, model.weights))
            if written(parameter.value) != fitted:
                parameters[name] = _assumed(parameter, fitted)
                draws[label][name] = (parameter.value,) * len(model.weights)
        targets[label] = target.model_copy(update={"parameters": parameters})
    return model.model_copy(update={"targets": targets, "draws": draws})


def _assumed(parameter: Parameter, fitted: float) -> Parameter:
    fitted_text = _shown(parameter.model_copy(update={"value": fitted}))
    note = f"assumed by you: the model file was edited; the fit gave {fitted_text}."
    return parameter.model_copy(update={"kind": "assumed", "note": note})
