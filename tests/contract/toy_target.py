"""A target that only tests have: its row and its module are all that there is of it.

Run as a program, this is the ``boxbench`` command with the toy among its targets.
"""

from __future__ import annotations

from typing import ClassVar, Final

from bench.scenario.target_table import TARGETS, TargetInfo
from bench.targets.launcher.process import ProcessTarget

NAME: Final = "toy"
ROW: Final = TargetInfo(
    implementation=f"{__name__ if __name__ != '__main__' else 'tests.contract.toy_target'}:ToyTarget",
    summary="a plain process under another name",
    needs="nothing",
    kind="process",
    colours=("#a0522d", "#ffb6a0"),
    marker="$T$",
    options={"mood": ("happy", "sad")},
    host_network=True,
    least_memory_bytes=lambda options: 64 * 2**20 if options.get("mood") == "sad" else None,
)


class ToyTarget(ProcessTarget):
    """A plain process that says of itself that it is a toy."""

    name: ClassVar[str] = NAME

    def describe(self) -> dict[str, str]:
        """What the process target says, and that this is a toy."""
        return super().describe() | {"toy": "yes"}


def main() -> None:
    """The command line, which finds the toy in the table as it finds every target."""
    TARGETS[NAME] = ROW
    from bench.cli import main as boxbench

    boxbench()


if __name__ == "__main__":
    main()
