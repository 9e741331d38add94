"""A and B as the command line names them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.cli.messages import complain
from bench.cli.trust import warn_of_programs
from bench.gate.checkout import sides_of_commits
from bench.gate.sides import SidePair, read_side
from bench.scenario.targets import split_labels
from bench.util.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class SideSelection:
    """What the command line says about A and B.

    Attributes:
        names: two scenarios, or one with ``commits`` or ``baseline``.
        targets: the text of ``--targets``; None means all targets.
        commits: two revisions of the scenario's repository.
        baseline: stored results that take A's place.
    """

    names: Sequence[str]
    targets: str | None = None
    commits: tuple[str, str] | None = None
    baseline: Path | None = None

    def read(self, checkouts: Path, *, no_root_control: bool) -> SidePair:
        """Load both sides; revisions are unpacked below ``checkouts``.

        Args:
            no_root_control: leave out the target ``process``.

        Raises:
            UsageError, ScenarioError: not two sides, or one of them cannot be loaded.
        """
        sides = self._read(checkouts)
        sides = sides.without_root_control() if no_root_control else sides
        if self.targets is None:
            warn_of_programs((sides.a.loaded, sides.b.loaded))
        return sides

    def _read(self, checkouts: Path) -> SidePair:
        chosen = split_labels(self.targets) if self.targets is not None else None
        if self.commits is not None and self.baseline is not None:
            raise UsageError("--commits and --baseline both say what A is", hint="choose one")
        if self.commits is not None:
            return _warned(sides_of_commits(self._only("--commits"), self.commits, checkouts, chosen))
        if self.baseline is not None:
            side = read_side(self._only("--baseline"), "B", chosen)
            return SidePair(side, side)
        if len(self.names) != 2:
            raise UsageError(
                f"{len(self.names)} {'side was' if len(self.names) == 1 else 'sides were'} given; a comparison has two",
                hint="name A and B, as in `boxbench gate compare before/ after/`; one with --commits or --baseline",
            )
        return _warned(SidePair(read_side(self.names[0], "A", chosen), read_side(self.names[1], "B", chosen)))

    def _only(self, option: str) -> str:
        if len(self.names) != 1:
            raise UsageError(f"{option} goes with one scenario, not {len(self.names)}", hint="name the scenario once")
        return self.names[0]


def _warned(sides: SidePair) -> SidePair:
    # Not refused: in a pipeline both may be the same on some days.
    if sides.a.same_as(sides.b):
        complain(
            f"A ({sides.a.label}) and B ({sides.b.label}) are the same",
            "to measure false alarms use `boxbench gate aa`",
        )
    return sides
