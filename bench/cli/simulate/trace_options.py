"""Options of the questions about traces: the trace itself, and what is compared on it."""

from __future__ import annotations

from typing import Annotated, Final, get_args

import typer

from bench.cli.simulate.options import count_option, labels, read_bytes, read_count, terms_of
from bench.cli.simulate.progress import Step
from bench.sim.answer.terms import Terms, choose_targets, find_target
from bench.sim.fleet.file import parse_span_ns
from bench.sim.fleet.variants import InVm, Snapshot, Variant
from bench.sim.limits import MOST_CPUS, MOST_TRIALS
from bench.sim.model.file import Model
from bench.sim.traces.cold import Durations
from bench.sim.traces.spec import TraceOptions
from bench.sim.traces.within import Within
from bench.util.errors import UsageError
from bench.util.numbers import plain_number

DRAWS: Final = 20
"""Draws of the model that are used unless more are asked for: each is a run of the whole trace."""

TraceName = Annotated[
    str,
    typer.Option(
        "--trace",
        metavar="TRACE",
        help="A trace file or directory, sample:NAME, or a law: poisson:, bursts:on=10s,off=50s or diurnal:swing=0.8, "
        "with rate=10 (per second), duration=200ms, length=60min, functions=1, memory=128MiB.",
        show_default=False,
    ),
]
WithinMinute = Annotated[
    str,
    typer.Option(
        "--within",
        metavar="|".join(get_args(Within)),
        help="How invocations lie within a minute, where a trace has counts per minute.",
    ),
]
ColdDurations = Annotated[
    str,
    typer.Option(
        "--durations",
        metavar="|".join(get_args(Durations)),
        help="Whether the trace's durations contain cold starts.",
    ),
]
SomeDraws = Annotated[
    int | None,
    count_option(
        "--draws",
        "How many of the model's draws to use; each is a run of the trace.",
        most=MOST_TRIALS,
        default=f"{DRAWS}, or all",
    ),
]
SnapshotStart = Annotated[
    str | None,
    typer.Option(
        "--snapshot",
        metavar="START,CPU",
        help="Also compare starts from a snapshot that take this long and this much CPU time, such as 150ms,60ms. They "
        "are not measured, but assumed by you.",
        show_default=False,
    ),
]


def number_of_draws(model: Model, given: int | None) -> int:
    """How many draws of the model are used."""
    return min(DRAWS, len(model.weights)) if given is None else given


def read_trace_options(within: str, durations: str, host_memory_bytes: int) -> TraceOptions:
    """What a trace file does not say. Raises UsageError: an unknown word."""
    for option, word, known in (
        ("--within", within, get_args(Within)),
        ("--durations", durations, get_args(Durations)),
    ):
        if word not in known:
            raise UsageError(f"{option}: {word!r} is not known", hint=f"write one of {', '.join(known)}")
    return TraceOptions(
        within=within,  # type: ignore[arg-type]
        durations=durations,  # type: ignore[arg-type]
        host_memory_bytes=host_memory_bytes,
    )


def trace_terms(model: Model, *, seed: int, draws: int | None, beyond: bool, step: Step) -> Terms:
    """The terms of a question about a trace: one run for each draw. Raises UsageError, as ``terms_of``."""
    count = number_of_draws(model, draws)
    return terms_of(model, seed=seed, draws=count, replications=1, beyond=beyond, step=step)


def read_variants(
    model: Model, targets: str | None, snapshot: str | None, vms: list[str] | None = None
) -> tuple[Variant, ...]:
    """What is compared: the targets, each also from a snapshot if one is given, and boxes inside VMs.

    Raises UsageError: an unknown target, a wrong snapshot or VM.
    """
    chosen = choose_targets(model, labels(targets))
    found = [Variant(target=target) for target in chosen]
    if snapshot is not None:
        start = _read_snapshot(snapshot)
        found += [Variant(target=target, snapshot=start) for target in chosen]
    found += [_read_vm(model, text) for text in vms or []]
    return tuple(found)


def _read_snapshot(text: str) -> Snapshot:
    words = text.split(",")
    if len(words) != 2:
        raise UsageError(f"--snapshot: {text!r} has no two times", hint="write the start and its CPU time: 150ms,60ms")
    start, cpu = (read_span("--snapshot", word) for word in words)
    return Snapshot(start_ns=start, cpu_ns=cpu)


def _read_vm(model: Model, text: str) -> Variant:
    hint = "write for example --in-vm docker,libvirt,4,8GiB: boxes, VMs, CPUs and memory of a VM"
    words = [word.strip() for word in text.split(",")]
    if len(words) != 4:
        raise UsageError(f"--in-vm: {text!r} is not a target, a VM's target, its CPUs and its memory", hint=hint)
    cpus = read_count("--in-vm: CPUs", words[2], least=1, most=MOST_CPUS, hint=hint)
    inside = InVm(target=find_target(model, words[1]), cpus=cpus, memory_bytes=read_bytes("--in-vm", words[3]))
    return Variant(target=find_target(model, words[0]), inside=inside)


def read_span(option: str, text: str) -> int:
    """A duration such as ``10min``, ns. Raises UsageError."""
    try:
        return parse_span_ns(text)
    except ValueError as error:
        raise UsageError(f"{option}: {error}", hint=f"write for example {option} 10min") from None


def read_share(option: str, text: str) -> float:
    """A share such as ``0.1%``, from 0 to 1. Raises UsageError."""
    word = text.strip()
    number = plain_number(word.removesuffix("%").strip())
    value = -1.0 if number is None else number / (100 if word.endswith("%") else 1)
    if not 0 <= value < 1:
        raise UsageError(f"{option}: {text!r} is not a share from 0 to less than 1", hint=f"write {option} 0.1%")
    return value
