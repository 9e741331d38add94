"""``boxbench simulate pool``."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from bench.cli.options import Json
from bench.cli.simulate.options import (
    SEED,
    AnswerOut,
    Baseline,
    Beyond,
    Cpus,
    Memory,
    ModelFile,
    ModelTargets,
    Reserve,
    Seed,
    count_option,
    host_memory,
    host_reserve,
    read_count,
    show_answer,
)
from bench.cli.simulate.progress import Step
from bench.cli.simulate.trace_options import (
    ColdDurations,
    SnapshotStart,
    SomeDraws,
    TraceName,
    WithinMinute,
    read_span,
    read_trace_options,
    read_variants,
    trace_terms,
)
from bench.render.figures import trade_off
from bench.render.simulation.drawings import answer_drawings
from bench.sim.answer.terms import choose_baseline
from bench.sim.fleet.pool_answer import PoolQuestion, answer_pool
from bench.sim.fleet.spec import FleetSpec
from bench.sim.model.file import Model, read_model
from bench.sim.traces.spec import open_trace
from bench.util.errors import UsageError

_NEVER: Final = "never"

KeepAlive = Annotated[
    str,
    typer.Option(
        "--keep-alive",
        metavar="TIME[,TIME...]",
        help="How long an idle box waits for work; `never` ends no box. The answer is about the last one.",
    ),
]
Prewarmed = Annotated[
    str,
    typer.Option(
        "--prewarmed",
        metavar="N[,N...]",
        help="Boxes of each function that are always idle or starting. The answer is about the last one.",
    ),
]
Queue = Annotated[
    int | None,
    count_option(
        "--queue",
        "Invocations that may wait when the host is full; 0 rejects them.",
        least=0,
        most=10**9,
        default="unlimited",
    ),
]


def pool(
    model: ModelFile,
    trace: TraceName,
    keep_alive: KeepAlive = "0s,1min,10min",
    prewarmed: Prewarmed = "0",
    targets: ModelTargets = None,
    baseline: Baseline = None,
    snapshot: SnapshotStart = None,
    cpus: Cpus = None,
    memory: Memory = None,
    reserve: Reserve = None,
    queue: Queue = None,
    within: WithinMinute = "uniform",
    durations: ColdDurations = "check",
    draws: SomeDraws = None,
    beyond: Beyond = False,
    seed: Seed = SEED,
    out: AnswerOut = None,
    json: Json = False,
) -> None:
    """A trace runs on one host for each keep-alive and each pool: the share of cold starts against wasted memory.

    The same trace and the same luck meet every target and every keep-alive. docs/how-to/fleet.md has the rules.

    Exit codes: 0 answered, 4 the data do not support an answer.
    """
    keep_alives, counts = read_keep_alives(keep_alive), read_counts("--prewarmed", prewarmed)
    found = read_model(model)
    spec = _host(found, cpus, memory, reserve, queue)
    options = read_trace_options(within, durations, spec.memory_bytes)
    with Step(f"reading {trace}") as step:
        source = open_trace(trace, options)
        terms = trace_terms(found, seed=seed, draws=draws, beyond=beyond, step=step)
        variants = read_variants(terms.model, targets, snapshot)
        question = PoolQuestion(
            trace=source,
            trace_text=trace,
            variants=variants,
            baseline=choose_baseline([one.label for one in variants], baseline),
            spec=spec,
            keep_alives_ns=keep_alives,
            prewarmed=counts,
        )
        answer = answer_pool(terms, question)
    tables = (("Keep-alive and pre-warmed boxes", trade_off.point_table(answer)),)
    show_answer(answer, out=out, json=json, draw=lambda: list(answer_drawings(answer)), tables=tables)


def read_keep_alives(text: str) -> tuple[int | None, ...]:
    """Keep-alives in ns; None: for ever. Raises UsageError: no duration, or one that is given twice."""
    found = tuple(
        None if word.strip() == _NEVER else read_span("--keep-alive", word.strip()) for word in text.split(",")
    )
    if len(set(found)) < len(found):
        raise UsageError(f"--keep-alive: {text} names a time twice", hint="name each once")
    return found


def read_counts(option: str, text: str) -> tuple[int, ...]:
    """Numbers of boxes from 0 on. Raises UsageError."""
    hint = f"write {option} 0,1,2"
    found = tuple(read_count(option, word.strip(), least=0, hint=hint) for word in text.split(","))
    if len(set(found)) < len(found):
        raise UsageError(f"{option}: {text} names a number twice", hint="name each once")
    return found


def _host(model: Model, cpus: int | None, memory: str | None, reserve: str | None, queue: int | None) -> FleetSpec:
    size = host_memory(model, memory)
    return FleetSpec(
        hosts=1,
        cpus=cpus or model.host.cpus,
        memory_bytes=size,
        reserve_bytes=host_reserve(reserve, size),
        queue_limit=queue,
    )
