"""The units of a sweep: pure functions of their values and the seed, whose keys are names."""

from __future__ import annotations

import itertools
import math
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from bench.sim.answer.distance import refuse_beyond
from bench.sim.answer.terms import choose_baseline, choose_draws, choose_targets
from bench.sim.engine.rng import uniforms
from bench.sim.fleet.question import NoMemoryError, check_memory
from bench.sim.fleet.variants import Variant
from bench.sim.limits import MOST_TRIALS
from bench.sim.model.file import Model
from bench.sim.sweep.file import SweepFile
from bench.sim.sweep.parameters import Parameter, Value, axis_values, drawn_values, parse_value
from bench.sim.sweep.question import Question
from bench.sim.sweep.questions import question_of
from bench.util.errors import UsageError

PURPOSE: Final = 0x5300
"""Of the random numbers of uncertain parameters. The entity is the parameter's name, the number is the sample."""
MOST_UNITS: Final = 1_000_000
MOST_NUMBERS: Final = 100_000_000
"""Samples of all units: they are in memory together, with 8 bytes each."""


@dataclass(frozen=True, kw_only=True)
class Unit:
    """One target at one set of values.

    Attributes:
        key: names the unit: ``boxes=8 cpus=4 | docker``, with ``#3`` for the fourth sample.
        cell: the index of its point in the grid.
        sample: the number of its sample of the uncertain parameters; 0 without them.
        values: of all parameters of the question.
    """

    key: str
    cell: int
    sample: int
    target: str
    values: Mapping[str, Value]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A sweep that can be run.

    Attributes:
        axes: values of each axis, by name.
        cells: the grid: one value per axis, the last axis fastest.
        inputs: digests of files that values name.
        beyond: whether points more than 10 times beyond the data are answered.
        unanswered: sentences on targets that were asked about and are left out.
        left_out: sentences on what the model does not have, and on what traces leave open.
        cut: sentences on uncertain parameters of which some samples were put on a limit.
    """

    sweep: SweepFile
    targets: tuple[str, ...]
    baseline: str
    axes: Mapping[str, tuple[Value, ...]]
    cells: tuple[Mapping[str, Value], ...]
    draws: tuple[int, ...]
    units: tuple[Unit, ...]
    inputs: Mapping[str, str]
    beyond: bool
    unanswered: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    cut: tuple[str, ...] = ()

    @property
    def question(self) -> Question:
        """What is asked."""
        return question_of(self.sweep.question)


def build_plan(sweep: SweepFile, model: Model, *, beyond: bool = False) -> Plan:
    """The units of a sweep over a model.

    Args:
        beyond: whether values more than 10 times beyond the data are simulated.

    Raises:
        UsageError: an unknown target or parameter, a value outside its limits, too many units or samples.
        NotInDataError: a value more than 10 times beyond the data.
    """
    question = question_of(sweep.question)
    _refuse_unknown(sweep, question)
    targets, unanswered = _targets(sweep, question, model)
    known = question.parameters
    axes = {name: axis_values(name, known[name], axis) for name, axis in sweep.axes.items()}
    count = math.prod(map(len, axes.values())) * (sweep.samples or 1) * len(targets)
    if count > MOST_UNITS:
        raise UsageError(f"the sweep has {count} units, more than {MOST_UNITS}", hint="take fewer values or samples")
    draws = choose_draws(model, sweep.draws)
    _check_size(count, len(draws), sweep.replications, len(question.sampled))
    cells = tuple(dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values()))
    samples, cut = _samples(sweep, known)
    units = tuple(_units(sweep, question, model, targets, cells, samples))
    refuse_beyond([one for unit in units for one in question.planned(model, unit.target, unit.values)], allowed=beyond)
    different = _different(units)
    return Plan(
        sweep=sweep,
        targets=targets,
        baseline=choose_baseline(targets, sweep.baseline),
        axes=axes,
        cells=cells,
        draws=draws,
        units=units,
        inputs=_inputs(question, different),
        left_out=tuple(dict.fromkeys(line for values in different for line in question.left_out(values))),
        beyond=beyond,
        unanswered=unanswered,
        cut=cut,
    )


def _targets(sweep: SweepFile, question: Question, model: Model) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The targets that can be answered, and a sentence on each other one. Raises UsageError: there is none."""
    asked = choose_targets(model, sweep.targets)
    if not question.of_memory:
        return asked, ()
    lacking: dict[str, NoMemoryError] = {}
    for target in asked:
        try:
            check_memory(model, Variant(target=target))
        except NoMemoryError as error:
            lacking[target] = error
    if len(lacking) == len(asked):
        raise lacking[asked[0]]
    return tuple(one for one in asked if one not in lacking), tuple(one.message for one in lacking.values())


def _refuse_unknown(sweep: SweepFile, question: Question) -> None:
    for section in ("fixed", "axes", "uncertain"):
        for name in getattr(sweep, section):
            if name not in question.parameters:
                raise UsageError(
                    f"{section}: {sweep.question} has no parameter {name!r}",
                    hint=f"it has {', '.join(question.parameters)}",
                )


def _check_size(units: int, draws: int, replications: int, names: int) -> None:
    """Raise UsageError: more runs of a unit than have luck of their own, or more samples than fit in memory."""
    if draws * replications > MOST_TRIALS:
        raise UsageError(
            f"{draws} draws with {replications} replications are more than {MOST_TRIALS} runs",
            hint="ask for fewer replications or draws",
        )
    numbers = units * draws * replications * names
    if numbers > MOST_NUMBERS:
        raise UsageError(
            f"{units} units with {draws} draws, {replications} replications and {names} numbers each are "
            f"{numbers} samples, more than {MOST_NUMBERS}",
            hint="take fewer values, samples or draws",
        )


def _units(
    sweep: SweepFile,
    question: Question,
    model: Model,
    targets: tuple[str, ...],
    cells: tuple[Mapping[str, Value], ...],
    samples: list[dict[str, Value]],
) -> Iterator[Unit]:
    fixed = {name: parse_value(name, question.parameters[name], given) for name, given in sweep.fixed.items()}
    for place, cell in enumerate(cells):
        named = " ".join(f"{name}={_named(value)}" for name, value in cell.items())
        for number, sample in enumerate(samples):
            values = question.complete({**fixed, **cell, **sample}, model)
            for target in targets:
                head = " ".join(filter(None, (named, f"#{number}" if sample else "")))
                yield Unit(key=f"{head} | {target}", cell=place, sample=number, target=target, values=values)


def _named(value: Value) -> str:
    """A value in a key. Text with spaces is quoted, so that no two units have one key."""
    return repr(value) if isinstance(value, str) and set(value) & set(" |'\"") else str(value)


def _different(units: tuple[Unit, ...]) -> list[Mapping[str, Value]]:
    """The values of one unit for each trace, with whatever else the trace depends on; of any unit without traces."""
    names = ("trace", "within", "durations")
    return list({tuple(map(one.values.get, names)): one.values for one in units}.values())


def _inputs(question: Question, different: list[Mapping[str, Value]]) -> dict[str, str]:
    if question.inputs is None:
        return {}
    found: dict[str, str] = {}
    for values in different:
        found |= question.inputs(values)
    return found


def _samples(sweep: SweepFile, parameters: Mapping[str, Parameter]) -> tuple[list[dict[str, Value]], tuple[str, ...]]:
    """The samples of all uncertain parameters, one empty sample without any; and a sentence on each that was cut."""
    if sweep.samples is None:
        return [{}], ()
    numbers = list(range(sweep.samples))
    columns: dict[str, list[Value]] = {}
    cut: list[str] = []
    for name, law in sweep.uncertain.items():
        # A checksum of the name: another uncertain parameter in the file does not change this one's values.
        chance = uniforms(sweep.seed, PURPOSE, zlib.crc32(name.encode()), numbers)
        columns[name], sentence = drawn_values(name, parameters[name], law, chance.tolist())
        cut += [sentence] if sentence else []
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)], tuple(cut)
