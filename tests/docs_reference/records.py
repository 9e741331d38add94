"""The page of files in directories of results, and of the fields of those that other programs read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from types import NoneType, UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from bench.analysis.estimates import Interval
from bench.gate.model import STAGES, GateResult
from bench.history.line import Line
from bench.records import results
from bench.records.campaign import ARTEFACTS, RECORDS
from bench.records.manifest import Manifest
from bench.records.record import Record
from bench.render.report import DATA, PAGE, TEXT
from bench.render.script.data import ReportData
from bench.render.simulation.page import JSON as ANSWER
from bench.scenario.model import Scenario
from bench.util.field_docs import field_docs, models_in
from tests.docs_reference.markdown import code, page, shown, table

_INTRO: Final = (
    "A directory of results is known by one file, which begins with the number of its form. That file and the records "
    "are what was measured; every other file is made from them, and `boxbench report` makes it anew. Times are whole "
    "nanoseconds and sizes whole bytes: names end in `_ns` and `_bytes`. A key that is absent "
    "was not measured, and is not zero."
)
_FIGURES: Final = ("figures/", "every figure as SVG, light and dark, and PNG")
_FILES: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "A campaign (`boxbench run`, `boxbench quickstart`)": (
        (results.CAMPAIGN, "what was asked for, of which images, in which order, on which host"),
        (RECORDS, "one line for each trial, failed ones included, in the order in which they ran"),
        (f"{ARTEFACTS}/", "output of boxes and exercises, and tracebacks, by trial"),
        (PAGE, "the report; the records are in it, or beside it where they are large"),
        (TEXT, "the report as text, for pull requests"),
        (DATA, "the numbers of the page for programs; `boxbench report --json` prints more"),
        _FIGURES,
    ),
    "A gate (`boxbench gate compare`)": (
        (results.GATE_REQUEST, "what was asked for; with it an interrupted gate goes on"),
        *((f"{stage}/", f"the campaign of {stage}") for stage in STAGES),
        (results.GATE, "the verdict, with every row"),
        (PAGE, "the page of the verdict"),
        (TEXT, "the same as text"),
    ),
    "A floor, an anatomy, counts of instructions": (
        (results.FLOOR, "of `boxbench floor`: the memory that was tried, and what worked"),
        (results.ANATOMY, "of `boxbench anatomy`: the steps of each start"),
        (results.INSTRUCTIONS, "of `boxbench instructions`: the count of each run"),
    ),
    "A history (`boxbench history`)": (
        ("FINGERPRINT.jsonl", "one line for each commit that was measured on this host"),
    ),
    "A simulation (`boxbench simulate`)": (
        ("the file of `fit -o`", "the model: parameters, their draws, and what they were fitted to"),
        (ANSWER, "an answer, or a check"),
        (PAGE, "its page"),
        _FIGURES,
    ),
}
"""By kind of directory, its files."""
_ROOTS: Final = {
    f"A record: a line of {RECORDS}": Record,
    f"A campaign: {results.CAMPAIGN}": Manifest,
    f"The numbers of a page: {DATA}": ReportData,
    f"A gate: {results.GATE}": GateResult,
    "A history: a line of FINGERPRINT.jsonl": Line,
}
_PLAIN: Final = {
    int: "whole number",
    float: "number",
    str: "text",
    bool: "true or false",
    NoneType: "null",
    Interval: "`low`, `high` and `level`",
}


def text() -> str:
    """The page."""
    return page("Files and records", (_INTRO, ""), ("## Files", ""), *map(_directory, _FILES), *_roots())


def _directory(kind: str) -> Iterator[str]:
    return table((kind, "content"), ((code(name) if " " not in name else name, said) for name, said in _FILES[kind]))


def _roots() -> Iterator[Iterator[str]]:
    told: list[type[BaseModel]] = []
    for heading, root in _ROOTS.items():
        yield iter((f"## {heading}", ""))
        for model in models_in(root, without=(Scenario, *told)):
            told.append(model)
            yield _model(model, heading=model is not root)


def _model(model: type[BaseModel], *, heading: bool) -> Iterator[str]:
    if heading:
        yield from (f"### {model.__name__}", "")
    said = (model.__doc__ or "").partition("\n\n    Attributes:")[0]
    yield from (_meaning(said), "")
    docs = field_docs(model)
    rows = (
        (code(name), _words(field.annotation) + _unit(name), _default(field), _meaning(docs.get(name, "")))
        for name, field in model.model_fields.items()
    )
    yield from table(("field", "type", "if absent", "meaning"), rows)


def _unit(name: str) -> str:
    return next((f", {unit}" for unit in ("ns", "bytes") if name.endswith(f"_{unit}")), "")


def _meaning(text: str) -> str:
    """A text of the code, where null is called None, as a sentence."""
    said = shown(text).replace("None", "null")
    return said[:1].upper() + said[1:]


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined or value is None:
        return "null"
    return "empty" if value in ((), {}, "") else code(str(value).lower() if isinstance(value, bool) else str(value))


def _words(kind: Any) -> str:
    """A type in words."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is None:
        return _of_class(kind)
    if origin is Literal:
        return " or ".join(code(str(one)) for one in inner)
    if origin in {Union, UnionType}:
        # A whole number is a number, too.
        return " or ".join(_words(one) for one in inner if one is not int or float not in inner)
    begin = {tuple: "list of ", dict: "by name: "}.get(origin, "")
    return begin + _words(inner[1] if origin is dict else inner[0])


def _of_class(kind: Any) -> str:
    if kind is Scenario:
        return "[a scenario](scenario-keys.md)"
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return f"[{kind.__name__}](#{kind.__name__.lower()})"
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return " or ".join(code(one) for one in kind)
    return _PLAIN.get(kind, "any value")
