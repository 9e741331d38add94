"""How CPU inflation goes on beyond the CPUs that were measured: nobody knows, so each draw has a form of its own.

On ``n`` busy CPUs work takes ``1 + inflation * (n - 1)`` times as long. That line is measured up to ``m`` busy CPUs:
those of the host, or fewer where the largest measured storm had fewer boxes. Beyond them it may go on as a line, or
stay where it is. A draw takes ``1 + inflation * (m - 1) * ((n - 1) / (m - 1)) ** exponent`` with an exponent that is
uniform in [0, 1]: 0 stays, 1 is the line. With an exponent below 1 further CPUs always add capacity; with the line it
ends at ``1 / inflation``.

The simulator knows the line alone. The inflation of a draw is replaced by the one whose line meets the form where the
question has the most busy CPUs. With fewer of them at work it is below the form.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.sim.answer.roles import with_values
from bench.sim.answer.words import count_text
from bench.sim.engine.rng import ENTITIES, SEEDS, uniforms
from bench.sim.model.schema import Model
from bench.sim.model.values import target_values
from bench.sim.values import TargetValues

PURPOSE: Final = 0x4102
"""The purpose of the random numbers of forms."""
FORM: Final = "inflation_form"
"""The name under which a form stands among parameters."""
_MIDDLE: Final = 0.5
"""The exponent of the centre of a model: the median of what a draw may have."""
_LINE: Final = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawn:
    """One draw of a target, for hosts of any size."""

    values: TargetValues
    known: int = 1
    """CPUs up to which inflation was measured."""
    exponent: float = _LINE

    def at(self, *, cpus: int, boxes: int) -> TargetValues:
        """The values on a host of ``cpus`` CPUs where ``boxes`` boxes start at once."""
        busy = min(cpus, boxes)
        if busy <= self.known or self.exponent == _LINE or not self.values.inflation:
            return self.values
        less = ((busy - 1) / (self.known - 1)) ** (self.exponent - 1)
        return replace(self.values, inflation=self.values.inflation * less)


def seen_cpus(model: Model, target: str) -> int:
    """The most CPUs that were seen busy with starts of a target: no more than the host has, or than boxes started."""
    return min(model.host.cpus, max(model.targets[target].measured.get("boxes", ()), default=1))


def known_cpus(model: Model, target: str) -> int:
    """Busy CPUs up to which inflation is a line. One CPU shows none, so that it counts as the first two."""
    return max(2, seen_cpus(model, target))


def exponents(target: str, draws: Sequence[int], seed: int) -> NDArray[np.float64]:
    """(draws,) The exponent of each draw of a target: the same for the same seed, whatever else is asked."""
    entity = int.from_bytes(hashlib.sha256(target.encode()).digest()[:8], "big") % ENTITIES
    return uniforms(seed % SEEDS, PURPOSE, entity, np.asarray(draws, dtype=np.int64))


def drawn(model: Model, target: str, draw: int | None, seed: int) -> Drawn:
    """One draw of a target, or its centre. Raises as ``target_values``."""
    values = target_values(model, target, draw)
    if not has_form(model, target):
        return Drawn(values=values)
    exponent = _MIDDLE if draw is None else float(exponents(target, [draw], seed)[0])
    return Drawn(values=values, known=known_cpus(model, target), exponent=exponent)


def host_values(model: Model, target: str, draw: int | None, *, cpus: int, boxes: int, seed: int) -> TargetValues:
    """The values of one draw on a host of ``cpus`` CPUs where at most ``boxes`` boxes start at once."""
    return drawn(model, target, draw, seed).at(cpus=cpus, boxes=boxes)


def with_exponent(model: Model, draw: int, exponent: float, *, target: str, cpus: int, boxes: int, seed: int) -> Model:
    """The model whose inflation at one draw is what another exponent gives there, for so many boxes on so many CPUs."""
    now = float(exponents(target, [draw], seed)[0])
    known = known_cpus(model, target)
    factor = ((min(cpus, boxes) - 1) / (known - 1)) ** (exponent - now)
    return with_values(model, target, {"inflation": factor * float(_inflations(model, target)[draw])})


def has_form(model: Model, target: str) -> bool:
    """Whether the data leave the form open: there is inflation, and no user stated it. What is stated is a line."""
    parameter = model.targets[target].parameters.get("inflation")
    return parameter is not None and parameter.kind != "assumed" and max(_inflations(model, target)) > 0


def beyond_known(model: Model, targets: Iterable[str], *, cpus: int, boxes: int) -> tuple[str, ...]:
    """The targets for which a host of ``cpus`` CPUs with ``boxes`` boxes at once depends on the form."""
    busy = min(cpus, boxes)
    return tuple(target for target in targets if busy > known_cpus(model, target) and has_form(model, target))


def form_sentences(model: Model, targets: Iterable[str], *, cpus: int, boxes: int) -> tuple[str, ...]:
    """What is taken for granted where more CPUs are busy than were seen; empty where nothing is."""
    by_seen: dict[int, list[str]] = {}
    for target in beyond_known(model, targets, cpus=cpus, boxes=boxes):
        by_seen.setdefault(seen_cpus(model, target), []).append(target)
    return tuple(
        f"{', '.join(found)}: how much longer CPU work takes on busy CPUs was measured up to "
        f"{count_text(seen, 'CPU')}. Beyond that every draw takes a form of its own, from staying there to going on as "
        "a line, all equally likely."
        for seen, found in by_seen.items()
    )


def _inflations(model: Model, target: str) -> Sequence[float]:
    draws = model.draws.get(target, {}).get("inflation")
    return draws or (model.targets[target].parameters["inflation"].value,) * len(model.weights)
