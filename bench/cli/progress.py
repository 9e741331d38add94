"""Progress of a running campaign: one live line on a terminal, a short log elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column

from bench.plan.trials import Trial
from bench.records.record import Endpoint, Failure, Record
from bench.run.pace import Pace, duration_text
from bench.util.text import plain, plain_lines
from bench.util.units import format_ns


class LogProgress:
    """One line per block, for log files and CI."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last_block = -1
        self._blocks = 0
        self._waiting: list[Trial] = []
        self._pace = Pace()

    def __enter__(self) -> LogProgress:
        return self

    def __exit__(self, *exc: object) -> None:
        return None

    def say(self, text: str) -> None:
        """Print a step of the preparation, without the output of image builds."""
        if not text.startswith((" ", "Step ", "Successfully ")):
            self._print(text)

    def prepared(self, text: str) -> None:
        """Print what the preparation took."""
        self._print(text)

    def plan(self, trials: Sequence[Trial], total: int, pace: Pace | None = None) -> None:
        """Print how many trials there are, and how long they take."""
        self._blocks = 1 + max((trial.block for trial in trials), default=0)
        self._waiting, self._pace, self._last_block = list(trials), pace or Pace(), -1
        self._print(expected(trials, total, self._pace))

    def begin(self, trial: Trial) -> None:
        """Print a line when a block begins, with the time left."""
        if trial.block != self._last_block:
            self._last_block = trial.block
            left = self._pace.left_s(self._waiting)
            about = "" if left is None else f", about {duration_text(left)} left"
            self._print(f"block {trial.block + 1} of {self._blocks}{' (warm-up)' if trial.warmup else ''}{about}")
        self._waiting = [other for other in self._waiting if other.id != trial.id]

    def end(self, record: Record) -> None:
        """Print a failure at once."""
        if record.failure is not None:
            self._print(_failed(record, record.failure))

    def _print(self, text: str) -> None:
        _show(self._console, text)


class LiveProgress:
    """A bar with the current cell, the block, and the time left, estimated from the median trial of each cell."""

    def __init__(self, console: Console) -> None:
        self._bar = Progress(
            TextColumn("{task.fields[block]}", style="bold", markup=False, table_column=Column(no_wrap=True)),
            BarColumn(bar_width=12),
            TextColumn("{task.fields[count]}", markup=False, table_column=Column(no_wrap=True)),
            # Some commands cannot know how many steps are left: a clock shows that they go on.
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}", style="cyan", markup=False),
            # It alone is cut where the terminal is narrow.
            TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, ratio=1)),
            console=console,
            transient=True,
            expand=True,
        )
        self._task: TaskID | None = None
        self._waiting: list[Trial] = []
        self._blocks = 0
        self._done = 0
        self._total = 0
        self._pace = Pace()

    def __enter__(self) -> LiveProgress:
        self._bar.start()
        self._task = self._bar.add_task("starting", total=None, completed=0, count="", block="setting up", left="")
        return self

    def __exit__(self, *exc: object) -> None:
        self._bar.stop()

    def say(self, text: str) -> None:
        """Show a step of the preparation in place of the previous one."""
        self._update(description=" ".join(plain(text).split())[:70])

    def prepared(self, text: str) -> None:
        """Let what the preparation took stay on the screen."""
        _show(self._bar.console, text)

    def plan(self, trials: Sequence[Trial], total: int, pace: Pace | None = None) -> None:
        """Set the length of the bar. How long it takes stays on the screen."""
        self._waiting, self._pace = list(trials), pace or Pace()
        _show(self._bar.console, expected(trials, total, self._pace))
        self._blocks = 1 + max((trial.block for trial in trials), default=0)
        self._done = total - len(trials)
        self._total = total
        self._step()

    def begin(self, trial: Trial) -> None:
        """Show the trial that runs now."""
        word = "warm-up" if trial.warmup else "block"
        self._update(description=trial.cell.key, block=f"{word} {trial.block + 1}/{self._blocks}", left=self._left())

    def end(self, record: Record) -> None:
        """Advance the bar; a failure stays on the screen."""
        self._waiting = [trial for trial in self._waiting if trial.id != record.trial.id]
        self._done += 1
        self._step()
        if record.failure is not None:
            _show(self._bar.console, _failed(record, record.failure))
        elif Endpoint.READY in record.endpoints_ns:
            took = format_ns(record.endpoints_ns[Endpoint.READY])
            self._update(description=f"{record.trial.cell.key} ready in {took}")

    def _left(self) -> str:
        seconds = self._pace.left_s(self._waiting)
        return "" if seconds is None else f"{int(seconds // 60)}:{int(seconds % 60):02d} left"

    def _step(self) -> None:
        self._update(total=self._total, completed=self._done, count=f"{self._done}/{self._total}")

    def _update(self, **fields: object) -> None:
        if self._task is not None:
            self._bar.update(self._task, **fields)  # type: ignore[arg-type]


def expected(trials: Sequence[Trial], total: int, pace: Pace) -> str:
    """How many trials run now, how long they take together, and what this is known from."""
    text = f"{len(trials)} of {total} trials to run"
    left = pace.left_s(trials)
    if not trials:
        return text
    if left is None:
        return f"{text}; how long is known after the first block"
    return f"{text}, about {duration_text(left)}, as trials of these cells took on this host before"


def _failed(record: Record, failure: Failure) -> str:
    """The message of a failed trial. Its further lines may come from a guest, so they are indented."""
    return f"{record.trial.cell.key}: {record.outcome}: {failure.message}".replace("\n", "\n    ")


def _show(console: Console, text: str) -> None:
    console.print(plain_lines(text), markup=False, highlight=False, soft_wrap=True)


def waiting(console: Console, what: str) -> AbstractContextManager[object]:
    """Show on a terminal that something goes on which has no steps; nothing elsewhere."""
    return console.status(what) if console.is_terminal else nullcontext()


def make_progress(console: Console) -> LiveProgress | LogProgress:
    """A live display on a terminal, a log elsewhere."""
    return LiveProgress(console) if console.is_terminal else LogProgress(console)
