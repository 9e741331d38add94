"""The two sides of a comparison, A and B, as scenarios that one campaign can hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from bench.infer.services import service_workloads
from bench.scenario.model import LoadedScenario, load_scenario, narrowed, without_root_control
from bench.scenario.secrets import with_secrets, without_secrets
from bench.scenario.targets import TargetSpec, parse_target, parse_targets
from bench.util.errors import UsageError
from bench.util.package_data import find_scenario
from bench.util.paths import exists

_NAME_ROOM: Final = 38
"""A scenario's name may have 40 characters, and a side's suffix needs two."""

ONLY_COUNTED: Final = ("q35",)
"""Machines that can be counted in instructions and are not targets of campaigns."""

SideName = Literal["A", "B"]


@dataclass(frozen=True)
class Side:
    """One side, ready to run.

    Attributes:
        loaded: renamed, so that one campaign can hold both sides.
        name: the scenario's own name.
        label: as the user named it.
        explicit: named as ``SCENARIO:TARGET``; then the other side may have a different target.
        commit: full hash of a revision, else None.
        named: its targets were named on the command line, as ``SCENARIO:TARGET`` or with ``-t``.
    """

    loaded: LoadedScenario
    name: str
    label: str
    explicit: bool
    kind: Literal["scenario", "commit", "baseline"] = "scenario"
    commit: str | None = None
    named: bool = False

    def same_as(self, other: Side) -> bool:
        """Whether both sides are the same commit or files, with the same targets and options."""
        place, others = ((side.commit or str(side.loaded.directory), side.loaded.text) for side in (self, other))
        return (place, self.labels) == (others, other.labels)

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of its targets."""
        return tuple(spec.label for spec in self.loaded.scenario.targets)


@dataclass(frozen=True)
class SidePair:
    """A and B."""

    a: Side
    b: Side

    @property
    def title(self) -> str:
        """The scenario's name, or both names where they differ."""
        return self.a.name if self.a.name == self.b.name else f"{self.a.name} → {self.b.name}"

    def without_root_control(self) -> SidePair:
        """Both sides without the target ``process``. Raises UsageError if one of them has no other."""
        return self._with_each(without_root_control)

    def without_secrets(self) -> SidePair:
        """Both sides as they may be stored."""
        return self._with_each(without_secrets)

    def with_secrets(self) -> SidePair:
        """Stored sides as they can run. Raises CampaignError as ``with_secrets`` of a scenario."""
        return self._with_each(lambda loaded: with_secrets(loaded, service_workloads))

    def _with_each(self, change: Callable[[LoadedScenario], LoadedScenario]) -> SidePair:
        a, b = (replace(side, loaded=change(side.loaded)) for side in (self.a, self.b))
        return SidePair(a, b)

    def targets(self) -> dict[str, str]:
        """A's target labels, each with B's. Raises UsageError when the sides have no target in common."""
        if self.a.explicit and self.b.explicit:
            return {self.a.labels[0]: self.b.labels[0]}
        found = {label: label for label in self.a.labels if label in self.b.labels}
        if not found:
            raise UsageError(
                f"{self.a.label} and {self.b.label} have no target in common",
                hint="name one on each side, as in `boxbench gate compare hello:docker hello:runc`",
            )
        return found

    def alone(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Target labels that only A has, and that only B has. Raises UsageError as ``targets``."""
        pairs = self.targets()
        theirs = set(pairs.values())
        return tuple(x for x in self.a.labels if x not in pairs), tuple(x for x in self.b.labels if x not in theirs)


def read_side(name_or_path: str, name: SideName, targets: Sequence[str] | None) -> Side:
    """``SCENARIO`` or ``SCENARIO:TARGET[key=value,...]`` as one side.

    Raises:
        UsageError, ScenarioError: no such scenario, or the target is not of this form.
    """
    path, spec = split_side(name_or_path)
    return make_side(load_scenario(find_scenario(path)), name, label=name_or_path, spec=spec, targets=targets)


def make_side(
    loaded: LoadedScenario,
    name: SideName,
    *,
    label: str,
    spec: TargetSpec | None = None,
    targets: Sequence[str] | None = None,
    kind: Literal["scenario", "commit"] = "scenario",
    commit: str | None = None,
) -> Side:
    """A loaded scenario as one side, with one target or some of them."""
    if spec is not None and targets is not None:
        raise UsageError(
            f"{label} names a target already, and -t {','.join(targets)} names others",
            hint="name the target in one of the two places",
        )
    if targets is not None:
        loaded = _only(loaded, targets)
    own = loaded.scenario
    changes: dict[str, object] = {"name": side_name(own.name, name)}
    if spec is not None:
        # A label of the scenario file keeps the file's own options.
        known = {entry.label: entry for entry in own.targets}
        chosen = known.get(spec.label, spec)
        changes |= {"targets": (chosen,), "baseline": chosen.label}
    renamed = loaded.model_copy(update={"scenario": own.model_copy(update=changes)})
    return Side(renamed, own.name, label, spec is not None, kind, commit, spec is not None or targets is not None)


def _only(loaded: LoadedScenario, targets: Sequence[str]) -> LoadedScenario:
    """As ``narrowed``, but machines that can only be counted are allowed, too."""
    if not set(targets) & set(ONLY_COUNTED):
        return narrowed(loaded, targets=targets)
    rest = [label for label in targets if label not in ONLY_COUNTED]
    known = narrowed(loaded, targets=rest).scenario.targets if rest else ()
    specs = {spec.label: spec for spec in (*known, *(TargetSpec(target=name) for name in ONLY_COUNTED))}
    chosen = tuple(specs[parse_target(label).label] for label in dict.fromkeys(targets))
    scenario = loaded.scenario.model_copy(update={"targets": chosen, "baseline": chosen[0].label})
    return loaded.model_copy(update={"scenario": scenario})


def side_name(scenario: str, name: SideName) -> str:
    """``hello-a``: a scenario's name in the campaign that holds both sides."""
    return f"{scenario[:_NAME_ROOM]}-{name.lower()}"


def split_side(word: str) -> tuple[str, TargetSpec | None]:
    """Split ``hello:docker[runtime=crun]`` into scenario and target. A path that exists is a scenario, with its colons.

    Raises:
        UsageError: the text after the colon is not a target.
    """
    path, colon, rest = word.partition(":") if not exists(Path(word)) else (word, "", "")
    if not colon:
        return path, None
    if rest in ONLY_COUNTED:
        return path, parse_target(rest)
    (spec,) = parse_targets((rest,))
    return path, spec
