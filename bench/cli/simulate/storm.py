"""``boxbench simulate storm``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from bench.cli.options import Json
from bench.cli.simulate import figures
from bench.cli.simulate.options import (
    SEED,
    AnswerOut,
    Baseline,
    Beyond,
    Cpus,
    Draws,
    Interval,
    ModelFile,
    ModelTargets,
    PerVm,
    Poisson,
    Replications,
    Residents,
    Seed,
    VmCpus,
    labels,
    read_sizes,
    show_answer,
    terms_of,
)
from bench.cli.simulate.progress import Step
from bench.render.figures import capacity
from bench.render.figures.base import Drawing
from bench.sim.answer.terms import Terms, choose_baseline, choose_targets
from bench.sim.host.arrivals import Arrivals, read_arrivals
from bench.sim.host.curve import MeasuredStorm, measured_storms
from bench.sim.host.sides import Alone, Side
from bench.sim.host.sides import nested as read_nested
from bench.sim.host.storm import StormAnswer, StormQuestion, answer_storm
from bench.sim.model.file import read_model
from bench.sim.observe.campaign import observe
from bench.sim.observe.table import observe_table
from bench.util.errors import UsageError

Boxes = Annotated[
    str,
    typer.Option(
        "--boxes",
        "-n",
        metavar="N[,N...]",
        help="Boxes that are requested. Several sizes, such as 1,2,4,...,256, give a capacity curve.",
        show_default=False,
    ),
]
NestedText = Annotated[
    str | None,
    typer.Option(
        "--nested",
        metavar="OUTER:INNER",
        help="Also containers in virtual machines, such as libvirt/kvm:docker.",
        show_default=False,
    ),
]
Measured = Annotated[
    list[Path] | None,
    typer.Option(
        "--measured",
        metavar="CAMPAIGN|TABLE",
        help="A campaign or a CSV table whose storms are shown on the curve; repeat it for several.",
        show_default=False,
    ),
]


def storm(
    model: ModelFile,
    boxes: Boxes,
    targets: ModelTargets = None,
    baseline: Baseline = None,
    cpus: Cpus = None,
    residents: Residents = 0,
    interval: Interval = None,
    poisson: Poisson = None,
    nested: NestedText = None,
    per_vm: PerVm = None,
    vm_cpus: VmCpus = None,
    measured: Measured = None,
    draws: Draws = None,
    replications: Replications = 2,
    beyond: Beyond = False,
    seed: Seed = SEED,
    out: AnswerOut = None,
    json: Json = False,
) -> None:
    """Simulates boxes that start at once, each target alone on the host, with the same luck for all targets.

    Exit codes: 0 answered, 4 the data do not support an answer.
    """
    sizes = read_sizes("--boxes", boxes)
    arrivals = read_arrivals(interval=interval, poisson=poisson, boxes=sizes[-1])
    _refuse_useless(sizes, nested, per_vm, vm_cpus, measured)
    inside = Inside(nested, per_vm or 8, vm_cpus or 1)
    with Step() as step:
        terms = terms_of(read_model(model), seed=seed, draws=draws, replications=replications, beyond=beyond, step=step)
        question = _question(terms, sizes, (targets, baseline), cpus, residents, arrivals, inside)
        answer = answer_storm(terms, question, _measured(measured or []))
    show_answer(answer, out=out, json=json, draw=lambda: list(drawings(answer)))


def _refuse_useless(
    sizes: tuple[int, ...], nested: str | None, per_vm: int | None, vm_cpus: int | None, measured: list[Path] | None
) -> None:
    """Raise UsageError for an option that would have no effect."""
    for option, value in (("--per-vm", per_vm), ("--vm-cpus", vm_cpus)):
        if nested is None and value is not None:
            raise UsageError(
                f"{option} has no effect without --nested", hint="add --nested OUTER:INNER, or leave it out"
            )
    if measured and len(sizes) == 1:
        raise UsageError(
            "--measured has no effect on a single size", hint="give several, such as --boxes 1,2,4,...,64, for a curve"
        )


class Inside(NamedTuple):
    """Containers in virtual machines, as the command line names them."""

    text: str | None
    per_vm: int
    vm_cpus: int


def _question(
    terms: Terms,
    sizes: tuple[int, ...],
    names: tuple[str | None, str | None],
    cpus: int | None,
    residents: int,
    arrivals: Arrivals,
    inside: Inside,
) -> StormQuestion:
    targets, baseline = names
    on = cpus or terms.model.host.cpus
    chosen = choose_targets(terms.model, labels(targets))
    sides: list[Side] = [Alone(target=one, cpus=on, residents=residents, arrivals=arrivals) for one in chosen]
    if inside.text is not None:
        first = Alone(target=chosen[0], cpus=on, residents=residents, arrivals=arrivals)
        sides.append(read_nested(terms.model, inside.text, per_vm=inside.per_vm, vm_cpus=inside.vm_cpus, side=first))
    return StormQuestion(
        sizes=sizes,
        cpus=on,
        sides=tuple(sides),
        baseline=choose_baseline(tuple(side.label for side in sides), baseline),
        residents=residents,
        arrivals=arrivals,
    )


def _measured(places: list[Path]) -> tuple[MeasuredStorm, ...]:
    campaigns = [place for place in places if not place.is_file()]
    seen = [observe_table(place) for place in places if place.is_file()]
    if campaigns:
        seen.append(observe(campaigns))
    return tuple(storm for one in seen for storm in measured_storms(one))


def drawings(answer: StormAnswer) -> Iterator[Drawing]:
    """The figures of an answer, in their order."""
    if answer.curve is not None:
        yield capacity.draw(answer.curve)
        yield capacity.draw_strip(answer.curve)
    yield from figures.drawings(answer)
