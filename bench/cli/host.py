"""Commands about this host and about what is shipped."""

from __future__ import annotations

from typing import Annotated

import typer

from bench.cli.common import Json, app, complain, console, print_json, shown
from bench.util.errors import ExitCode


@app.command()
def doctor(json: Json = False) -> None:
    """What this host can run, what distorts numbers."""
    from dataclasses import asdict

    from bench.doctor import diagnose, unfit
    from bench.render.commands.checks import checks_table
    from bench.targets.vms.accel import kvm_boot_check

    checks = diagnose(extra=(kvm_boot_check,))
    if json:
        print_json([asdict(check) for check in checks])
    else:
        console().print(checks_table(checks))
    if unfit(checks):
        raise typer.Exit(ExitCode.HOST_UNFIT)


@app.command()
def targets(json: Json = False) -> None:
    """The ways to box a workload on this host."""
    from bench.engines.lazy import probe_engines
    from bench.render.commands.listing import listing
    from bench.scenario.target_table import TARGETS
    from bench.targets.table import availability

    with probe_engines() as engines:
        reasons = availability(engines)
    if json:
        print_json(
            {name: {"summary": TARGETS[name].summary, "unavailable": reason} for name, reason in reasons.items()}
        )
        return
    rows = [
        (name, TARGETS[name].summary, "available" if reason is None else f"not available: {shown(reason)}")
        for name, reason in reasons.items()
    ]
    console().print(listing(rows))


@app.command()
def scenarios(json: Json = False) -> None:
    """The bundled scenarios."""
    from bench.render.commands.listing import listing
    from bench.scenario.model import load_scenario
    from bench.util.package_data import scenarios_dir, shipped_scenarios

    shipped = [load_scenario(scenarios_dir() / name) for name in shipped_scenarios()]
    found = [
        {"name": loaded.scenario.name, "question": loaded.scenario.question, "directory": str(loaded.directory)}
        for loaded in shipped
    ]
    if json:
        print_json(found)
        return
    console().print(listing((entry["name"], entry["question"], entry["directory"]) for entry in found))


@app.command()
def schema() -> None:
    """Print the JSON Schema of scenario files."""
    from bench.scenario.model import scenario_schema

    print_json(scenario_schema())


@app.command()
def clean(dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list.")] = False) -> None:
    """Remove what dead campaigns left on this host."""
    from bench.host.run_directory import only_campaign_on_host
    from bench.run.cleanup import find_leftovers, remove_leftovers, running_containers

    with only_campaign_on_host(), running_containers() as containers:
        found = (*containers, *find_leftovers())
        for leftover in found:
            print(shown(("would remove " if dry_run else "removing ") + str(leftover)))
        stuck = () if dry_run else remove_leftovers(found)
    if not found:
        print("nothing labelled boxbench is left on this host")
    for text in stuck:
        complain(f"could not remove {text}", "end it by hand")
    if stuck:
        raise typer.Exit(ExitCode.ERROR)
