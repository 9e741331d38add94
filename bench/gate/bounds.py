"""Fixed limits from a TOML file, judged by a campaign's medians and their intervals. Pure."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field, ValidationError, model_validator

from bench import __version__
from bench.analysis.estimates import MIN_BOOTS, Estimate, Interval
from bench.analysis.metrics import Metric, present_name
from bench.gate.cells import Boots, place
from bench.gate.failures import describe_ends, ends_of
from bench.gate.model import Bound, GateResult, Identity, Verdict
from bench.gate.thresholds import matches
from bench.plan.trials import Cell
from bench.scenario.fields import Label, Strict
from bench.scenario.validation import describe_faults
from bench.util.document import FileKind, read_document
from bench.util.errors import UsageError
from bench.util.units import format_metric, parse_bytes, parse_duration_ns

_HINT: Final = (
    'a limit is [[bound]] with scenario = "hello", target = "docker", metric = "endpoint.ready", max = "300ms"; '
    'a VM needs its accelerator: target = "libvirt/kvm"'
)


class BoundEntry(Strict):
    """One ``[[bound]]`` of the file.

    Attributes:
        scenario: None means every scenario of the campaign.
        target: ``docker``, ``libvirt/tcg``, options included. A VM needs its accelerator, since they are never mixed.
        metric: with or without its unit: ``endpoint.ready``.
        min, max: a number in the metric's unit, or a duration or size with its unit: ``"300ms"``, ``"20MiB"``.
    """

    scenario: str | None = None
    target: Label
    metric: str
    min: float | int | str | None = None
    max: float | int | str | None = None

    @model_validator(mode="after")
    def _limits_something(self) -> BoundEntry:
        if self.min is None and self.max is None:
            raise ValueError("neither min nor max is given")
        return self


class BoundsFile(Strict):
    """A bounds file."""

    bound: Annotated[tuple[BoundEntry, ...], Field(min_length=1)]


def read_bounds(path: Path) -> BoundsFile:
    """Read a TOML (or YAML) file of limits.

    Raises:
        UsageError: lists every mistake with its key.
    """
    document = read_document(path, FileKind("name a TOML file with [[bound]] entries", _HINT))
    try:
        return BoundsFile.model_validate_json(json.dumps(document.data))
    except ValidationError as error:
        raise UsageError(describe_faults(path, document, error), hint=_HINT) from None


def check_bounds(limits: BoundsFile, boots: Boots, *, label: str, command: tuple[str, ...] = ()) -> GateResult:
    """Judge a campaign by fixed limits. A limit without a measurement is "cannot tell", never passed.

    Raises:
        UsageError: a VM without its accelerator, or a limit in another unit than its metric.
    """
    manifest = boots.manifest
    return GateResult(
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        boxbench=__version__,
        command=command,
        b=Identity(
            name="B",
            label=label,
            kind="bounds",
            campaigns=(manifest.id,),
            images={name: image.digest for name, image in manifest.images.items()},
            targets=manifest.targets,
        ),
        fingerprint=str(manifest.host.get("fingerprint")),
        host=manifest.host,
        bounds=tuple(bound for entry in limits.bound for bound in _judged(entry, boots)),
        notes=(*manifest.notes, *_failures(limits, boots)),
    )


def _failures(limits: BoundsFile, boots: Boots) -> tuple[str, ...]:
    """A sentence for each cell with a limit and with failed boots."""
    cells = {cell.key: cell for entry in limits.bound for cell in _cells(entry, boots)}
    ends = {key: ends_of(cell, [boots]) for key, cell in cells.items()}
    return tuple(f"{key}: {describe_ends(of)}" for key, of in ends.items() if of.failed)


def _judged(entry: BoundEntry, boots: Boots) -> list[Bound]:
    cells = _cells(entry, boots)
    if not cells:
        return [_unmeasured(entry, f"{entry.scenario or '*'}/{entry.target}", "the campaign has no such cell")]
    return [bound for cell in cells for bound in _of_cell(entry, cell, boots)]


def _cells(entry: BoundEntry, boots: Boots) -> list[Cell]:
    cells = {trial.cell.key: trial.cell for trial in boots.manifest.plan}
    near = [cell for cell in cells.values() if entry.scenario in (None, cell.scenario)]
    found = [cell for cell in near if entry.target in (place(cell), cell.box)]
    if not found and any(cell.target == entry.target for cell in near):
        boxes = sorted({cell.box for cell in near if cell.target == entry.target})
        raise UsageError(
            f"bounds: target {entry.target!r} does not name its accelerator",
            hint=f"a limit is for one accelerator; write {' or '.join(boxes)}",
        )
    return found


def _of_cell(entry: BoundEntry, cell: Cell, boots: Boots) -> list[Bound]:
    metrics = [metric for metric in boots.metrics(cell) if matches(entry.metric, metric)]
    if not metrics:
        now = present_name(entry.metric)
        reason = "this metric was not measured" if now is None else f"this metric is called {now} now"
        return [_unmeasured(entry, cell.key, reason)]
    bounds = [_bound(entry, cell, metric, boots.estimate(cell, metric)) for metric in metrics]
    if not boots.all_failed(cell):
        return bounds
    # Values of boots that failed later cannot show that a limit holds.
    doubt = {"verdict": Verdict.CANNOT_TELL, "reason": "every boot failed"}
    return [bound.model_copy(update=doubt) if bound.verdict is Verdict.NOT_REGRESSED else bound for bound in bounds]


def _bound(entry: BoundEntry, cell: Cell, metric: str, found: Estimate) -> Bound:
    low, high = (None if limit is None else _value(limit, metric) for limit in (entry.min, entry.max))
    verdict, reason = _verdict(metric, (low, high), found.interval)
    return Bound(
        cell=cell.key,
        metric=metric,
        minimum=low,
        maximum=high,
        n=found.n,
        median=found.value,
        interval=found.interval,
        verdict=verdict,
        reason=reason,
    )


def _verdict(metric: str, allowed: tuple[float | None, float | None], interval: Interval | None) -> tuple[Verdict, str]:
    if interval is None:
        return Verdict.CANNOT_TELL, f"fewer than {MIN_BOOTS} boots"
    least, most = allowed
    if most is not None and interval.low > most:
        return Verdict.REGRESSED, f"above {format_metric(metric, most)}"
    if least is not None and interval.high < least:
        return Verdict.REGRESSED, f"below {format_metric(metric, least)}"
    if (most is None or interval.high <= most) and (least is None or interval.low >= least):
        return Verdict.NOT_REGRESSED, "within"
    return Verdict.CANNOT_TELL, "the limit lies inside the interval"


def _unmeasured(entry: BoundEntry, cell: str, why: str) -> Bound:
    return Bound(
        cell=cell,
        metric=entry.metric,
        minimum=_number(entry.min),
        maximum=_number(entry.max),
        n=0,
        verdict=Verdict.CANNOT_TELL,
        reason=why,
    )


def _number(limit: float | str | None) -> float | None:
    return None if limit is None or isinstance(limit, str) else float(limit)


def _value(limit: float | str, metric: str) -> float:
    if not isinstance(limit, str):
        return float(limit)
    parse = {"ns": parse_duration_ns, "bytes": parse_bytes}.get(Metric(metric).unit)
    try:
        if parse is None:
            raise ValueError(f"{metric} has no unit: give a number")
        return float(parse(limit))
    except ValueError as error:
        raise UsageError(f"bounds: {Metric(metric).stem}: {error}", hint=_HINT) from None
