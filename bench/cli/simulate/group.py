"""The commands of ``boxbench simulate``."""

from __future__ import annotations

from typing import ClassVar, Final

from bench.cli.lazy import CommandEntry, LazyGroup, Panels, lazy_typer


class SimulateGroup(LazyGroup):
    """The group of simulation commands."""

    panels: ClassVar[Panels] = {
        "Models": {},
        "Questions about one host": {
            "density": CommandEntry("bench.cli.simulate.density:density", "How many boxes fit, and what stops them?"),
        },
        "Questions about a fleet": {},
    }


simulate: Final = lazy_typer(
    SimulateGroup,
    name="simulate",
    text="Fit a model to a campaign, check it on measurements that it did not see, and ask it about other hosts.",
)
