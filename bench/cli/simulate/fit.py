"""``boxbench simulate fit``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from bench.cli.console import console, print_json
from bench.cli.messages import note
from bench.cli.options import Json
from bench.cli.simulate.options import SEED, FitSeed, TableCpus, fit_draws, note_compilation, read_count
from bench.cli.simulate.progress import Reminder
from bench.render.commands.model import model_json, view_fitted
from bench.scenario.targets import split_labels
from bench.sim.answer.words import count_text
from bench.sim.engine.jit import JITTED
from bench.sim.fit.fit import DRAWS, Only
from bench.sim.fit.fit import fit as fit_model
from bench.sim.model.file import write_model
from bench.sim.observe.campaign import observe
from bench.sim.observe.table import observe_table
from bench.sim.observe.trials import MemoryTrial, Observations
from bench.util.errors import UsageError
from bench.util.package_data import find_table
from bench.util.paths import is_directory, is_file
from bench.util.result_file import check_result_place

Sources = Annotated[
    list[str],
    typer.Argument(
        metavar="DIR",
        help="Directories of campaigns of one host and one workload; or a table of storms (CSV file or bundled name).",
        show_default=False,
    ),
]
ModelOut = Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="Where the model is written.")]
OnlyTargets = Annotated[
    str | None,
    typer.Option("--targets", "-t", metavar="A,B", help="Only these targets.", show_default="all that were measured"),
]
OnlyScenario = Annotated[
    list[str] | None,
    typer.Option("--scenario", metavar="NAME", help="Only this scenario; may be repeated.", show_default="all"),
]
OnlyBoxes = Annotated[
    str | None,
    typer.Option("--only-boxes", metavar="N,N", help="Only storms of so many boxes, such as 1,2.", show_default="all"),
]
HostChange = Annotated[
    bool, typer.Option("--host-change", help="Campaigns may be of hosts with different fingerprints.")
]
Draws = Annotated[int, fit_draws("Joint draws of all parameters")]

_MARK: Final = b'"model_schema"'
_MARK_WITHIN: Final = 4096
"""Bytes at the beginning of a file in which a model has its mark."""


def fit(
    sources: Sources,
    out: ModelOut = Path("model.json"),
    targets: OnlyTargets = None,
    scenario: OnlyScenario = None,
    only_boxes: OnlyBoxes = None,
    host_change: HostChange = False,
    table_cpus: TableCpus = None,
    draws: Draws = DRAWS,
    seed: FitSeed = SEED,
    json: Json = False,
) -> None:
    """Single starts give stages, CPU time and noise. Storms give the rest: which part of the CPU time a start waits
    for, how long it holds a lock, how much slower work is beside other work. Storms beside residents give how the
    lock's hold grows, and trials with residents memory. `boxbench run calibrate` measures all of it."""
    _check_out(out)
    if not JITTED:
        note("numba is not installed, so the fit takes many times longer; the model is the same")
    note_compilation()
    observations = _observed(
        sources, targets=targets, scenarios=scenario, host_change=host_change, table_cpus=table_cpus
    )
    _say(observations)
    with Reminder("fitting") as progress:
        model = fit_model(
            observations, only=_only(only_boxes, observations), draws=draws, seed=seed, progress=progress.say
        )
    write_model(out, model)
    if json:
        print_json(model_json(model))
        return
    console().print(view_fitted(model))
    print(f"model: {out}")


def _check_out(out: Path) -> None:
    """Refuse a place before the work begins: a fit takes minutes, and -o may name a file of the user's."""
    check_result_place(out, hint="choose another place with -o, such as -o model.json")
    if is_file(out) and (there := _beginning(out)).strip() and _MARK not in there:
        raise UsageError(f"{out} is there already, and is no model", hint="choose another place with -o")


def _beginning(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            return stream.read(_MARK_WITHIN)
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}", hint="choose another place with -o") from None


def _say(observations: Observations) -> None:
    """Notes on what was left out, and on what looks odd and was used."""
    for sentence in observations.left_out:
        note(f"left out: {sentence}")
    for sentence in observations.notes:
        note(sentence)
    for label, target in observations.targets.items():
        for sentence in target.notes:
            note(f"{label}: {sentence}")


def _observed(
    sources: Sequence[str],
    *,
    targets: str | None,
    scenarios: Sequence[str] | None,
    host_change: bool,
    table_cpus: int | None,
) -> Observations:
    labels = None if targets is None else split_labels(targets)
    tables = [name for name in sources if not is_directory(Path(name)) and (_is_csv(name))]
    if not tables:
        if table_cpus is not None:
            raise UsageError("--table-cpus is for tables, and no table was named", hint="leave it out")
        return observe(
            [Path(name) for name in sources], targets=labels, scenarios=scenarios or None, host_change=host_change
        )
    if len(sources) > 1:
        raise UsageError(
            f"{tables[0]} is a table, and other sources were named beside it",
            hint="a table is of another host: fit a model to each",
        )
    return observe_table(find_table(tables[0]), cpus=table_cpus, targets=labels)


def _is_csv(name: str) -> bool:
    return find_table(name).suffix == ".csv"


def _only(text: str | None, observations: Observations) -> Only | None:
    if text is None:
        return None
    sizes = {trial.boxes for target in observations.targets.values() for trial in target.starts}
    known = sorted(sizes | {row.boxes for target in observations.targets.values() for row in target.rows})
    hint = f"measured were {', '.join(map(str, known))}"
    wanted = {read_count("--only-boxes", part.strip(), least=1, hint=hint) for part in text.split(",")}
    for boxes in sorted(wanted - set(known)):
        raise UsageError(f"--only-boxes: storms of {count_text(boxes, 'box', 'boxes')} were not measured", hint=hint)
    return lambda trial: isinstance(trial, MemoryTrial) or trial.boxes in wanted
