"""``boxbench simulate sweep``."""

from __future__ import annotations

import sys
from pathlib import Path
from types import TracebackType
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from bench.cli.console import console, print_json_text
from bench.cli.messages import note
from bench.cli.options import Json
from bench.cli.simulate.options import Beyond, ModelFile, SweepSeed, note_compilation, this_command
from bench.cli.simulate.progress import Reminder, Step
from bench.render.commands.sweep import view_sweep, write_page
from bench.sim.model.file import read_model
from bench.sim.sweep.file import read_sweep
from bench.sim.sweep.plan import build_plan
from bench.sim.sweep.run import run_sweep
from bench.sim.sweep.runners.choose import PROCESSES, check_scheduler
from bench.util.errors import InterruptedCampaignError
from bench.util.text import plain

File = Annotated[
    Path, typer.Argument(metavar="FILE", help="A sweep file: question, axes, targets.", show_default=False)
]
Out = Annotated[
    Path,
    typer.Option(
        "--out", "-o", metavar="DIR", help="Directory of the sweep; an interrupted one goes on.", show_default=False
    ),
]
Scheduler = Annotated[
    str,
    typer.Option(
        "--scheduler",
        metavar="WHERE",
        help="Where units run: processes, serial, or a Dask cluster that exists: tcp://HOST:PORT, tls://HOST:PORT, or "
        "its scheduler file FILE.json. The numbers are the same.",
    ),
]
Workers = Annotated[
    int | None,
    typer.Option("--workers", metavar="N", min=1, max=4096, help="Number of processes.", show_default="one per CPU"),
]


def sweep(
    file: File,
    model: ModelFile,
    out: Out,
    scheduler: Scheduler = PROCESSES,
    workers: Workers = None,
    beyond: Beyond = False,
    seed: SweepSeed = None,
    json: Json = False,
) -> None:
    """The question of a file is simulated at every point of a grid, and for samples of parameters that are uncertain.

    Finished units are stored at once. The same command goes on after an interruption, and what a killed worker had is
    simulated again. docs/how-to/sweeps.md has the keys of the file and recipes for clusters.
    """
    check_scheduler(scheduler, workers)
    asked = read_sweep(file)
    if seed is not None:
        asked = asked.model_copy(update={"seed": seed})
    known = read_model(model)
    with Step("planning the sweep, and reading its traces"):
        plan = build_plan(asked, known, beyond=beyond)
    note_compilation()
    try:
        with _Units() as units:
            results = run_sweep(plan, known, out, scheduler=scheduler, workers=workers, tell=units.tell)
        page = write_page(results, out, command=this_command())
    except KeyboardInterrupt:
        raise InterruptedCampaignError(
            f"the sweep {out} was interrupted; what is finished is kept", hint=f"go on with `{this_command()}`"
        ) from None
    if json:
        print_json_text(results.text().rstrip("\n"))
        return
    console().print(view_sweep(results, directory=out))
    print(f"page: {page}")


class _Units:
    """Progress on stderr: a bar on a terminal; elsewhere a line for every tenth, and at least every 30 s."""

    def __init__(self) -> None:
        shown = console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.completed:.0f}/{task.total:.0f} units"),
            BarColumn(bar_width=24),
            TimeElapsedColumn(),
            TextColumn("{task.description}", markup=False),
            console=shown,
            transient=True,
        )
        self._live = shown.is_terminal
        self._task = self._bar.add_task("", total=1)
        self._tenth = -1
        self._reminder = None if self._live else Reminder("no unit yet")

    def __enter__(self) -> _Units:
        if self._live:
            self._bar.start()
        if self._reminder is not None:
            self._reminder.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._bar.stop()
        if self._reminder is not None:
            self._reminder.__exit__(kind, error, trace)

    def tell(self, done: int, total: int, text: str) -> None:
        """Show how many units are finished."""
        if self._reminder is None:
            self._bar.update(self._task, completed=done, total=total, description=plain(text)[:60])
            return
        self._reminder.line = f"{done} of {total} units; {text}"
        tenth = done * 10 // total
        if tenth != self._tenth:
            self._tenth = tenth
            note(self._reminder.line)
            sys.stderr.flush()
