"""Which target, with which options: ``libvirt`` or ``libvirt[console=serial]``, in scenario files and command lines."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Final

from pydantic import BeforeValidator, Field, WithJsonSchema

from bench.scenario.fields import Strict
from bench.scenario.options import refuse
from bench.scenario.target_table import problems_of
from bench.scenario.validation import Fault, fault
from bench.util.document import Document
from bench.util.errors import UsageError

_TARGET: Final = re.compile(r"([a-z0-9-]+)(?:\[([^\[\]]*)\])?")
_OPTION: Final = re.compile(r"([A-Za-z0-9_]+)=(.+)")
# A comma inside brackets separates options, not targets.
_BETWEEN_TARGETS: Final = re.compile(r",(?![^\[\]]*\])")


_BRACKETS: Final = "in a file options are keys: {target: docker, options: {runtime: crun}}"


class TargetSpec(Strict):
    """A target with options: the options become part of the cell's identity."""

    target: str
    options: dict[str, str | int | bool] = Field(default={})

    @property
    def label(self) -> str:
        """``libvirt`` or ``libvirt[console=serial]``."""
        inner = ",".join(f"{key}={self.options[key]}" for key in sorted(self.options))
        return f"{self.target}[{inner}]" if inner else self.target


def parse_target(text: str) -> TargetSpec:
    """What a label says. Raises UsageError: the text is none."""
    match = _TARGET.fullmatch(text.strip())
    options = [_OPTION.fullmatch(part.strip()) for part in match[2].split(",")] if match and match[2] else []
    if match is None or None in options:
        raise UsageError(f"{text!r} is not a target", hint="write it like docker or 'docker[runtime=crun]'")
    return TargetSpec(target=match[1], options={part[1]: _value(part[2]) for part in options if part})


def parse_targets(labels: Sequence[str]) -> tuple[TargetSpec, ...]:
    """What labels say. Raises UsageError: one is none, or asks for what no target has; of the latter all at once."""
    specs = tuple(map(parse_target, labels))
    refuse([problem for spec in specs for problem in problems_of(spec.target, spec.options)])
    return specs


def target_faults(file: Path, document: Document) -> Iterator[Fault]:
    """Targets and options of a scenario file that do not exist, whatever else is wrong in it.

    Not a rule of ``TargetSpec``: what an older version recorded can still be read.
    """
    entries = document.get(("targets",))
    for number, entry in enumerate(entries if isinstance(entries, list) else ()):
        name = entry.get("target") if isinstance(entry, dict) else entry
        options = entry.get("options") if isinstance(entry, dict) else None
        if isinstance(name, str):
            hint = _BRACKETS if entry is name and "[" in name else None
            for problem in problems_of(name, _readable(options)):
                keys = ("options", *problem.keys) if problem.keys else ("target",) * isinstance(entry, dict)
                yield fault(file, document, ("targets", number, *keys), problem.message, hint or problem.hint)


def _readable(options: object) -> dict[str, str | int | bool]:
    """Options with a value that one can have; others are no option's, and the model says so."""
    given = options if isinstance(options, dict) else {}
    return {str(key): value for key, value in given.items() if isinstance(value, str | int)}


def split_labels(text: str) -> tuple[str, ...]:
    """Several labels, separated by commas: ``docker,libvirt[console=serial,nic=virtio]``."""
    return tuple(_BETWEEN_TARGETS.split(text))


def _value(text: str) -> str | int | bool:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    return int(text) if re.fullmatch(r"-?\d{1,9}", text) else text


def _spec_from_name(value: object) -> object:
    return {"target": value} if isinstance(value, str) else value


TargetEntry = Annotated[
    TargetSpec,
    BeforeValidator(_spec_from_name),
    WithJsonSchema({"anyOf": [{"type": "string"}, TargetSpec.model_json_schema()]}),
]
