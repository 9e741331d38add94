"""``boxbench targets``."""

from __future__ import annotations

from typing import Any

from bench.cli.console import console, print_json
from bench.cli.messages import shown
from bench.cli.options import Json
from bench.engines.lazy import probe_engines
from bench.render.commands.listing import listing
from bench.scenario.option_meanings import option_meaning
from bench.scenario.options import values_of
from bench.scenario.target_table import TARGETS
from bench.targets.table import availability
from bench.util.cache import cache_dir


def targets(json: Json = False) -> None:
    """A target is a way to box a workload: a process, a container or a VM of some engine."""
    cache_dir()  # One error for a cache that cannot be used, not one for each target.
    with probe_engines() as engines:
        reasons = availability(engines)
    if json:
        print_json({name: _described(name, reason) for name, reason in reasons.items()})
        return
    rows = [
        (name, TARGETS[name].summary, "available" if reason is None else f"not available: {shown(reason)}")
        for name, reason in reasons.items()
    ]
    console().print(listing(rows))


def _described(name: str, reason: str | None) -> dict[str, Any]:
    info = TARGETS[name]
    options = {
        option: {"values": values_of(choice), "meaning": option_meaning(name, option)}
        for option, choice in info.options.items()
    }
    return {"summary": info.summary, "needs": info.needs, "unavailable": reason, "options": options}
