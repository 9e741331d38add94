"""``boxbench simulate fleet``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.options import Json
from bench.cli.simulate.options import (
    SEED,
    AnswerOut,
    Baseline,
    Beyond,
    ModelFile,
    ModelTargets,
    Seed,
    show_answer,
)
from bench.cli.simulate.progress import Step
from bench.cli.simulate.trace_options import (
    ColdDurations,
    SnapshotStart,
    SomeDraws,
    TraceName,
    WithinMinute,
    read_share,
    read_span,
    read_trace_options,
    read_variants,
    trace_terms,
)
from bench.render.simulation.drawings import answer_drawings
from bench.sim.answer.terms import choose_baseline
from bench.sim.cost import read_prices
from bench.sim.fleet.file import read_fleet
from bench.sim.fleet.fleet_answer import answer_fleet
from bench.sim.fleet.fleet_question import FleetQuestion
from bench.sim.fleet.needed import Limit
from bench.sim.model.file import read_model
from bench.sim.traces.spec import open_trace

Fleet = Annotated[
    Path,
    typer.Option(
        "--fleet", "-f", metavar="FILE", help="Fleet file: hosts, policy, keep-alive, failures.", show_default=False
    ),
]
InVms = Annotated[
    list[str] | None,
    typer.Option(
        "--in-vm",
        metavar="A,VM,CPUS,MEMORY",
        help="Also compare boxes of A inside VMs that are always on, such as docker,libvirt,4,8GiB. Repeatable.",
        show_default=False,
    ),
]
Wait = Annotated[
    str,
    typer.Option("--limit-waiting", metavar="SHARE", help="Share of invocations that may wait for a host with room."),
]
P99 = Annotated[
    str | None,
    typer.Option(
        "--limit-p99", metavar="TIME", help="Largest 99th percentile of start delays.", show_default="no limit"
    ),
]
PricesFile = Annotated[
    Path | None, typer.Option("--prices", metavar="FILE", help="Price file, for the cost.", show_default=False)
]
HostKind = Annotated[
    str | None,
    typer.Option("--host-type", metavar="NAME", help="Type of host in the price file.", show_default=False),
]


def fleet(
    model: ModelFile,
    trace: TraceName,
    fleet_file: Fleet,
    targets: ModelTargets = None,
    baseline: Baseline = None,
    in_vm: InVms = None,
    snapshot: SnapshotStart = None,
    limit_waiting: Wait = "0",
    limit_p99: P99 = None,
    prices: PricesFile = None,
    host_type: HostKind = None,
    within: WithinMinute = "uniform",
    durations: ColdDurations = "check",
    draws: SomeDraws = None,
    beyond: Beyond = False,
    seed: Seed = SEED,
    out: AnswerOut = None,
    json: Json = False,
) -> None:
    """The same trace runs in every target, with the same luck: how many hosts it needs, and how long users wait.

    Starts contend on their host for CPUs and the target's lock. docs/how-to/fleet.md has the rules and the fleet file.

    Exit codes: 0 answered, 4 the data do not support an answer, or no number of hosts keeps the limit.
    """
    spec = read_fleet(fleet_file)
    cost = None if prices is None else read_prices(prices)
    if cost is not None:
        cost.per_host_hour(cpus=spec.cpus, memory_bytes=spec.memory_bytes, kind=host_type)
    options = read_trace_options(within, durations, spec.memory_bytes)
    with Step(f"reading {trace}") as step:
        source = open_trace(trace, options)
        terms = trace_terms(read_model(model), seed=seed, draws=draws, beyond=beyond, step=step)
        variants = read_variants(terms.model, targets, snapshot, in_vm)
        question = FleetQuestion(
            trace=source,
            trace_text=trace,
            variants=variants,
            baseline=choose_baseline([one.label for one in variants], baseline),
            spec=spec,
            fleet_text=fleet_file.name,
            limit=_limit(limit_waiting, limit_p99),
            prices=cost,
            host_kind=host_type,
        )
        answer = answer_fleet(terms, question)
    show_answer(answer, out=out, json=json, draw=lambda: list(answer_drawings(answer)))


def _limit(waiting: str, p99: str | None) -> Limit:
    return Limit(
        no_room=read_share("--limit-waiting", waiting),
        delay_ns=None if p99 is None else read_span("--limit-p99", p99),
    )
