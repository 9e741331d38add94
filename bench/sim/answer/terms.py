"""What every question has: the model, which of its draws are used, the seed, and how far beyond the data it may go."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.plan.trials import accel_of
from bench.scenario.fields import canonical_label
from bench.sim.answer.form import Drawn, drawn
from bench.sim.model.file import Model, assumed_sentences
from bench.util.errors import UsageError

Say = Callable[[str], None]
"""Called with one line when a step begins."""

BASELINE: Final = "docker"
"""The target that others are compared with when it is asked for; else the first one."""
_EMULATED: Final = "tcg"


def quiet(_line: str) -> None:
    """The progress of nobody."""


@dataclass(frozen=True, kw_only=True)
class Terms:
    """A model and how it is asked."""

    model: Model
    digest: str
    """Of the model file."""
    seed: int
    draws: tuple[int, ...]
    """Which draws of the model are used."""
    first: int = 0
    """Place of the first of them in the whole question: a part of a question has the luck that it has in the whole."""
    replications: int = 2
    """Runs with fresh noise for each draw."""
    beyond: bool = False
    """Whether questions more than 10 times beyond the data are answered."""
    say: Say = field(default=quiet)

    @cached_property
    def weights(self) -> NDArray[np.float64]:
        """(draws x replications,) of the samples, each draw's weight on each of its replications."""
        found: NDArray[np.float64] = np.repeat(self.draw_weights / self.replications, self.replications)
        return found

    def drawn(self, target: str) -> list[Drawn]:
        """(draws,) A target in each draw that is used, for hosts of any size."""
        return [drawn(self.model, target, draw, self.seed) for draw in self.draws]

    @cached_property
    def draw_weights(self) -> NDArray[np.float64]:
        """(draws,) of the draws that are used; they add up to 1."""
        weights = np.asarray(self.model.weights, dtype=np.float64)[list(self.draws)]
        found: NDArray[np.float64] = weights / weights.sum()
        return found


def choose_draws(model: Model, count: int | None) -> tuple[int, ...]:
    """All draws of a model, or ``count`` of them at equal distances. Raises UsageError: more than it has, or none."""
    have = len(model.weights)
    if count is None or count == have:
        return tuple(range(have))
    if not 1 <= count <= have:
        raise UsageError(f"--draws {count}: the model has {have} draws", hint=f"ask for 1 to {have}, or leave it out")
    return tuple(number * have // count for number in range(count))


def choose_targets(model: Model, labels: Sequence[str] | None) -> tuple[str, ...]:
    """The targets to ask about, all of the model when None. Raises UsageError that lists those of the model."""
    if labels is None:
        return tuple(model.targets)
    return tuple(dict.fromkeys(find_target(model, label) for label in labels))


def find_target(model: Model, label: str) -> str:
    """A target's label in the model: the given one, or the only one of this target with an accelerator.

    Raises UsageError that lists the targets when there is none, or when it may be one of several.
    """
    label = canonical_label(label)
    if label in model.targets:
        return label
    found = [name for name in model.targets if name.startswith(f"{label}/")]
    if len(found) == 1:
        return found[0]
    raise UsageError(f"the model has no target {label!r}", hint=f"it has {', '.join(model.targets)}")


def choose_baseline(targets: Sequence[str], given: str | None) -> str:
    """The target that others are compared with. Raises UsageError: one that is not asked for."""
    given = None if given is None else canonical_label(given)
    if given is not None and given not in targets:
        found = [target for target in targets if target.startswith(f"{given}/")]
        if len(found) == 1:
            return found[0]
        raise UsageError(f"--baseline {given} is not among the targets", hint=f"they are {', '.join(targets)}")
    return given or (BASELINE if BASELINE in targets else targets[0])


def is_emulated(label: str) -> bool:
    """Whether the boxes of a target have an emulated CPU: their times have a shape and no size."""
    return accel_of(label) == _EMULATED


def refuse_emulated_machine(option: str, target: str) -> None:
    """Raise UsageError for a virtual machine with an emulated CPU that is to have boxes inside."""
    if is_emulated(target):
        raise UsageError(
            f"{option}: {target} has an emulated CPU, and the model does not know how slow boxes inside it are",
            hint="measure `vm-docker` as a target of its own, or fit a model under kvm",
        )


def assumed_of(model: Model, targets: Sequence[str]) -> tuple[str, ...]:
    """The sentences on parameters of these targets that no data stand behind."""
    return tuple(one.line for one in assumed_sentences(model) if one.target in targets)


def emulated_sentences(targets: Sequence[str]) -> tuple[str, ...]:
    """A sentence on targets with an emulated CPU; empty when there is none."""
    found = [target for target in targets if is_emulated(target)]
    return (f"{', '.join(found)}: emulated CPU. This is not what KVM would cost.",) if found else ()
