"""A fitted target as an entry of the model file: parameters with their kinds, notes on what is not known, draws."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.sim.fit.agreement import name
from bench.sim.fit.centre import central_draw
from bench.sim.fit.doubts import CPU_PARTS, doubts
from bench.sim.fit.posterior import ENOUGH, Posterior
from bench.sim.fit.predict import PARTS
from bench.sim.fit.readoff import MEMORY_BLOCKS, Noise
from bench.sim.fit.resample import LEAST_PAIRS, MOST_CORRELATION, Blocks
from bench.sim.fit.space import CROWDING_SD, HOLD_SD, NO_CROWDING, SCATTERS, crowding_at
from bench.sim.fit.target import TargetFit
from bench.sim.kind import Kind
from bench.sim.model.draws import weighted_sd, written
from bench.sim.model.schema import Parameter, TargetEntry
from bench.sim.model.summary import blocks_help
from bench.util.units import format_ns

Floats = NDArray[np.float64]

_HALF: Final = 0.5
"""A parameter that the data narrow by less than this is a limit and no measurement. Draws that are worth less than this
share of their number narrow nothing."""
_SURE: Final = 0.05
"""Probability up to which, or from 1 less which on, crowding counts as there or as absent."""
_BEYOND: Final = 0.95
"""Part of the prior below which its values are usual."""
_TOLD_MISFIT: Final = 0.04
_CROWDED: Final = 2
"""Boxes per CPU from which on crowding can be told from inflation."""
_ENOUGH_BLOCKS: Final = 20
_LIKELY: Final = 0.8
_MOST_SCATTER: Final = 3.0
_MOST_CORRELATION: Final = 0.95
_VISIBLE_NS: Final = 1000.0
"""Shorter holds only carry the growth beside residents."""


class _Drawn(NamedTuple):
    """A parameter with its draws."""

    name: str
    values: Floats
    unit: Literal["ns", "bytes", "1"]
    kind: Kind
    note: str
    prior_sd: float | None = None
    narrowed: float | None = None
    """As of ``Parameter``."""


def assemble(fit: TargetFit, blocks: Blocks | None) -> tuple[TargetEntry, dict[str, tuple[float, ...]]]:
    """The entry of a target and its draws.

    Args:
        blocks: of the campaign; None: a table.
    """
    doubted = doubts(fit)
    drawn = [*_stages(fit), *_contention(fit), *_scatter(fit, blocks), *_memory(fit)]
    drawn = [_doubted(one) if doubted else one for one in drawn]
    centre = central_draw(fit)
    entry = TargetEntry(
        endpoints=fit.endpoints,
        parameters={one.name: _parameter(one, centre) for one in drawn},
        measured=_measured(fit),
        pairs=_pairs(fit),
        warnings=doubted,
        misfit=written(fit.misfit),
        noise=None if fit.seen.noise is None else written(fit.seen.noise),
        effective=written(fit.draws.effective),
        centre=centre,
    )
    notes = tuple(_notes(fit, more_help=blocks_help(entry)))
    return entry.model_copy(update={"notes": notes}), {one.name: _written(one.values) for one in drawn}


def _written(values: Floats) -> tuple[float, ...]:
    return tuple(written(float(value)) for value in values)


def _parameter(one: _Drawn, centre: int) -> Parameter:
    return Parameter(
        value=written(float(one.values[centre])),
        unit=one.unit,
        kind=one.kind,
        note=one.note,
        prior_sd=None if one.prior_sd is None else written(one.prior_sd),
        narrowed=None if one.narrowed is None else written(min(max(one.narrowed, 0.0), 1.0)),
    )


def _doubted(one: _Drawn) -> _Drawn:
    """What the data only bound, where they contradict the model."""
    if one.name.rpartition(".")[2] not in CPU_PARTS or one.kind == "assumed":
        return one
    return one._replace(kind="limit", narrowed=0.0)


def _measured(fit: TargetFit) -> dict[str, tuple[int, ...]]:
    return {"boxes": fit.boxes, "residents": fit.residents, "memory": fit.memory_boxes}


def _pairs(fit: TargetFit) -> tuple[tuple[int, int], ...]:
    """Boxes at once and residents that were measured together; single starts on an empty host always were."""
    found = {(one.level.boxes, one.level.residents) for one in fit.seen.statistics}
    return tuple(sorted(found | {(1, 0)}))


def _rests(draws: Posterior) -> bool:
    """Whether the draws rest on enough independent ones."""
    return draws.effective >= _HALF * len(draws.scatter)


def _narrowed(values: Floats, prior_sd: float) -> float:
    return 1 - weighted_sd(values, np.ones(len(values))) / prior_sd if prior_sd > 0 else 1.0


def _kind(fit: TargetFit, values: Floats, prior_sd: float) -> Kind:
    return "measured" if _narrowed(values, prior_sd) >= _HALF and _rests(fit.draws) else "limit"


def _stages(fit: TargetFit) -> Iterator[_Drawn]:
    """Parts of stages; those that are 0 in every draw are left out."""
    drawn, prior = fit.draws.grid.stages_ns, fit.draws.prior.stages_ns
    split = "split by storms" if fit.seen.statistics else "the split is a guess: nothing was measured of CPU time"
    # Whether CPU is burnt meanwhile, and where, may stay open although the time of the hold is known.
    whole, whole_sd = hold_draws(fit.draws), fit.priors.hold_ns * HOLD_SD
    hold, narrowed = _kind(fit, whole, whole_sd), _narrowed(whole, whole_sd)
    for number, end in enumerate(fit.endpoints):
        for place, part in enumerate(PARTS):
            values = drawn[:, number, place]
            if not values.any():
                continue
            prior_sd = float(prior[:, number, place].std())
            note = (
                f"single starts give the stage's length; {split}."
                if part in ("delay", "work")
                else _part_note(fit, part, values)
            )
            holds = part.startswith("hold")
            kind = hold if holds else _kind(fit, values, prior_sd)
            if holds and values.max() < _VISIBLE_NS:
                kind = "limit"
            yield _Drawn(f"{end}.{part}", values, "ns", kind, note, prior_sd or None, narrowed if holds else None)


def _part_note(fit: TargetFit, part: str, values: Floats) -> str:
    if part == "background":
        return "CPU time of a start less what its endpoints wait for."
    if values.max() < _VISIBLE_NS:
        return "no hold was seen here; it only lets the growth beside residents begin."
    scale = format_ns(fit.priors.hold_ns)
    return f"the hold of the lock, from the times at which boxes of storms come up; before them anything up to {scale}."


def _contention(fit: TargetFit) -> Iterator[_Drawn]:
    yield _inflation(fit)
    yield _crowding(fit)
    growth = fit.draws.grid.growth_ns
    if fit.priors.growth_ns is None:
        note = "not in the data: there are no storms beside residents; add `residents: [8]` with `concurrency: [1, 4]`."
        yield _Drawn("growth", np.zeros(len(growth)), "ns", "assumed", note)
    else:
        prior_sd = float(fit.draws.prior.growth_ns.std())
        note = "storms beside residents against storms on an empty host."
        yield _Drawn("growth", growth, "ns", _kind(fit, growth, prior_sd), note, prior_sd)


def _inflation(fit: TargetFit) -> _Drawn:
    values = fit.draws.grid.inflation
    if fit.priors.inflation > 0 and len({one.level for one in fit.seen.statistics if one.of == "cpu"}) > 1:
        prior_sd = float(fit.draws.prior.inflation.std())
        note = "CPU time per start at each number of boxes."
        return _Drawn("inflation", values, "1", _kind(fit, values, prior_sd), note, prior_sd)
    note = "not in the data: CPU time was read at one number of boxes, or the host has one CPU."
    return _Drawn("inflation", np.zeros(len(values)), "1", "assumed", note)


def _crowding(fit: TargetFit) -> _Drawn:
    values = fit.draws.grid.crowding
    prior_sd = float(fit.draws.prior.crowding.std())
    prior = f"before the data it is 0 with {NO_CROWDING:.0%}, else half-normal with {CROWDING_SD:g}"
    if max(fit.boxes) < _CROWDED * fit.cpus:
        note = f"only its prior: no storm had {_CROWDED} boxes per CPU; {prior}."
        return _Drawn("crowding", values, "1", "limit", note, prior_sd, 0.0)
    absent = float((values == 0).mean())
    sure = absent < _SURE or absent > 1 - _SURE
    narrowed = 1 - (absent * (1 - absent) / (NO_CROWDING * (1 - NO_CROWDING))) ** 0.5
    note = f"storms of more boxes than CPUs: it is 0 with {absent:.0%}; {prior}."
    return _Drawn(
        "crowding", values, "1", "measured" if sure and _rests(fit.draws) else "limit", note, prior_sd, narrowed
    )


def _scatter(fit: TargetFit, blocks: Blocks | None) -> Iterator[_Drawn]:
    count = len(fit.draws.scatter)
    if fit.noise is None or blocks is None:
        note = "not in the data: a table of medians does not tell how single boxes scatter."
        for part in ("block_sd", "block_correlation", "box_sd"):
            yield _Drawn(part, np.zeros(count), "1", "assumed", note)
        return
    sd = fit.noise.sd * np.minimum(1 / np.sqrt(blocks.tails[1:]), _MOST_SCATTER)
    own = np.array(SCATTERS)[fit.draws.scatter]
    note = (
        f"single starts scatter by {fit.noise.sd:.1%}, trials and boxes together; storms tell which part of it is each "
        "box's own."
    )
    prior_sd = fit.noise.sd * float(np.sqrt(SCATTERS).std())
    for part, values in (("block_sd", sd * np.sqrt(1 - own)), ("box_sd", sd * np.sqrt(own))):
        yield _Drawn(part, values, "1", _kind(fit, values, prior_sd), note, prior_sd)
    yield _correlation(fit.noise, own)


def _correlation(noise: Noise, own: Floats) -> _Drawn:
    """The whole is correlated as measured; of it only what a block's boxes share can be."""
    shared = noise.correlation / (1 - own)
    values = np.clip(shared, 0.0, _MOST_CORRELATION)
    if noise.pairs < LEAST_PAIRS:
        note = f"not in the data: {noise.pairs} pairs of neighbouring blocks, and {LEAST_PAIRS} are needed."
        return _Drawn("block_correlation", values, "1", "assumed", note)
    if noise.correlation <= 0:
        note = f"none was seen between {noise.pairs} pairs of neighbouring blocks."
        return _Drawn("block_correlation", values, "1", "limit", note)
    note = f"of single starts in {noise.pairs} pairs of neighbouring blocks."
    clipped = noise.correlation >= MOST_CORRELATION or bool((shared > _MOST_CORRELATION).any())
    return _Drawn("block_correlation", values, "1", "limit" if clipped else "measured", note)


def _memory(fit: TargetFit) -> Iterator[_Drawn]:
    if fit.memory is None:
        return
    fixed, each = fit.memory
    levels = ", ".join(map(str, fit.memory_boxes))
    few = fit.memory_blocks < MEMORY_BLOCKS
    kind: Kind = "limit" if few else "measured"
    blocks = f" Of {fit.memory_blocks} blocks, which do not say how much blocks differ." if few else ""
    yield _Drawn(
        "memory_fixed",
        fixed[1:],
        "bytes",
        kind,
        f"daemons, and the line at no box through readings of {levels} boxes.{blocks}",
    )
    yield _Drawn("memory_slope", each[1:], "bytes", kind, f"growth of the ledger between {levels} boxes.{blocks}")


def _notes(fit: TargetFit, *, more_help: bool) -> Iterator[str]:
    """What the data could not decide.

    Args:
        more_help: whether more blocks would narrow what storms tell.
    """
    storms = [boxes for boxes in fit.boxes if boxes > 1]
    if not storms:
        yield (
            "No storm was measured: how starts slow each other down is not known. Add `concurrency: [1, 2, 4, 8]` "
            "with `blocks: 20`."
        )
    else:
        yield from _hold_notes(fit, more_help)
    yield from _draw_notes(fit.draws)
    if fit.misfit > _TOLD_MISFIT and fit.draws.worst is not None:
        statistic, off = fit.draws.worst
        yield (
            f"The model is off by {fit.misfit:.0%} beyond noise on the storms that it was fitted to; most on "
            f"{name(statistic)}, which took {abs(np.expm1(off)):.0%} {'more' if off > 0 else 'less'} than it says."
        )
    yield from _crowding_notes(fit)
    for level, lost in fit.lost.items():
        yield f"{lost} storms of {level.boxes} boxes lost a box and were left out: the model has no failures."
    if fit.noise is not None and fit.blocks < _ENOUGH_BLOCKS and more_help:
        yield f"Only {fit.blocks} blocks of single starts: {_ENOUGH_BLOCKS} would make every band narrower."
    if not fit.memory_boxes and fit.noise is not None:
        yield "Memory was not measured: add `residents: [1, 2, 4, 8, 16]`."


def _draw_notes(draws: Posterior) -> Iterator[str]:
    """How far the draws can be trusted."""
    count, worth = len(draws.scatter), f"{draws.effective:.0f} independent ones"
    if not _rests(draws):
        yield (
            f"The {count} draws are worth only {worth}, so nothing that storms tell counts as measured; fit again with "
            "another --seed, or with more --draws."
        )
    elif draws.effective < ENOUGH * count:
        yield (
            f"The {count} draws are worth {worth}, and {ENOUGH * count:.0f} were wanted: another --seed gives somewhat "
            "other bands."
        )
    if not draws.settled:
        yield (
            f"The fit ended before its misfit had come down: it may be less than {draws.misfit:.1%}, and bands too "
            "wide. Fit again with another --seed, or with more --draws."
        )


def _crowding_notes(fit: TargetFit) -> Iterator[str]:
    if max(fit.boxes) < _CROWDED * fit.cpus:
        return
    usual = float(crowding_at(np.array([_BEYOND]))[0])
    middle = float(np.median(fit.draws.grid.crowding))
    if middle > usual:
        yield (
            f"Crowding is {middle:.2f}; before the data {_BEYOND:.0%} of its values were below {usual:.2f}. What was "
            "assumed pulls it down, and larger storms may take longer than the model says."
        )


def _hold_notes(fit: TargetFit, more_help: bool) -> Iterator[str]:
    hold = hold_draws(fit.draws)
    prior_sd = fit.priors.hold_ns * HOLD_SD
    high = float(np.quantile(hold, 0.95))
    if _kind(fit, hold, prior_sd) == "limit":
        narrower = "; `concurrency: [2]` with `blocks: 20` would narrow it"
        missing = not fit.storms_of_two or (fit.storms_of_two < _ENOUGH_BLOCKS and more_help)
        cells = narrower if missing else ""
        yield f"The hold of the lock is only bounded: at most {format_ns(high)} per start{cells}."
    weights = fit.draws.place_weights
    best = int(weights.argmax())
    if float(hold.mean()) > 0 and weights[best] < _LIKELY and len(weights) > 1:
        place = fit.priors.places[best]
        where = " and ".join(fit.endpoints[number] for number in place.stages)
        how = "burning CPU time" if place.works else "waiting"
        yield (f"Where the lock is held is not known: before {where}, {how}, has a probability of {weights[best]:.0%}.")


def hold_draws(draws: Posterior) -> Floats:
    """(draws,) How long one start holds the lock, ns."""
    stages = draws.grid.stages_ns
    found: Floats = stages[..., PARTS.index("hold_work")].sum(axis=1) + stages[..., PARTS.index("hold_delay")].sum(
        axis=1
    )
    return found
