"""Options that several commands have; what can be checked without a host or a scenario is, while they are parsed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def _some_targets(text: str) -> str:
    from bench.util.errors import UsageError

    # A variable that is not set in a script must not mean "all of them".
    if not text.strip():
        raise UsageError("-t names no target", hint="write it like -t docker,libvirt, or leave it out for all targets")
    return text


def _known_accel(text: str) -> str:
    from bench.scenario.options import check_accel

    check_accel(text)
    return text


def known_clock(text: str) -> str:
    """An accelerator, or the clock that counts instructions. Raises UsageError."""
    return text if text == "icount" else _known_accel(text)


Targets = Annotated[
    str | None,
    typer.Option(
        "--targets", "-t", metavar="A,B", parser=_some_targets, help="Only these targets: docker,libvirt[nic=virtio]."
    ),
]
Accel = Annotated[
    str, typer.Option("--accel", metavar="auto|kvm|tcg", parser=_known_accel, help="Accelerator of VM targets.")
]
Seed = Annotated[int | None, typer.Option("--seed", help="Seed of the order of trials [drawn, and kept on record].")]
PlanSeed = Annotated[int | None, typer.Option("--seed", help="Seed of the order of trials [drawn, and printed].")]
Skip = Annotated[bool, typer.Option("--skip-unavailable", help="Leave out targets this host cannot run, and say so.")]
Out = Annotated[
    Path | None,
    typer.Option("--out", "-o", metavar="DIR", help="New campaign directory [reports/out/<time>-<names>]."),
]
Results = Annotated[
    Path | None,
    typer.Option("--out", "-o", metavar="DIR", help="New directory for the results [reports/out/<time>-<name>]."),
]
