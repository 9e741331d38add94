"""The commands of ``boxbench history``."""

from __future__ import annotations

from typing import ClassVar, Final

from bench.cli.lazy import CommandEntry, LazyGroup, Panels, lazy_typer


class HistoryGroup(LazyGroup):
    """The group of history commands."""

    panels: ClassVar[Panels] = {
        "Commands": {
            "add": CommandEntry(
                "bench.cli.history.add:add", "Add the medians of a campaign, or counts, for one commit."
            ),
            "show": CommandEntry("bench.cli.history.check:show", "Show every series with its changes."),
            "check": CommandEntry(
                "bench.cli.history.check:check", "Show what became worse; exit code 3 if anything did."
            ),
        }
    }


history: Final = lazy_typer(
    HistoryGroup,
    name="history",
    text="Keep results commit by commit and find the commits at which something changed.",
)
