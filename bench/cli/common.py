"""What all commands share: the application, common options, loading scenarios, talking to the user."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from bench.scenario.exercise import ProfileName
    from bench.scenario.model import LoadedScenario

app = typer.Typer(
    name="boxbench",
    help="What does it cost to run this in a VM instead of a container, and where does the cost go?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    # Plain help: colours would load a library that makes `--help` several times slower.
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Scenarios = Annotated[
    list[str],
    typer.Argument(metavar="SCENARIO", help="Scenario files or directories, or names of bundled ones."),
]
Directory = Annotated[Path, typer.Argument(metavar="CAMPAIGN", help="A campaign directory, as `run` printed it.")]
Blocks = Annotated[
    int | None, typer.Option("--blocks", "-b", min=1, help="Measured blocks, instead of the scenario's own number.")
]
Profile = Annotated[
    str | None,
    typer.Option("--profile", metavar="quick|full", help="Size of the exercise, instead of the scenario's own."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def complain(message: str, hint: str) -> None:
    """One paragraph for the user, on stderr."""
    print(shown(f"boxbench: {message}\n  → {hint}"), file=sys.stderr)


def shown(text: str) -> str:
    """Lines for the terminal: what guests and tools said in them cannot move, colour or hide anything."""
    from bench.util.text import plain_lines

    return plain_lines(text)


def console(*, stderr: bool = False) -> Console:
    """Where tables are printed, or the progress display."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False)


def print_json(value: Any) -> None:
    """For programs: stdout, indented."""
    import json

    print(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def load(
    names: list[str], blocks: int | None, targets: str | None, profile: str | None = None
) -> tuple[LoadedScenario, ...]:
    """Scenarios by name or path, narrowed to what the options ask for. Raises ScenarioError, UsageError."""
    from bench.scenario.model import load_scenario, narrowed
    from bench.scenario.targets import split_labels
    from bench.util.package_data import find_scenario

    wanted = split_labels(targets) if targets is not None else None
    loaded = tuple(load_scenario(find_scenario(name)) for name in names)
    size = _profile(profile, loaded)
    return tuple(narrowed(one, blocks=blocks, targets=wanted, profile=size) for one in loaded)


def _profile(given: str | None, loaded: tuple[LoadedScenario, ...]) -> ProfileName | None:
    from bench.util.errors import UsageError

    if given is None:
        return None
    if given not in ("quick", "full"):
        raise UsageError(f"--profile {given}: there is no such profile", hint="the profiles are quick and full")
    if all(one.scenario.exercise is None for one in loaded):
        raise UsageError(f"--profile {given}: none of these scenarios has an exercise", hint="leave --profile out")
    return "full" if given == "full" else "quick"


def default_out(loaded: tuple[LoadedScenario, ...], kind: str = "") -> Path:
    """A new directory, named after the time and the scenarios."""
    from datetime import datetime

    names = "-".join(entry.scenario.name for entry in loaded)[:60]
    return Path("reports") / "out" / f"{datetime.now():%Y%m%d-%H%M%S}-{kind}{names}"


def draw_seed(given: int | None) -> int:
    """The seed that was given, or a fresh one; either is kept on record."""
    import secrets

    return secrets.randbelow(2**31) if given is None else given
