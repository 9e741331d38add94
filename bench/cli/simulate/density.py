"""``boxbench simulate density``."""

from __future__ import annotations

from bench.cli.options import Json
from bench.cli.simulate.options import (
    SEED,
    AnswerOut,
    Baseline,
    Beyond,
    Draws,
    Memory,
    ModelFile,
    ModelTargets,
    Reserve,
    Seed,
    host_memory,
    host_reserve,
    labels,
    show_answer,
    terms_of,
)
from bench.cli.simulate.progress import Step
from bench.render.simulation.drawings import answer_drawings
from bench.sim.answer.terms import choose_baseline, choose_targets
from bench.sim.host.density import DensityQuestion, answer_density
from bench.sim.model.file import read_model


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
        terms = terms_of(read_model(model), seed=seed, draws=draws, replications=1, beyond=beyond, step=step)
        chosen = choose_targets(terms.model, labels(targets))
        size = host_memory(terms.model, memory)
        question = DensityQuestion(
            memory_bytes=size,
            reserve_bytes=host_reserve(reserve, size),
            targets=chosen,
            baseline=choose_baseline(chosen, baseline),
        )
        answer = answer_density(terms, question)
    show_answer(answer, out=out, json=json, draw=lambda: list(answer_drawings(answer)))
