"""The commands of ``boxbench gate``, and answers to its former command line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from bench.cli.lazy import CommandEntry, LazyGroup, Panels, lazy_typer
from bench.util.errors import UsageError

_NOW_COMMANDS: Final = {
    "--judge": "boxbench gate judge DIR",
    "--null": "boxbench gate aa CAMPAIGN|SCENARIO",
    "--bounds": "boxbench gate bounds BOUNDS.toml CAMPAIGN",
    "--checkmetrics": "boxbench gate import-kata FILE TARGET",
}
_NOW_OPTIONS: Final = {"--first": "--screening-blocks", "--most": "--max-blocks", "--see": "--detect"}


class GateGroup(LazyGroup):
    """The group of gate commands."""

    panels: ClassVar[Panels] = {
        "Commands": {
            "compare": CommandEntry("bench.cli.gate.compare:compare", "Test whether B is worse than A."),
            "judge": CommandEntry("bench.cli.gate.judge:judge", "Judge a gate again from what it stored."),
            "aa": CommandEntry("bench.cli.gate.aa:aa", "Compare A with itself to measure false alarms."),
            "bounds": CommandEntry("bench.cli.gate.bounds:bounds", "Check a campaign against fixed limits."),
            "import-kata": CommandEntry("bench.cli.gate.kata:import_kata", "Convert limits of kata's checkmetrics."),
        }
    }

    def parse_args(self, context: Any, arguments: list[str]) -> list[str]:
        """As the parser, after the former command line has been answered. Raises UsageError."""
        _refuse_former(arguments)
        if arguments and not context.resilient_parsing:
            self._refuse_unknown(arguments)
        return super().parse_args(context, arguments)

    def _refuse_unknown(self, arguments: Sequence[str]) -> None:
        first = arguments[0]
        if first in self.commands or first in ("-h", "--help"):
            return
        if f"--{first}" in _NOW_COMMANDS:
            raise UsageError(
                f"gate has no command {first!r}; it is called `{_NOW_COMMANDS[f'--{first}']}`",
                hint="`boxbench gate --help` lists the commands",
            )
        given = " ".join(arguments)
        raise UsageError(
            f"gate has no command {first!r}; A and B are compared by `boxbench gate compare`",
            hint=f"write `boxbench gate compare {given}`, or see `boxbench gate --help`",
        )


def _refuse_former(arguments: Sequence[str]) -> None:
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    for option in (argument.partition("=")[0] for argument in options):
        if option in _NOW_COMMANDS:
            raise UsageError(
                f"{option} is now a command: `{_NOW_COMMANDS[option]}`",
                hint="`boxbench gate --help` lists the commands",
            )
        if option in _NOW_OPTIONS:
            raise UsageError(
                f"{option} is now called {_NOW_OPTIONS[option]}",
                hint=f"replace {option} by {_NOW_OPTIONS[option]}; `boxbench gate compare --help` explains it",
            )


gate: Final = lazy_typer(
    GateGroup,
    name="gate",
    text="Regression tests for CI. Exit codes: 0 not regressed, 3 regressed, 4 cannot tell, others no verdict.",
)
