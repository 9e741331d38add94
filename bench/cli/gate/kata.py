"""``boxbench gate import-kata``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.messages import complain
from bench.gate.kata_limits import convert

KataFile = Annotated[
    Path, typer.Argument(metavar="FILE", help="A TOML file of kata's checkmetrics.", show_default=False)
]
Target = Annotated[
    str,
    typer.Argument(
        metavar="TARGET", help="The target that the limits are for, such as libvirt/kvm.", show_default=False
    ),
]


def import_kata(file: KataFile, target: Target) -> None:
    """Prints a bounds file for `boxbench gate bounds`. Entries without a counterpart are left out, with a message."""
    text, left_out = convert(file, target)
    print(text)
    for sentence in left_out:
        complain(f"left out: {sentence}", "write a limit by hand where boxbench measures something like it")
