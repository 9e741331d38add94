"""``boxbench scenarios`` and ``boxbench schema``."""

from __future__ import annotations

from bench.cli.console import console, print_json
from bench.cli.options import Json
from bench.render.commands.listing import listing
from bench.scenario.model import load_scenario
from bench.scenario.schema import scenario_schema
from bench.util.package_data import scenarios_dir, shipped_scenarios


def scenarios(json: Json = False) -> None:
    """A scenario is a workload with a question. Commands take the name or the directory."""
    shipped = [load_scenario(scenarios_dir() / name) for name in shipped_scenarios()]
    found = [
        {"name": loaded.scenario.name, "question": loaded.scenario.question, "directory": str(loaded.directory)}
        for loaded in shipped
    ]
    if json:
        print_json(found)
        return
    console().print(listing((entry["name"], entry["question"], entry["directory"]) for entry in found))


def schema() -> None:
    """Editors use it to complete and check scenario.yaml."""
    print_json(scenario_schema())
