"""``boxbench simulate check``."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.console import console, print_json
from bench.cli.options import Json
from bench.cli.simulate.options import (
    SEED,
    AnswerOut,
    CheckSeed,
    FitBelow,
    TableCpus,
    fit_draws,
    note_compilation,
    this_command,
)
from bench.cli.simulate.progress import Step
from bench.cli.simulate.sources import check_same
from bench.render.commands.simulation_check import check_json, view_check, write_check
from bench.scenario.targets import split_labels
from bench.sim.answer.distance import EITHER_SIDE
from bench.sim.check.check import CheckTerms, check
from bench.sim.check.design import (
    Levels,
    Split,
    all_but_largest,
    by_levels,
    by_scenarios,
    levels_up_to,
    lower_half,
    memory_levels,
    odd_even,
    other_campaign,
    storm_levels,
    unused,
)
from bench.sim.check.fair import without_scored
from bench.sim.check.predict import ModelPredictor
from bench.sim.check.result import Check
from bench.sim.fit.fit import DRAWS, fit
from bench.sim.model.file import assumed_sentences, model_digest, read_model
from bench.sim.model.schema import Model
from bench.sim.observe.campaign import observe
from bench.sim.observe.table import observe_table
from bench.sim.observe.trials import Observations
from bench.util.errors import UsageError
from bench.util.package_data import find_table
from bench.util.paths import is_file

_LEVELS = re.compile(r"[1-9]\d{0,6}(,[1-9]\d{0,6})*")


def _levels(text: str) -> frozenset[int]:
    if not _LEVELS.fullmatch(text):
        raise UsageError(f"{text!r} is no list of numbers of boxes", hint="write it like 1,2")
    return frozenset(map(int, text.split(",")))


Paths = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="MODEL.json|DIR",
        help="A fitted model and campaigns that it did not see; or campaigns alone, of which a part is fitted.",
        show_default=False,
    ),
]
Table = Annotated[
    str | None,
    typer.Option(
        "--table",
        metavar="NAME|FILE",
        help="A published table instead of campaigns: a bundled one such as rund-2022, or a CSV file with the columns "
        "runtime,n,last,median,cpu_per_start in ms.",
        show_default=False,
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
HoldOut = Annotated[
    list[str] | None,
    typer.Option(
        "--hold-out", metavar="NAME", help="Score this scenario of the campaigns; fit the others.", show_default=False
    ),
]
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
Draws = Annotated[
    int | None,
    fit_draws("Draws of the model that is fitted", default=str(DRAWS)),
]


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """The options that choose what is fitted and what is scored."""

    fit: frozenset[int] | None
    score: frozenset[int] | None
    below: int | None
    memory: frozenset[int] | None
    odd_even: bool
    hold_out: list[str] | None

    @property
    def names(self) -> list[str]:
        """Those that were given, as the user wrote them."""
        given = {
            "--fit": self.fit is not None,
            "--score": self.score is not None,
            "--fit-below": self.below is not None,
            "--fit-memory": self.memory is not None,
            "--odd-even": self.odd_even,
            "--hold-out": self.hold_out is not None,
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
    hold_out: HoldOut = None,
    against: Against = None,
    targets: Targets = None,
    scenario: Scenario = None,
    host_change: HostChange = False,
    draws: Draws = None,
    seed: CheckSeed = SEED,
    out: AnswerOut = None,
    json: Json = False,
) -> None:
    """Cells that were used in the fit are never scored. Predictions without a simulation are scored beside the model:
    constant (as a single start), CPU only (max(T1, N W/c)), a line through the fitted storms, and two that spread CPU
    time over unlike boxes.

    Exit codes: 0 the errors are small, at the largest storms too, and CPU time alone is no better, 3 CPU time alone is
    better, however small the error is, or the model is wrong and no better than a baseline, or memory is missed, 4
    cannot tell, or the model is better than CPU time alone and too far off, or the CPU time of starts is too far off
    or worse than that of a single start, or the fit doubts the target, or storms do not repeat to 30 %.
    """
    asked = _Asked(
        fit=fitted, score=scored, below=fit_below, memory=fit_memory, odd_even=odd_even_blocks, hold_out=hold_out
    )
    named = _named(paths or (), table, against)
    read = _Reader(None if targets is None else split_labels(targets), scenario, table_cpus, host_change)
    note_compilation()
    with Step() as step:
        found = _found(named, read, asked, _Run(draws, seed, host_change, step.say))
        page = None if out is None else write_check(found, out, command=this_command())
    if json:
        print_json(check_json(found))
    else:
        console().print(view_check(found))
        if page is not None:
            print(f"page: {page}")
    if found.exit_code:
        raise typer.Exit(found.exit_code)


@dataclass(frozen=True)
class _Run:
    """How a check is done."""

    draws: int | None
    """Of a model that is fitted for it."""
    seed: int
    host_change: bool
    say: Callable[[str], None]


@dataclass(frozen=True)
class _Named:
    """What a command names: a table or campaigns, and a model or another campaign."""

    places: tuple[Path, ...]
    table: str | None
    model: Path | None
    against: tuple[Path, ...] | None


def _named(paths: Sequence[Path], table: str | None, against: Sequence[Path] | None) -> _Named:
    """What the command names. Raises UsageError: nothing, or things that cannot be together."""
    model = paths[0] if paths and is_file(paths[0]) else None
    places = tuple(paths if model is None else paths[1:])
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
    return _Named(places, table, model, None if against is None else tuple(against))


def _found(named: _Named, read: _Reader, asked: _Asked, run: _Run) -> Check:
    run.say("reading what is scored")
    seen = read.campaigns(named.places) if named.table is None else read.table(named.table)
    if named.model is not None:
        return _check_model(named.model, seen, asked, run)
    if named.against is None:
        split = _split(seen, asked)
    else:
        split = _other(seen, read.campaigns(named.against), asked, run.host_change)
    return _scored(split, fit(split.to_fit, draws=run.draws or DRAWS, seed=run.seed, progress=run.say), None, run)


class _Reader:
    """Reads campaigns and tables with the options that choose targets."""

    def __init__(
        self, labels: Sequence[str] | None, scenarios: Sequence[str] | None, cpus: int | None, host_change: bool
    ) -> None:
        self._labels, self._scenarios, self._cpus, self._host_change = labels, scenarios, cpus, host_change

    def campaigns(self, places: Sequence[Path]) -> Observations:
        if self._cpus is not None:
            raise UsageError("--table-cpus is for tables, and no table was named", hint="leave it out")
        return observe(places, targets=self._labels, scenarios=self._scenarios, host_change=self._host_change)

    def table(self, name: str) -> Observations:
        if self._scenarios is not None:
            raise UsageError("--scenario is for campaigns, and a table has none", hint="leave it out")
        return observe_table(find_table(name), cpus=self._cpus, targets=self._labels)


def _split(seen: Observations, asked: _Asked) -> Split:
    if _in_conflict(frozenset(asked.names)):
        raise UsageError(f"{' and '.join(asked.names)} split in different ways", hint="give one of them")
    if asked.odd_even:
        return odd_even(seen)
    if asked.hold_out is not None:
        return by_scenarios(seen, asked.hold_out)
    present, read = storm_levels(seen), memory_levels(seen)
    if asked.below is not None:
        storms = levels_up_to(asked.below, present)
    elif asked.fit is None and asked.score is None:
        storms = lower_half(present)
    else:
        storms = Levels(fit=asked.fit, score=asked.score)
    memory = all_but_largest(read) if asked.memory is None else Levels(fit=asked.memory)
    return by_levels(seen, storms, memory)


def _in_conflict(names: frozenset[str]) -> bool:
    """Whether these options split a campaign in more than one way."""
    alone = names & {"--odd-even", "--hold-out"}
    return bool(len(names) > 1 and alone) or {"--fit-below"} < names - {"--fit-memory"}


def _other(seen: Observations, scored: Observations, asked: _Asked, host_change: bool) -> Split:
    if asked.names:
        raise UsageError(f"{asked.names[0]} splits one campaign, and --against names another", hint="give one of them")
    check_same(seen.sources[0], seen.workload, scored, what="what is scored", host_change=host_change)
    return other_campaign(seen, scored)


def _check_model(file: Path, seen: Observations, asked: _Asked, run: _Run) -> Check:
    wrong = [name for name in asked.names if name != "--score"] + (["--draws"] if run.draws else [])
    if wrong:
        raise UsageError(
            f"{wrong[0]} says what to fit, and {file} is fitted already",
            hint="leave it out, or leave the model out and let a part of the campaign be fitted",
        )
    model = read_model(file)
    check_same(model.host, model.workload, seen, what="what is scored", host_change=run.host_change)
    return _scored(unused(model, seen, asked.score), model, model_digest(model), run)


def _scored(split: Split, model: Model, digest: str | None, run: _Run) -> Check:
    model = without_scored(model, split)
    said = assumed_sentences(model)
    assumed = {label: tuple(one.line for one in said if one.target == label) for label in model.targets}
    terms = CheckTerms(
        seed=run.seed,
        model=digest,
        assumed=assumed,
        warnings={label: _doubts(model, label) for label in split.score.targets},
        notes=_notes(model, split),
        say=run.say,
    )
    return check(split, ModelPredictor(model=model, seed=run.seed), terms)


def _notes(model: Model, split: Split) -> tuple[str, ...]:
    """Sentences on the data that were used, and on what bands beyond them are widened by."""
    doubts = [f"{label}: {one}" for label in split.score.targets for one in _doubts(model, label)]
    odd = [f"{label}: {note}" for label, target in split.score.targets.items() for note in target.notes]
    rise = model.discrepancy.log_sd_per_doubling
    wider = (
        f"bands beyond the data are wider, by a log sd of {rise:.3g} per doubling, either way up to {EITHER_SIDE:g} "
        f"times and upwards beyond that: {model.discrepancy.source}"
    )
    return (*doubts, *odd, wider)


def _doubts(model: Model, label: str) -> tuple[str, ...]:
    """What the fitted data show and no model of this form can do."""
    return model.targets[label].warnings if label in model.targets else ()
