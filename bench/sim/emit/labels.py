"""Targets for which no box runs, as users write them: ``simulated:model.json:docker`` and ``replayed:DIR``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from bench.scenario.fields import canonical_label
from bench.scenario.targets import MADE, TargetSpec, parse_target
from bench.util.errors import UsageError
from bench.util.paths import exists

_FORM: Final = {
    "simulated": "simulated:model.json:docker, or simulated:model.json for all targets of the model",
    "replayed": "replayed:DIR for all boxes of a campaign, or replayed:DIR:docker for one",
}
_ACCEL: Final = re.compile(r"(.+)/(kvm|tcg|icount)")


@dataclass(frozen=True, kw_only=True)
class MadeTargets:
    """What the labels of one campaign ask for."""

    source: Literal["replayed", "simulated"]
    given: str
    """The path as the user wrote it."""
    boxes: tuple[str, ...]
    """Targets with their accelerators (``libvirt/tcg``), each once; empty: all of the model or of the campaign."""

    @property
    def path(self) -> Path:
        """The model's file, or the campaign's directory."""
        return Path(self.given)


def parse_made(labels: Sequence[str]) -> MadeTargets | None:
    """What the labels ask for; None when boxes are to run for all of them.

    Raises:
        UsageError: some of the labels are of boxes that run, or they name two sources or two paths, or one is
            incomplete.
    """
    stripped = [label.strip() for label in labels]
    prefixes = [_source(label) for label in stripped]
    made = [source for source in prefixes if source is not None]
    if not made:
        return None
    if len(made) < len(prefixes) or len(set(made)) > 1:
        other = next(label for label, source in zip(stripped, prefixes, strict=True) if source != made[0])
        raise UsageError(
            f"-t names {made[0]} targets and {other}: records of different sources are never compared",
            hint="make one campaign for each, with the same scenario and seed",
        )
    parts = [_split(made[0], label.removeprefix(f"{made[0]}:")) for label in stripped]
    given = list(dict.fromkeys(path for path, _ in parts))
    if len(given) > 1:
        raise UsageError(
            f"-t names {given[0]} and {given[1]}: a campaign is about one host, so all its targets are of one "
            + ("model" if made[0] == "simulated" else "campaign"),
            hint="make one campaign for each",
        )
    boxes = [box for _, box in parts]
    return MadeTargets(source=made[0], given=given[0], boxes=() if "" in boxes else tuple(dict.fromkeys(boxes)))


def _source(label: str) -> Literal["replayed", "simulated"] | None:
    if label.startswith(MADE[0]):
        return "replayed"
    return "simulated" if label.startswith(MADE[1]) else None


def _split(source: str, text: str) -> tuple[str, str]:
    """The path and the box of a label without its prefix; no box means all. Raises UsageError: incomplete."""
    path, colon, box = text.rpartition(":")
    if text and (not colon or exists(Path(text))):
        return text, ""
    if not path or not box:
        raise UsageError(f"'{source}:{text}' is not complete", hint=f"write it like {_FORM[source]}")
    return path, canonical_label(box)


def split_box(box: str) -> tuple[TargetSpec, str]:
    """The target and the accelerator of a box: ``libvirt`` and ``tcg`` of ``libvirt/tcg``, else ``native``.

    The target need not be one of Boxbench's: models of published tables have the names of others.

    Raises:
        UsageError: no name of a target.
    """
    found = _ACCEL.fullmatch(box)
    return (parse_target(box), "native") if found is None else (parse_target(found[1]), found[2])
