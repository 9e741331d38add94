"""Convert the limits of kata containers' ``checkmetrics`` on start-up time and memory into a bounds file. Pure.

Its TOML file lists ``[[metric]]`` entries: ``name`` (of a result file), ``checkvar`` (a jq query into it),
``checktype`` (mean by default), and either ``minval`` and ``maxval``, or ``midval`` with ``minpercent`` and
``maxpercent``, which win when their sum is not 0.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bench.scenario.validation import describe_faults
from bench.util.document import FileKind, read_document
from bench.util.errors import UsageError

_HINT: Final = "checkmetrics files consist of [[metric]] entries with name and limits"


class KataMetric(BaseModel):
    """One entry. Keys that do not concern limits are ignored, as checkmetrics does."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    checkvar: str = ""
    checktype: str = "mean"
    minval: float = 0.0
    maxval: float = 0.0
    midval: float = 0.0
    minpercent: float = 0.0
    maxpercent: float = 0.0

    @property
    def limits(self) -> tuple[float, float]:
        """Lower and upper limit, in the unit of kata's result file."""
        if self.minpercent + self.maxpercent != 0:
            return self.midval * (1 - self.minpercent / 100), self.midval * (1 + self.maxpercent / 100)
        return self.minval, self.maxval


class MetricsFile(BaseModel):
    """A checkmetrics file."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    metric: tuple[KataMetric, ...] = Field(min_length=1)


@dataclass(frozen=True)
class _Kind:
    """Our metric for one of kata's, found by its name and a part of its query; ``scale`` is kata's unit in ours."""

    name: str
    query: str
    metric: str
    scale: float


_KINDS: Final = (
    # Seconds from the request until the workload runs.
    _Kind("boot-times", r"to-workload", "endpoint.ready", 1e9),
    # Mean PSS of all processes of a container, in units of 1024 bytes.
    _Kind("memory-footprint", r"average", "memory.pss.total", 1024.0),
)


def convert(path: Path, target: str) -> tuple[str, tuple[str, ...]]:
    """The text of a bounds file for one target, and a sentence for every entry without a counterpart here.

    Raises:
        UsageError: not a checkmetrics file, or none of its entries can be converted.
    """
    document = read_document(path, FileKind("name kata's checkmetrics TOML file", _HINT))
    try:
        entries = MetricsFile.model_validate_json(json.dumps(document.data)).metric
    except ValidationError as error:
        raise UsageError(describe_faults(path, document, error), hint=_HINT) from None
    found = [(entry, _kind(entry)) for entry in entries]
    left_out = tuple(
        f"{entry.name} ({entry.checkvar or 'no checkvar'}): boxbench does not measure this"
        for entry, kind in found
        if kind is None
    )
    parts = [_bound(entry, kind, target) for entry, kind in found if kind is not None]
    if not parts:
        raise UsageError(
            f"{path}: none of its {len(entries)} entries has a counterpart here: {'; '.join(left_out)}",
            hint="only boot-times (to-workload) and memory-footprint (average) can be converted",
        )
    return "\n".join(parts), left_out


def _kind(entry: KataMetric) -> _Kind | None:
    return next((kind for kind in _KINDS if entry.name == kind.name and re.search(kind.query, entry.checkvar)), None)


def _bound(entry: KataMetric, kind: _Kind, target: str) -> str:
    low, high = (limit * kind.scale for limit in entry.limits)
    if not (math.isfinite(low) and math.isfinite(high)):
        raise UsageError(f"{entry.name}: the limits {low} to {high} are not finite", hint=_HINT)
    return "\n".join(
        (
            f"# {json.dumps(entry.name)}: {json.dumps(entry.checkvar)}; its {entry.checktype}, here the median",
            "[[bound]]",
            f"target = {json.dumps(target)}",
            f"metric = {json.dumps(kind.metric)}",
            f"min = {low:.0f}",
            f"max = {high:.0f}",
            "",
        )
    )
