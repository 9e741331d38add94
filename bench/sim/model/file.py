"""Read and write model files.

A ``value`` that a user edited is taken as stated by the user. An edit of anything else is refused: the seal of the file
shows that there was one and not where, and answers measure their distance from the data with these parts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

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
from bench.sim.model.seal import SEAL, seal_of
from bench.util.errors import ResultError, UsageError
from bench.util.paths import is_file
from bench.util.result_file import write_result_file

# One import serves whoever works with models.
__all__ = [
    "EDITED",
    "SCHEMA",
    "Discrepancy",
    "HostEntry",
    "Model",
    "Parameter",
    "Sentence",
    "SourceEntry",
    "TargetEntry",
    "assumed_sentences",
    "edit_warnings",
    "model_digest",
    "model_text",
    "read_model",
    "write_model",
]

_AGAIN: Final = "fit it again with `boxbench simulate fit`, or restore the file"
_OWN_KEYS: Final = frozenset({"model_schema", "discrepancy", "draws"})
_MOST_BYTES: Final = 2**28
"""Of a model file. One with 10,000 draws of 20 targets has less."""
UNSEALED: Final = "the file has no seal of `boxbench simulate fit`, so nothing in it counts as measured; fit it again."
"""The note of every parameter of such a file."""
_PAGE_BYTES: Final = 4096
EDITED: Final = "assumed by you"
"""The note of a parameter whose value was edited begins so."""


def read_model(file: Path) -> Model:
    """The model in a file.

    A parameter whose value is not that of the centre was edited: its kind becomes ``assumed``, and all of its draws the
    value. In a file without a seal all parameters are assumed and no level counts as measured.

    Raises:
        UsageError: missing, not a model, of another version, numbers that do not fit together, or an edit of anything
            but values.
    """
    content = _content(file)
    try:
        model = Model.model_validate_json(content)
    except ValidationError as error:
        if _is_foreign(content):
            raise UsageError(
                f"{file} is no model of Boxbench", hint="`boxbench simulate fit CAMPAIGN -o model.json` makes one"
            ) from None
        raise UsageError(
            f"{file} is not a model of schema {SCHEMA}: {first_problem(error)}",
            hint=f"{_AGAIN}; `boxbench simulate explain --schema` prints its form",
        ) from None
    problem = problem_of(model)
    if problem is not None:
        raise UsageError(f"{file}: {problem}", hint=f"edit only `value` of a parameter; else {_AGAIN}")
    found = _with_edits(_unsealed(file, model, content))
    _check_stated(file, found)
    return found


def _is_foreign(content: bytes) -> bool:
    """Whether it is JSON of something else: a list or a number, or an object without any key that models alone have."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return False
    return not isinstance(found, dict) or _OWN_KEYS.isdisjoint(found)


def _content(file: Path) -> bytes:
    if not is_file(file):
        raise UsageError(f"{file} is not a file", hint="name the model.json that `boxbench simulate fit ... -o` wrote")
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise UsageError(f"{file} is larger than 256 MiB, and no model is", hint=_AGAIN)
        return file.read_bytes()
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}", hint="check its owner and mode") from None


def _unsealed(file: Path, model: Model, content: bytes) -> Model:
    """The model without its seal, which must be that of its content."""
    try:
        seal = seal_of(content)
    except ValueError as error:
        raise UsageError(f"{file}: {error}", hint=f"leave one of them; or {_AGAIN}") from None
    if model.seal is None:
        return _all_assumed(model)
    if model.seal != seal:
        raise UsageError(
            f"{file}: something other than a `value` was edited by hand (the host, measured levels, draws, weights, "
            "kinds, notes, error or sources), so it is not known what in it was measured",
            hint=f"{_AGAIN}; to state a number yourself, edit its `value`; to ask about another host, use --cpus and "
            "--memory",
        )
    return model.model_copy(update={SEAL: None})


def _all_assumed(model: Model) -> Model:
    stated = {"kind": "assumed", "note": UNSEALED, "prior_sd": None, "narrowed": None}
    targets = {
        label: target.model_copy(
            update={
                "parameters": {name: one.model_copy(update=stated) for name, one in target.parameters.items()},
                "measured": {},
                "pairs": (),
            }
        )
        for label, target in model.targets.items()
    }
    return model.model_copy(update={"targets": targets})


def write_model(file: Path, model: Model) -> None:
    """Write a model file, whole or not at all.

    Raises:
        ResultError: it cannot be written there, or could not be read again: a number is outside of its limits.
    """
    problem = problem_of(model)
    if problem is not None:
        raise ResultError(
            f"the model is not written to {file}: {problem}",
            hint="look for rows or trials that differ from all others (`boxbench report DIR` shows trials); leave the "
            "target out with -t",
        )
    write_result_file(file, model_text(model), hint="choose another place with -o")


def model_digest(model: Model) -> str:
    """``sha256:...`` of the model as it is written."""
    return f"sha256:{hashlib.sha256(model_text(model).encode()).hexdigest()}"


def model_text(model: Model) -> str:
    """The model as JSON with its seal, one number list per line, so that models can be compared line by line."""
    data = model.model_dump(mode="json")
    data[SEAL] = seal_of(json.dumps(data))
    return "\n".join(_lines(data, "", "")) + "\n"


class Sentence(NamedTuple):
    """What a reader must know about one target of a model, or about all of it."""

    target: str | None
    """None: the whole model."""
    text: str
    by_user: bool = False
    """Whether it is about a value that a user stated."""

    @property
    def line(self) -> str:
        """The sentence with the name of its target."""
        return self.text if self.target is None else f"{self.target}: {self.text}"


def assumed_sentences(model: Model) -> tuple[Sentence, ...]:
    """A sentence for each parameter that no data stand behind; one for all of a target without a seal."""
    return tuple(sentence for label, target in model.targets.items() for sentence in _assumed_of(label, target))


def _assumed_of(label: str, target: TargetEntry) -> Iterator[Sentence]:
    if any(parameter.note == UNSEALED for parameter in target.parameters.values()):
        yield Sentence(label, UNSEALED)
    for name, parameter in target.parameters.items():
        if parameter.kind == "assumed" and parameter.note != UNSEALED:
            text = f"{name} is {_shown(parameter)}, {parameter.note}"
            yield Sentence(label, text, by_user=parameter.note.startswith(EDITED))


def edit_warnings(model: Model) -> tuple[Sentence, ...]:
    """What a reader must know about edits of the model file, in sentences; none: it is as a fit wrote it."""
    return tuple(_edit_warnings(model))


def _edit_warnings(model: Model) -> Iterator[Sentence]:
    notes = {parameter.note for target in model.targets.values() for parameter in target.parameters.values()}
    if UNSEALED in notes:
        yield Sentence(None, f"The model: {UNSEALED}")
    for label, target in model.targets.items():
        edited = [name for name, one in target.parameters.items() if one.note.startswith(EDITED)]
        if edited:
            verb = "is" if len(edited) == 1 else "are"
            text = f"{', '.join(edited)} {verb} edited in the model file, and not measured."
            yield Sentence(label, text, by_user=True)


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
            fitted = written(weighted_median(found, model.weights) if target.centre is None else found[target.centre])
            if written(parameter.value) != fitted:
                parameters[name] = _assumed(parameter, fitted)
                draws[label][name] = (parameter.value,) * len(model.weights)
        targets[label] = target.model_copy(update={"parameters": parameters})
    return model.model_copy(update={"targets": targets, "draws": draws})


def _check_stated(file: Path, model: Model) -> None:
    """Refuse what a user stated and a fit may find: readings of memory scatter, and a statement does not."""
    for label, target in model.targets.items():
        slope = target.parameters.get("memory_slope")
        if slope is not None and slope.note.startswith(EDITED) and slope.value < _PAGE_BYTES:
            raise UsageError(
                f"{file}: targets.{label}.parameters.memory_slope.value: {slope.value:g} is your number, and a box "
                f"takes at least a page of {_PAGE_BYTES} bytes",
                hint="write the bytes that a further box takes",
            )


def _assumed(parameter: Parameter, fitted: float) -> Parameter:
    fitted_text = _shown(parameter.model_copy(update={"value": fitted}))
    note = f"{EDITED}: the model file was edited; the fit gave {fitted_text}."
    narrowed = None if parameter.prior_sd is None else 0.0
    return parameter.model_copy(update={"kind": "assumed", "note": note, "narrowed": narrowed})
