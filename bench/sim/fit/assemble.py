"""A fitted target as an entry of the model file: parameters with their kinds, notes on what is not known, draws."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.sim.fit.posterior import Posterior, name
from bench.sim.fit.predict import PARTS
from bench.sim.fit.resample import Blocks
from bench.sim.fit.space import HALF_NORMAL_SD, HOLD_SD, SCATTERS
from bench.sim.fit.target import TargetFit
from bench.sim.kind import Kind
from bench.sim.model.draws import weighted_median, weighted_sd, written
from bench.sim.model.schema import Parameter, TargetEntry
from bench.util.units import format_ns

Floats = NDArray[np.float64]

_HALF: Final = 0.5
"""A parameter that the data narrow by less than this is a limit and no measurement."""
_ENOUGH_BLOCKS: Final = 20
_LIKELY: Final = 0.8
_MOST_SCATTER: Final = 3.0
_MOST_CORRELATION: Final = 0.95


class _Drawn(NamedTuple):
    """A parameter with its draws."""

    name: str
    values: Floats
    unit: Literal["ns", "bytes", "1"]
    kind: Kind
    note: str
    prior_sd: float | None = None


def assemble(fit: TargetFit, blocks: Blocks | None) -> tuple[TargetEntry, dict[str, tuple[float, ...]]]:
    """The entry of a target and its draws.

    Args:
        blocks: of the campaign; None: a table.
    """
    drawn = [*_stages(fit), *_contention(fit), *_scatter(fit, blocks), *_memory(fit)]
    entry = TargetEntry(
        endpoints=fit.endpoints,
        parameters={one.name: _parameter(one) for one in drawn},
        measured=_measured(fit),
        notes=tuple(_notes(fit)),
    )
    return entry, {one.name: _written(one.values) for one in drawn}


def _written(values: Floats) -> tuple[float, ...]:
    return tuple(written(float(value)) for value in values)


def _parameter(one: _Drawn) -> Parameter:
    values = _written(one.values)
    return Parameter(
        value=written(weighted_median(values, np.ones(len(values)))),
        unit=one.unit,
        kind=one.kind,
        note=one.note,
        prior_sd=None if one.prior_sd is None else written(one.prior_sd),
    )


def _measured(fit: TargetFit) -> dict[str, tuple[int, ...]]:
    return {"boxes": fit.boxes, "residents": fit.residents, "memory": fit.memory_boxes}


def _kind(values: Floats, prior_sd: float) -> Kind:
    narrowed = 1 - weighted_sd(values, np.ones(len(values))) / prior_sd if prior_sd > 0 else 1.0
    return "measured" if narrowed >= _HALF else "limit"


def _stages(fit: TargetFit) -> Iterator[_Drawn]:
    """Parts of stages; those that are 0 in every draw are left out."""
    drawn, prior = fit.draws.grid.stages_ns[1:], fit.draws.prior.stages_ns
    split = "split by storms" if fit.seen.statistics else "the split is a guess: nothing was measured of CPU time"
    # Whether CPU is burnt meanwhile, and where, may stay open although the time of the hold is known.
    hold = _kind(hold_draws(fit.draws)[1:], fit.priors.hold_ns * HOLD_SD)
    for number, end in enumerate(fit.endpoints):
        for place, part in enumerate(PARTS):
            values = drawn[:, number, place]
            if not values.any():
                continue
            prior_sd = float(prior[:, number, place].std())
            note = (
                f"single starts give the stage's length; {split}."
                if part in ("delay", "work")
                else _part_note(fit, part)
            )
            kind = hold if part.startswith("hold") else _kind(values, prior_sd)
            yield _Drawn(f"{end}.{part}", values, "ns", kind, note, prior_sd or None)


def _part_note(fit: TargetFit, part: str) -> str:
    if part == "background":
        return "CPU time of a start less what its endpoints wait for."
    scale = format_ns(fit.priors.hold_ns)
    return f"the hold of the lock, from the times at which boxes of storms come up; before them anything up to {scale}."


def _contention(fit: TargetFit) -> Iterator[_Drawn]:
    grid, priors = fit.draws.grid, fit.priors
    inflation = grid.inflation[1:]
    if priors.inflation > 0 and len({one.level for one in fit.seen.statistics if one.of == "cpu"}) > 1:
        prior_sd = priors.inflation * HALF_NORMAL_SD
        note = "CPU time per start at each number of boxes."
        yield _Drawn("inflation", inflation, "1", _kind(inflation, prior_sd), note, prior_sd)
    else:
        note = "not in the data: CPU time was read at one number of boxes, or the host has one CPU."
        yield _Drawn("inflation", np.zeros(len(inflation)), "1", "assumed", note)
    growth = grid.growth_ns[1:]
    if priors.growth_ns is None:
        note = "not in the data: there are no storms beside residents; add `residents: [8]` with `concurrency: [1, 4]`."
        yield _Drawn("growth", np.zeros(len(growth)), "ns", "assumed", note)
    else:
        prior_sd = priors.growth_ns * HALF_NORMAL_SD
        note = "storms beside residents against storms on an empty host."
        yield _Drawn("growth", growth, "ns", _kind(growth, prior_sd), note, prior_sd)


def _scatter(fit: TargetFit, blocks: Blocks | None) -> Iterator[_Drawn]:
    count = len(fit.stages_ns) - 1
    if fit.noise is None or blocks is None:
        note = "not in the data: a table of medians does not tell how single boxes scatter."
        for part in ("block_sd", "block_correlation", "box_sd"):
            yield _Drawn(part, np.zeros(count), "1", "assumed", note)
        return
    sd = fit.noise.sd * np.minimum(1 / np.sqrt(blocks.tails[1:]), _MOST_SCATTER)
    own = np.array(SCATTERS)[fit.draws.scatter[1:]]
    note = "scatter of single starts; storms tell which part of it is each box's own."
    prior_sd = fit.noise.sd * float(np.sqrt(SCATTERS).std())
    for part, values in (("block_sd", sd * np.sqrt(1 - own)), ("box_sd", sd * np.sqrt(own))):
        yield _Drawn(part, values, "1", _kind(values, prior_sd), note, prior_sd)
    # The whole is correlated as measured; of it only what a block's boxes share can be.
    shared = np.clip(fit.noise.correlation / (1 - own), 0.0, _MOST_CORRELATION)
    yield _Drawn("block_correlation", shared, "1", "measured", "of single starts in neighbouring blocks.")


def _memory(fit: TargetFit) -> Iterator[_Drawn]:
    if fit.memory is None:
        return
    fixed, each = fit.memory
    levels = ", ".join(map(str, fit.memory_boxes))
    yield _Drawn(
        "memory_fixed",
        fixed[1:],
        "bytes",
        "measured",
        f"daemons, and the line at no box through readings of {levels} boxes.",
    )
    yield _Drawn("memory_slope", each[1:], "bytes", "measured", f"growth of the ledger between {levels} boxes.")


def _notes(fit: TargetFit) -> Iterator[str]:
    storms = [boxes for boxes in fit.boxes if boxes > 1]
    if not storms:
        yield (
            "No storm was measured: how starts slow each other down is not known. Add `concurrency: [1, 2, 4, 8]` "
            "with `blocks: 20`."
        )
    else:
        yield from _hold_notes(fit)
    if fit.draws.misfit > 2 * fit.seen.least_misfit and fit.draws.worst is not None:
        statistic, off = fit.draws.worst
        yield (
            f"The model is off by {fit.draws.misfit:.0%} beyond noise on the storms that it was fitted to; most on "
            f"{name(statistic)}, which took {abs(np.expm1(off)):.0%} {'more' if off > 0 else 'less'} than it says."
        )
    for level, lost in fit.lost.items():
        yield f"{lost} storms of {level.boxes} boxes lost a box and were left out: the model has no failures."
    if fit.noise is not None and fit.blocks < _ENOUGH_BLOCKS:
        yield f"Only {fit.blocks} blocks of single starts: 20 would make every band narrower."
    if not fit.memory_boxes and fit.noise is not None:
        yield "Memory was not measured: add `residents: [1, 2, 4, 8, 16]`."


def _hold_notes(fit: TargetFit) -> Iterator[str]:
    hold = hold_draws(fit.draws)[1:]
    prior_sd = fit.priors.hold_ns * HOLD_SD
    high = float(np.quantile(hold, 0.95))
    if _kind(hold, prior_sd) == "limit":
        narrower = "; `concurrency: [2]` with `blocks: 20` would narrow it"
        cells = "" if fit.storms_of_two >= _ENOUGH_BLOCKS else narrower
        yield f"The hold of the lock is only bounded: at most {format_ns(high)} per start{cells}."
    weights = fit.draws.place_weights
    best = int(weights.argmax())
    if float(hold.mean()) > 0 and weights[best] < _LIKELY and len(weights) > 1:
        place = fit.priors.places[best]
        where = " and ".join(fit.endpoints[number] for number in place.stages)
        how = "burning CPU time" if place.works else "waiting"
        yield (f"Where the lock is held is not known: before {where}, {how}, has a probability of {weights[best]:.0%}.")


def hold_draws(draws: Posterior) -> Floats:
    """(1 + draws,) How long one start holds the lock, ns."""
    stages = draws.grid.stages_ns
    found: Floats = stages[..., PARTS.index("hold_work")].sum(axis=1) + stages[..., PARTS.index("hold_delay")].sum(
        axis=1
    )
    return found
