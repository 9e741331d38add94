"""A and B as the command line names them."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.cli.loading import refuse_useless
from bench.cli.messages import complain
from bench.cli.oneline import scenarios_alike, wanted_of
from bench.cli.trust import warn_of_programs
from bench.gate.checkout import sides_of_commits
from bench.gate.sides import ONLY_COUNTED, Side, SideName, SidePair, make_side, read_side
from bench.infer.given import NOTHING_GIVEN, Given
from bench.infer.subject import Subject, parse_subject
from bench.scenario.target_table import TARGETS
from bench.scenario.targets import split_labels
from bench.util.errors import UsageError
from bench.util.paths import exists


@dataclass(frozen=True, kw_only=True)
class SideSelection:
    """What the command line says about A and B.

    Attributes:
        names: two scenarios, or one with ``commits`` or ``baseline``.
        targets: the text of ``--targets``; None means all targets.
        commits: two revisions of the scenario's repository.
        baseline: stored results that take A's place.
        given: what is said about images.
    """

    names: Sequence[str]
    targets: str | None = None
    commits: tuple[str, str] | None = None
    baseline: Path | None = None
    given: Given = NOTHING_GIVEN

    def read(self, checkouts: Path, *, no_root_control: bool) -> SidePair:
        """Load both sides; revisions are unpacked below ``checkouts``.

        Args:
            no_root_control: leave out the target ``process``.

        Raises:
            UsageError, ScenarioError: not two sides, or one of them cannot be loaded.
        """
        sides = self._read(checkouts, no_root_control)
        sides = sides.without_root_control() if no_root_control else sides
        if self.targets is None:
            warn_of_programs((sides.a.loaded, sides.b.loaded))
        return sides

    def read_same(self, *, no_root_control: bool) -> SidePair:
        """The one name as both sides. Raises as ``read``."""
        (name,) = self.names
        sides = SidePair(*self._sides(("A", "B"), (name, name), self._chosen(), no_root_control))
        sides = sides.without_root_control() if no_root_control else sides
        if self.targets is None:
            warn_of_programs((sides.a.loaded,))
        return sides

    def _chosen(self) -> tuple[str, ...] | None:
        return split_labels(self.targets) if self.targets is not None else None

    def _read(self, checkouts: Path, no_root_control: bool) -> SidePair:
        chosen = self._chosen()
        if self.commits is not None and self.baseline is not None:
            raise UsageError("--commits and --baseline both say what A is", hint="choose one")
        if self.commits is not None:
            name = self._only("--commits")
            self._refuse_image(name)
            return _warned(sides_of_commits(name, self.commits, checkouts, chosen))
        if self.baseline is not None:
            (side,) = self._sides(("B",), (self._only("--baseline"),), chosen, no_root_control)
            return SidePair(side, side)
        if len(self.names) != 2:
            raise UsageError(
                f"{len(self.names)} {'side was' if len(self.names) == 1 else 'sides were'} given; a comparison has two",
                hint="name A and B, as in `boxbench gate compare before/ after/`; one with --commits or --baseline",
            )
        self._refuse_same_name()
        return _warned(SidePair(*self._sides(("A", "B"), self.names, chosen, no_root_control)))

    def _refuse_same_name(self) -> None:
        """Raise UsageError: one scenario was named twice. Two images may be equal, where nothing was released."""
        before, after = self.names
        if before == after and _subject(before) is None:
            raise UsageError(
                f"A and B are both {before}, so there is nothing to compare",
                hint=f"name two; `boxbench gate aa {shlex.quote(before)}` measures false alarms",
            )

    def _sides(
        self, sides: Sequence[SideName], names: Sequence[str], targets: Sequence[str] | None, no_root_control: bool
    ) -> tuple[Side, ...]:
        """Scenarios or images as sides. Images share readiness and resources, which are those of the first."""
        subjects = [_subject(name) for name in names]
        if not any(subjects):
            refuse_useless(self.given.options(), "scenarios, which say it in their files")
            return tuple(read_side(name, side, targets) for side, name in zip(sides, names, strict=True))
        images = [subject for subject in subjects if subject is not None]
        if len(images) != len(names):
            raise UsageError(
                f"{images[0].word} is no scenario, and the other side is one: they would differ in more than the image",
                hint=f"write a scenario for it with `boxbench init {shlex.quote(images[0].word)}`",
            )
        wanted = wanted_of(None if targets is None else tuple(targets), None, no_root_control=no_root_control)
        loaded = scenarios_alike(images, self.given, wanted)
        return tuple(
            make_side(one, side, label=name, targets=targets)
            for one, side, name in zip(loaded, sides, names, strict=True)
        )

    def _refuse_image(self, name: str) -> None:
        subject = _subject(name)
        if subject is not None:
            raise UsageError(
                f"--commits compares two versions of a scenario of a repository, and {name} is no scenario",
                hint=f"write one into the repository with `boxbench init {shlex.quote(name)}`, commit it, and name it",
            )
        refuse_useless(self.given.options(), "scenarios, which say it in their files")

    def _only(self, option: str) -> str:
        if len(self.names) != 1:
            raise UsageError(f"{option} goes with one scenario, not {len(self.names)}", hint="name the scenario once")
        return self.names[0]


def _subject(word: str) -> Subject | None:
    """What a side names if it is neither a scenario nor ``SCENARIO:TARGET``."""
    target = word.partition(":")[2].partition("[")[0]
    if not exists(Path(word)) and target in (*TARGETS, *ONLY_COUNTED):
        return None
    return parse_subject(word)


def _warned(sides: SidePair) -> SidePair:
    # Not refused: in a pipeline both may be the same on some days.
    if sides.a.same_as(sides.b):
        complain(
            f"A ({sides.a.label}) and B ({sides.b.label}) are the same",
            "to measure false alarms use `boxbench gate aa`",
        )
    return sides
