"""``boxbench simulate density``."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from bench.cli.options import Json
from bench.cli.simulate.figures import drawings
from bench.cli.simulate.options import (
    SEED,
    AnswerOut,
    Baseline,
    Beyond,
    Draws,
    ModelFile,
    ModelTargets,
    Seed,
    labels,
    read_bytes,
    read_terms,
    show_answer,
)
from bench.cli.simulate.progress import Step
from bench.sim.answer.terms import Terms, choose_baseline, choose_targets
from bench.sim.host.density import DensityQuestion, answer_density
from bench.util.errors import UsageError

_TENTH: Final = 10

Memory = Annotated[
    str | None,
    typer.Option("--memory", metavar="SIZE", help="Memory of the host, such as 256GiB.", show_default="as measured"),
]
Reserve = Annotated[
    str | None,
    typer.Option(
        "--reserve",
        metavar="SIZE",
        help="Memory that boxes must leave to the host.",
        show_default="a tenth of the memory",
    ),
]


def density(
    model: ModelFile,
    targets: ModelTargets = None,
    baseline: Baseline = None,
    memory: Memory = None,
    reserve: Reserve = None,
    draws: Draws = None,
    beyond: Beyond = False,
    seed: Seed = SEED,
    out: AnswerOut = None,
    json: Json = False,
) -> None:
    """How many boxes fit into the host's memory, each target alone. Limits that the model lacks may come first.

    Where more than 10 times as many would fit as were measured, the answer is that at least so many do.

    Exit codes: 0 answered, 4 the data do not support an answer.
    """
    with Step() as step:
        terms = read_terms(model, seed=seed, draws=draws, replications=1, beyond=beyond, step=step)
        chosen = choose_targets(terms.model, labels(targets))
        size = _memory(terms, memory)
        question = DensityQuestion(
            memory_bytes=size,
            reserve_bytes=size // _TENTH if reserve is None else read_bytes("--reserve", reserve, least=0),
            targets=chosen,
            baseline=choose_baseline(chosen, baseline),
        )
        answer = answer_density(terms, question)
    show_answer(answer, out=out, json=json, draw=lambda: list(drawings(answer)))


def _memory(terms: Terms, text: str | None) -> int:
    if text is not None:
        return read_bytes("--memory", text)
    if terms.model.host.memory_bytes is None:
        raise UsageError("the model does not know its host's memory", hint="give --memory, such as --memory 256GiB")
    return terms.model.host.memory_bytes
