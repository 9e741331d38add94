"""``boxbench simulate storm``."""

from __future__ import annotations

from typing import Annotated, NamedTuple

import typer

from bench.cli.messages import note
from bench.cli.options import Json
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
from bench.cli.simulate.sources import storms_to_show
from bench.render.simulation.drawings import answer_drawings
from bench.sim.answer.terms import Terms, choose_baseline, choose_targets
from bench.sim.host.arrivals import AT_ONCE, Arrivals, read_arrivals
from bench.sim.host.curve import MeasuredStorm
from bench.sim.host.sides import Alone, Side
from bench.sim.host.sides import nested as read_nested
from bench.sim.host.storm import StormQuestion, answer_storm
from bench.sim.model.file import Model, read_model
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
    list[str] | None,
    typer.Option(
        "--measured",
        metavar="CAMPAIGN|TABLE",
        help="A campaign, or a table (CSV file or bundled name), whose storms are shown on the curve; may be repeated.",
        show_default=False,
    ),
]
HostChange = Annotated[bool, typer.Option("--host-change", help="With --measured: storms may be of another host.")]


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
    host_change: HostChange = False,
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
    _refuse_useless(nested, per_vm, vm_cpus)
    _refuse_marks(sizes, arrivals, measured, host_change=host_change)
    inside = Inside(nested, per_vm or 8, vm_cpus or 1)
    with Step() as step:
        terms = terms_of(read_model(model), seed=seed, draws=draws, replications=replications, beyond=beyond, step=step)
        named = _Named(targets, baseline, inside)
        host = _Host(cpus or terms.model.host.cpus, residents, arrivals)
        question = _question(terms, sizes, named, host)
        shown = _measured(question, terms.model, measured, host_change=host_change)
        answer = answer_storm(terms, question, shown)
    show_answer(answer, out=out, json=json, draw=lambda: list(answer_drawings(answer)))


def _refuse_useless(nested: str | None, per_vm: int | None, vm_cpus: int | None) -> None:
    """Raise UsageError for an option that would have no effect."""
    for option, value in (("--per-vm", per_vm), ("--vm-cpus", vm_cpus)):
        if nested is None and value is not None:
            raise UsageError(
                f"{option} has no effect without --nested", hint="add --nested OUTER:INNER, or leave it out"
            )


def _refuse_marks(sizes: tuple[int, ...], arrivals: Arrivals, measured: list[str] | None, *, host_change: bool) -> None:
    """Raise UsageError where measured storms have no place, or --host-change no effect."""
    if measured is None:
        if host_change:
            raise UsageError("--host-change has no effect without --measured", hint="name a campaign, or leave it out")
        return
    if len(sizes) == 1:
        raise UsageError(
            "--measured has no effect on a single size", hint="give several, such as --boxes 1,2,4,...,64, for a curve"
        )
    if arrivals != AT_ONCE:
        raise UsageError(
            "--measured shows storms whose boxes were requested at once",
            hint="leave out --interval and --poisson, or --measured",
        )


class Inside(NamedTuple):
    """Containers in virtual machines, as the command line names them."""

    text: str | None
    per_vm: int
    vm_cpus: int


class _Named(NamedTuple):
    """The sides of a storm, as the command line names them."""

    targets: str | None
    baseline: str | None
    inside: Inside


class _Host(NamedTuple):
    """Where each side is asked about, and how boxes are requested there."""

    cpus: int
    residents: int
    arrivals: Arrivals


def _question(terms: Terms, sizes: tuple[int, ...], named: _Named, host: _Host) -> StormQuestion:
    chosen = choose_targets(terms.model, labels(named.targets))
    alone = [Alone(target=one, **host._asdict()) for one in chosen]
    sides: list[Side] = [*alone]
    inside = named.inside
    if inside.text is not None:
        sides.append(read_nested(terms.model, inside.text, per_vm=inside.per_vm, vm_cpus=inside.vm_cpus, side=alone[0]))
    return StormQuestion(
        sizes=sizes,
        sides=tuple(sides),
        baseline=choose_baseline(tuple(side.label for side in sides), named.baseline),
        **host._asdict(),
    )


def _measured(
    question: StormQuestion, model: Model, names: list[str] | None, *, host_change: bool
) -> tuple[MeasuredStorm, ...]:
    """The storms to show; a note where the curve has a place for none of them."""
    if names is None:
        return ()
    found = storms_to_show(model, names, question.targets, host_change=host_change)
    fitting = [one for one in found if (one.cpus, one.residents) == (question.cpus, question.residents)]
    if not fitting:
        note(f"no measured storm is on the curve: none was {question.where}")
    return found
