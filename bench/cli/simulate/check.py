"""``boxbench simulate check``."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.console import console, print_json
from bench.cli.options import Json
from bench.render.commands.simulation_check import check_json, view_check, write_check
from bench.sim.check.check import Terms, check
from bench.sim.check.design import (
    Levels,
    Split,
    all_but_largest,
    by_levels,
    levels_up_to,
    lower_half,
    memory_levels,
    odd_even,
    storm_levels,
    unused,
)
from bench.sim.check.predict import ModelPredictor
from bench.sim.check.result import Check
from bench.sim.fit.fit import fit
from bench.sim.model.file import assumed_sentences, model_digest, read_model
from bench.sim.model.schema import Model
from bench.sim.observe.campaign import observe
from bench.sim.observe.table import observe_table
from bench.sim.observe.trials import Observations
from bench.util.errors import UsageError
from bench.util.text import plain

_LEVELS = re.compile(r"[1-9]\d{0,6}(,[1-9]\d{0,6})*")


def _levels(text: str) -> frozenset[int]:
    if not _LEVELS.fullmatch(text):
        raise UsageError(f"{text!r} is no list of numbers of boxes", hint="write it like 1,2")
    return frozenset(map(int, text.split(",")))


Paths = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="[MODEL.json] [DIR]...",
        help="A fitted model and campaigns that it did not see; or campaigns alone, of which a part is fitted.",
        show_default=False,
    ),
]
Table = Annotated[
    Path | None,
    typer.Option(
        "--table",
        metavar="FILE",
        help="A published table (CSV) instead of campaigns: runtime,n,last,median,cpu_per_start in ms.",
    ),
]
TableCpus = Annotated[
    int | None,
    typer.Option(
        "--table-cpus", metavar="N", min=1, help="CPUs of the table's host.", show_default="its line `# cpus: N`"
    ),
]
Fitted = Annotated[
    frozenset[int] | None,
    typer.Option(
        "--fit",
        metavar="N,N",
        parser=_levels,
        help="Fit storms of these numbers of boxes; score the larger ones.",
        show_default="the lower half of them",
    ),
]
Scored = Annotated[
    frozenset[int] | None,
    typer.Option("--score", metavar="N,N", parser=_levels, help="Score storms of these numbers of boxes."),
]
FitBelow = Annotated[
    int | None,
    typer.Option(
        "--fit-below", metavar="N", min=1, help="Fit storms of at most N boxes, N included; score the larger ones."
    ),
]
FitMemory = Annotated[
    frozenset[int] | None,
    typer.Option(
        "--fit-memory",
        metavar="N,N",
        parser=_levels,
        help="Fit the memory of so many boxes; score that of more.",
        show_default="all but the largest",
    ),
]
OddEven = Annotated[bool, typer.Option("--odd-even", help="Fit the odd blocks and score the even ones.")]
Against = Annotated[
    list[Path] | None,
    typer.Option(
        "--against", metavar="DIR", help="Score this other campaign; the first ones are fitted.", show_default=False
    ),
]
Targets = Annotated[
    str | None, typer.Option("--targets", "-t", metavar="A,B", help="Only these targets.", show_default="all")
]
Scenario = Annotated[
    list[str] | None,
    typer.Option("--scenario", metavar="NAME", help="Only this scenario of the campaigns.", show_default="all"),
]
HostChange = Annotated[
    bool, typer.Option("--host-change", help="The model, or one of the campaigns, may be of another host.")
]
Seed = Annotated[int, typer.Option("--seed", metavar="N", min=0, help="Seed of the fit, of noise and of intervals.")]
Out = Annotated[
    Path | None,
    typer.Option("--out", "-o", metavar="DIR", help="Write a page with figures here.", show_default="none"),
]


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """The options that choose what is fitted and what is scored."""

    fit: frozenset[int] | None
    score: frozenset[int] | None
    below: int | None
    memory: frozenset[int] | None
    odd_even: bool

    @property
    def names(self) -> list[str]:
        """Those that were given, as the user wrote them."""
        given = {
            "--fit": self.fit is not None,
            "--score": self.score is not None,
            "--fit-below": self.below is not None,
            "--fit-memory": self.memory is not None,
            "--odd-even": self.odd_even,
        }
        return [name for name, there in given.items() if there]


def check_command(
    paths: Paths = None,
    table: Table = None,
    table_cpus: TableCpus = None,
    fitted: Fitted = None,
    scored: Scored = None,
    fit_below: FitBelow = None,
    fit_memory: FitMemory = None,
    odd_even_blocks: OddEven = False,
    against: Against = None,
    targets: Targets = None,
    scenario: Scenario = None,
    host_change: HostChange = False,
    seed: Seed = 1,
    out: Out = None,
    json: Json = False,
) -> None:
    """Cells that were used in the fit are never scored. Three predictions without a simulation are scored beside the
    model: constant (as a single start), CPU only (max(T1, N W/c)), and a line through the fitted storms.

    Exit codes: 0 the model explains the storms at least as well as CPU time alone, 3 CPU time alone is better, or the
    model is no better and wrong, or memory is missed, 4 cannot tell.
    """
    asked = _Asked(fit=fitted, score=scored, below=fit_below, memory=fit_memory, odd_even=odd_even_blocks)
    labels = None if targets is None else tuple(targets.split(","))
    places = list(paths or ())
    model_file = places.pop(0) if places and places[0].is_file() else None
    _check_sources(places, table, against, model_file)
    read = _Reader(labels, scenario, table_cpus, host_change)
    seen = read.table(table) if table is not None else read.campaigns(places)
    if model_file is not None:
        found = _check_model(model_file, seen, asked, seed, host_change=host_change)
    else:
        split = _split(seen, asked) if against is None else _other(seen, read.campaigns(against), asked, host_change)
        _say(f"fitting: {split.name}")
        found = _scored(split, fit(split.fit, seed=seed), None, seed)
    page = None if out is None else write_check(found, out)
    if json:
        print_json(check_json(found))
    else:
        console().print(view_check(found))
        if page is not None:
            print(page)
    if found.exit_code:
        raise typer.Exit(found.exit_code)


def _say(line: str) -> None:
    print(plain(line), file=sys.stderr)


def _check_sources(
    places: Sequence[Path], table: Path | None, against: Sequence[Path] | None, model: Path | None
) -> None:
    if table is None and not places:
        raise UsageError(
            "nothing is named that could be scored", hint="name a campaign's directory, or a table with --table FILE"
        )
    if table is not None and (places or against):
        raise UsageError("a table and campaigns cannot be scored together", hint="give one of them")
    if model is not None and against is not None:
        raise UsageError(
            "--against is for campaigns of which a model is fitted first",
            hint="name the campaign to score after the model: `boxbench simulate check model.json DIR`",
        )


class _Reader:
    """Reads campaigns and tables with the options that choose targets."""

    def __init__(
        self, labels: Sequence[str] | None, scenarios: Sequence[str] | None, cpus: int | None, host_change: bool
    ) -> None:
        self._labels, self._scenarios, self._cpus, self._host_change = labels, scenarios, cpus, host_change

    def campaigns(self, places: Sequence[Path]) -> Observations:
        return observe(places, targets=self._labels, scenarios=self._scenarios, host_change=self._host_change)

    def table(self, file: Path) -> Observations:
        seen = observe_table(file, cpus=self._cpus)
        if self._labels is None:
            return seen
        for label in self._labels:
            if label not in seen.targets:
                raise UsageError(f"{file} has no runtime {label!r}", hint=f"it has {', '.join(seen.targets)}")
        return _with_targets(seen, self._labels)


def _with_targets(seen: Observations, labels: Sequence[str]) -> Observations:
    return Observations(
        sources=seen.sources,
        workload=seen.workload,
        targets={label: seen.targets[label] for label in labels},
        left_out=seen.left_out,
    )


def _split(seen: Observations, asked: _Asked) -> Split:
    if asked.odd_even:
        if len(asked.names) > 1:
            raise UsageError(f"{' and '.join(asked.names)} split in different ways", hint="give one of them")
        return odd_even(seen)
    present, read = storm_levels(seen), memory_levels(seen)
    if asked.below is not None:
        if asked.fit is not None or asked.score is not None:
            raise UsageError(f"{' and '.join(asked.names)} split in different ways", hint="give one of them")
        storms = levels_up_to(asked.below, present)
    elif asked.fit is None and asked.score is None:
        storms = lower_half(present)
    else:
        storms = Levels(fit=asked.fit, score=asked.score)
    memory = all_but_largest(read) if asked.memory is None else Levels(fit=asked.memory)
    return by_levels(seen, storms, memory)


def _other(seen: Observations, scored: Observations, asked: _Asked, host_change: bool) -> Split:
    if asked.names:
        raise UsageError(f"{asked.names[0]} splits one campaign, and --against names another", hint="give one of them")
    _check_same(seen.sources[0].host, seen.workload, scored, host_change=host_change)
    name = f"fitted on {', '.join(source.name for source in seen.sources)}"
    return Split(name=name, fit=seen, score=scored)


def _check_same(host: str | None, workload: str, scored: Observations, *, host_change: bool) -> None:
    """Refuse to score another workload, or another host without --host-change."""
    if workload != scored.workload:
        raise UsageError(
            "the model was fitted to another workload (image, command or readiness) than the one to score",
            hint="score a campaign of the same scenario",
        )
    others = [source.host for source in scored.sources if source.host != host]
    if others and not host_change:
        raise UsageError(
            f"the model is of host {host}, and the campaign of host {others[0]}",
            hint="score a campaign of the same host, or add --host-change",
        )


def _check_model(file: Path, seen: Observations, asked: _Asked, seed: int, *, host_change: bool) -> Check:
    wrong = [name for name in asked.names if name != "--score"]
    if wrong:
        raise UsageError(
            f"{wrong[0]} says what to fit, and {file} is fitted already",
            hint="leave it out, or leave the model out and let a part of the campaign be fitted",
        )
    model = read_model(file)
    _check_same(model.host.fingerprint, model.workload, seen, host_change=host_change)
    return _scored(unused(model, seen, asked.score), model, model_digest(model), seed)


def _scored(split: Split, model: Model, digest: str | None, seed: int) -> Check:
    said = assumed_sentences(model)
    assumed = {label: tuple(one for one in said if one.startswith(f"{label}: ")) for label in model.targets}
    terms = Terms(seed=seed, model=digest, assumed=assumed, say=_say)
    return check(split, ModelPredictor(model=model, seed=seed), terms)
