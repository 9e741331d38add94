"""``boxbench simulate reboot``."""

from __future__ import annotations

from typing import Annotated

import typer

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
    Poisson,
    Replications,
    Seed,
    labels,
    read_count,
    show_answer,
    terms_of,
)
from bench.cli.simulate.progress import Step
from bench.render.simulation.drawings import answer_drawings
from bench.sim.answer.terms import Terms, choose_baseline, choose_targets, find_target
from bench.sim.host.arrivals import read_arrivals
from bench.sim.host.reboot import RebootQuestion, answer_reboot
from bench.sim.model.file import read_model
from bench.util.errors import UsageError

Boxes = Annotated[
    str,
    typer.Option(
        "--boxes",
        "-n",
        metavar="N|A=N,B=N",
        help="What was up: so many boxes of each target, each on a host of its own; or docker=200,libvirt/kvm=30 "
        "together on one host.",
        show_default=False,
    ),
]
_HINT = "write for example --boxes 200, or --boxes docker=200,libvirt/kvm=30"


def reboot(
    model: ModelFile,
    boxes: Boxes,
    targets: ModelTargets = None,
    baseline: Baseline = None,
    cpus: Cpus = None,
    interval: Interval = None,
    poisson: Poisson = None,
    draws: Draws = None,
    replications: Replications = 2,
    beyond: Beyond = False,
    seed: Seed = SEED,
    out: AnswerOut = None,
    json: Json = False,
) -> None:
    """Everything that was up on a host starts again, while the host fills up: when are half, 90 % and all back?

    Exit codes: 0 answered, 4 the data do not support an answer.
    """
    with Step() as step:
        terms = terms_of(read_model(model), seed=seed, draws=draws, replications=replications, beyond=beyond, step=step)
        counts, together = read_counts(terms, boxes, targets)
        question = RebootQuestion(
            counts=counts,
            cpus=cpus or terms.model.host.cpus,
            together=together,
            baseline=choose_baseline(tuple(counts), baseline),
            arrivals=read_arrivals(interval=interval, poisson=poisson, boxes=sum(counts.values())),
        )
        answer = answer_reboot(terms, question)
    show_answer(answer, out=out, json=json, draw=lambda: list(answer_drawings(answer)))


def read_counts(terms: Terms, text: str, targets: str | None) -> tuple[dict[str, int], bool]:
    """Boxes by target, and whether all are on one host. Raises UsageError."""
    if "=" not in text:
        number = read_count("--boxes", text, least=1, hint=_HINT)
        return dict.fromkeys(choose_targets(terms.model, labels(targets)), number), False
    if targets is not None:
        raise UsageError("--boxes names targets, so -t has no effect", hint="leave -t out")
    counts: dict[str, int] = {}
    for part in text.split(","):
        # Options of a target may hold "=" themselves: `docker[runtime=runsc]=30`.
        name, _, given = part.rpartition("=")
        label = find_target(terms.model, name.strip())
        if label in counts:
            raise UsageError(f"--boxes names {label} twice", hint=_HINT)
        counts[label] = read_count("--boxes", given.strip(), least=1, hint=_HINT)
    return counts, True
