"""The commands of ``boxbench simulate``."""

from __future__ import annotations

from typing import ClassVar, Final

from bench.cli.lazy import CommandEntry, LazyGroup, Panels, lazy_typer


class SimulateGroup(LazyGroup):
    """The group of simulation commands."""

    panels: ClassVar[Panels] = {
        "Models": {
            "fit": CommandEntry("bench.cli.simulate.fit:fit", "Fit a model to campaigns, or to a table of storms."),
            "explain": CommandEntry(
                "bench.cli.simulate.explain:explain", "Show where each number of a model comes from."
            ),
            "check": CommandEntry(
                "bench.cli.simulate.check:check_command",
                "Score a model on measurements that it did not see; exit code 3 if CPU time alone predicts better.",
            ),
        },
        "Questions about one host": {
            "storm": CommandEntry("bench.cli.simulate.storm:storm", "How long until N boxes at once are up?"),
            "density": CommandEntry("bench.cli.simulate.density:density", "How many boxes fit, and what stops them?"),
            "reboot": CommandEntry("bench.cli.simulate.reboot:reboot", "How long until everything is back?"),
        },
        "Questions about a fleet": {
            "sweep": CommandEntry("bench.cli.simulate.sweep:sweep", "Ask at every point of a grid; also on a cluster."),
            "pool": CommandEntry("bench.cli.simulate.pool:pool", "What do keep-alive and pre-warmed boxes save?"),
            "fleet": CommandEntry("bench.cli.simulate.fleet:fleet", "How many hosts does a trace need?"),
        },
    }


simulate: Final = lazy_typer(
    SimulateGroup,
    name="simulate",
    text="Fit a model to a campaign, check it on measurements that it did not see, and ask it about other hosts.",
)
