"""``boxbench doctor``."""

from __future__ import annotations

from dataclasses import asdict

import typer

from bench.cli.console import console, print_json
from bench.cli.options import Json
from bench.doctor import install
from bench.doctor.diagnose import diagnose, unfit
from bench.doctor.kvm import check_kvm_boot
from bench.doctor.machine import this_machine
from bench.render.commands.checks import checks_table, lines_text
from bench.util.errors import ExitCode


def doctor(json: Json = False) -> None:
    """Lists each check with its result and the next step, then the commands that install what is missing here.
    Exit code 5 when this host cannot run campaigns."""
    checks = diagnose(extra=(check_kvm_boot,))
    if json:
        print_json([asdict(check) for check in checks])
    else:
        console().print(checks_table(checks))
        machine, mends = this_machine(), [check.mend for check in checks]
        print(lines_text(install.lines(machine, mends, install.known_packages(machine, mends))), end="")
    if unfit(checks):
        raise typer.Exit(ExitCode.HOST_UNFIT)
