"""All commands of ``boxbench``, with the module and the summary of each."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final

import typer
from typer.main import get_command

from bench import __version__
from bench.cli.lazy import CommandEntry, LazyGroup, Panels, lazy_typer

PANELS: Final[Panels] = {
    "Start here": {
        "quickstart": CommandEntry("bench.cli.quickstart:quickstart", "Run two small scenarios; write a report."),
        "doctor": CommandEntry("bench.cli.doctor:doctor", "Check this host: missing tools, sources of noise."),
        "init": CommandEntry("bench.cli.init:init", "Write a scenario for an image or a Dockerfile."),
        "targets": CommandEntry("bench.cli.targets:targets", "List the targets and whether this host can run them."),
        "scenarios": CommandEntry("bench.cli.scenarios:scenarios", "List the bundled scenarios."),
        "published": CommandEntry("bench.cli.published:published", "List measurements that others have published."),
    },
    "Campaigns": {
        "run": CommandEntry("bench.cli.run:run", "Run scenarios as one campaign; write a report."),
        "resume": CommandEntry("bench.cli.run:resume", "Finish an interrupted campaign."),
        "plan": CommandEntry("bench.cli.plan:plan", "Show the trials of `run` in their order."),
        "report": CommandEntry("bench.cli.report:report", "Write the report of a campaign again."),
        "compare": CommandEntry("bench.cli.compare:compare", "Put two campaigns beside each other."),
        "slides": CommandEntry("bench.cli.slides:slides", "Make a deck of slides of results."),
        "figures": CommandEntry("bench.cli.figures:figures", "Draw the figures again, for a stage or for paper."),
        "export": CommandEntry("bench.cli.export:export", "Convert results for other programs."),
        "cache": CommandEntry("bench.cli.cache.group:cache", "Show and prune what was prepared for boxes."),
        "clean": CommandEntry("bench.cli.clean:clean", "Remove what interrupted campaigns left behind."),
    },
    "Where the cost goes": {
        "explain": CommandEntry("bench.cli.explain:explain", "Rank what makes B slower than A."),
        "anatomy": CommandEntry("bench.cli.anatomy:anatomy", "Trace starts step by step with kernel events."),
        "instructions": CommandEntry("bench.cli.instructions:instructions", "Count the CPU instructions of a start."),
        "floor": CommandEntry("bench.cli.floor:floor", "Find the least memory in which a workload works."),
        "certify": CommandEntry("bench.cli.certify:certify", "Prove that all boxes run the same workload."),
    },
    "Regressions": {
        "gate": CommandEntry("bench.cli.gate.group:gate", "Test whether B is worse than A (for CI)."),
        "history": CommandEntry(
            "bench.cli.history.group:history", "Track results over commits; find what changed when."
        ),
    },
    "Simulation": {
        "simulate": CommandEntry(
            "bench.cli.simulate.group:simulate", "Fit a model to a campaign, check it, and ask it about other hosts."
        ),
    },
    "Scenario files and shells": {
        "schema": CommandEntry("bench.cli.scenarios:schema", "Print the JSON Schema of scenario files."),
        "completion": CommandEntry("bench.cli.completion:completion", "Print a completion script for your shell."),
    },
}


class RootGroup(LazyGroup):
    """The group of all commands."""

    panels: ClassVar[Panels] = PANELS


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"boxbench {__version__}")
        raise typer.Exit()


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    del version


def make_program() -> Any:
    """The whole command line: call it with ``prog_name`` and ``standalone_mode``."""
    text = "What does it cost to run this in a VM instead of a container, and where does the cost go?"
    return get_command(lazy_typer(RootGroup, name="boxbench", text=text, options=_root))
