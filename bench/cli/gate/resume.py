"""``boxbench resume`` of a gate."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

from bench.cli.console import console
from bench.cli.gate.result import announce, finish, keep
from bench.cli.messages import note
from bench.cli.progress import make_progress
from bench.cli.trust import warn_of_programs
from bench.gate.icount_run import Watchers
from bench.gate.request import read_request
from bench.gate.resume import resume_gate
from bench.render.commands.instructions import write_files


def finish_gate(gate: Path, *, named: Path) -> NoReturn:
    """Run what a gate lacks, print and store its verdict, and exit with its code.

    Args:
        named: the directory that the user named: the gate's, or that of one of its stages.
    """
    if named != gate:
        note(f"{named} is a stage of the gate {gate}, which goes on to its verdict")
    sides = read_request(gate).request.sides
    warn_of_programs((sides.a.loaded, sides.b.loaded))
    with make_progress(console(stderr=True)) as progress:
        result = resume_gate(gate, write_files, Watchers(progress, announce, note))
    keep(result, gate)
    finish(result, gate, summary=None, json=False)
