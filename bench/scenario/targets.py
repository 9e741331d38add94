"""Targets with options, as users write them: ``libvirt`` or ``libvirt[console=serial]``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Final

from pydantic import BeforeValidator, Field, WithJsonSchema

from bench.scenario.fields import Strict, canonical_label
from bench.scenario.options import refuse
from bench.scenario.target_table import problems_of
from bench.scenario.validation import Fault, fault
from bench.util.document import Document
from bench.util.errors import UsageError

MADE: Final = ("replayed:", "simulated:")
"""Begin the targets for which no box runs. Only the command line has them: see ``bench.sim.emit.labels``."""
_TARGET: Final = re.compile(r"([a-z0-9-]+)(?:\[([^\[\]]*)\])?")
_OPTION: Final = re.compile(r"([A-Za-z0-9_]+)=(.+)")
# A comma inside brackets separates options.
_BETWEEN_TARGETS: Final = re.compile(r",(?![^\[\]]*\])")


_BRACKETS_HINT: Final = "in a file options are keys: {target: docker, options: {runtime: crun}}"


class TargetSpec(Strict):
    """A target with options. The options are part of a cell's identity."""

    target: str
    """The name of the target."""
    options: dict[str, str | int | bool] = Field(default={})
    """By name, the options whose values are not the default."""

    @property
    def label(self) -> str:
        """``libvirt`` or ``libvirt[console=serial]``."""
        inner = ",".join(f"{key}={self.options[key]}" for key in sorted(self.options))
        return canonical_label(f"{self.target}[{inner}]") if inner else self.target


def parse_target(text: str) -> TargetSpec:
    """The target of a label. Raises UsageError when the text is not a label."""
    match = _TARGET.fullmatch(text.strip())
    options = [_OPTION.fullmatch(part.strip()) for part in match[2].split(",")] if match and match[2] else []
    if match is None or None in options:
        hint = "write it like docker or 'docker[runtime=crun]'"
        if text.strip().startswith(MADE):
            hint = "`boxbench run` and `boxbench plan` alone take targets for which no box runs"
        raise UsageError(f"{text!r} is not a target", hint=hint)
    return TargetSpec(target=match[1], options={part[1]: _value(part[2]) for part in options if part})


def parse_targets(labels: Sequence[str]) -> tuple[TargetSpec, ...]:
    """The targets of labels.

    Raises:
        UsageError: a text is not a label, or labels name unknown targets, options or values; all of them are listed.
    """
    specs = tuple(map(parse_target, labels))
    refuse([problem for spec in specs for problem in problems_of(spec.target, spec.options)])
    return specs


def target_faults(file: Path, document: Document) -> Iterator[Fault]:
    """Problems of the targets and options in a scenario file.

    They are not rules of ``TargetSpec``, so that campaigns of other versions, with other targets, can still be read.
    """
    entries = document.get(("targets",))
    for number, entry in enumerate(entries if isinstance(entries, list) else ()):
        name = entry.get("target") if isinstance(entry, dict) else entry
        options = entry.get("options") if isinstance(entry, dict) else None
        if isinstance(name, str):
            hint = _BRACKETS_HINT if entry is name and "[" in name else None
            for problem in problems_of(name, _well_typed(options)):
                keys = ("options", *problem.keys) if problem.keys else ("target",) * isinstance(entry, dict)
                yield fault(file, document, ("targets", number, *keys), problem.message, hint or problem.hint)


def _well_typed(options: object) -> dict[str, str | int | bool]:
    """The options whose values have a possible type. The model reports the others."""
    given = options if isinstance(options, dict) else {}
    return {str(key): value for key, value in given.items() if isinstance(value, str | int)}


def split_labels(text: str) -> tuple[str, ...]:
    """The labels in a text that separates them by commas: ``docker,libvirt[console=serial,nic=virtio]``."""
    # That of a made target begins with a path.
    labels = (label.strip() for label in _BETWEEN_TARGETS.split(text))
    return tuple(label if label.startswith(MADE) else canonical_label(label) for label in labels)


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
