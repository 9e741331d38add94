"""A question as a sweep asks it: its parameters, its quantities, and one function from values to samples."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.sim.answer.answer import Distance
from bench.sim.answer.terms import Terms
from bench.sim.fleet.file import MOST_CPUS
from bench.sim.model.file import Model
from bench.sim.sweep.parameters import Parameter, Value, Values
from bench.util.errors import UsageError
from bench.util.units import format_bytes

Floats = NDArray[np.float64]

MOST_MEMORY: Final = 2**50
"""Bytes of a host."""


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """One number of a question."""

    unit: str
    benefit: bool = False
    """More of it is better: beyond the data its band is widened downwards."""


def _none(_values: Values) -> Mapping[str, float]:
    """Nothing has a limit."""
    return {}


def _nothing(_values: Values) -> Sequence[str]:
    """There is nothing to say."""
    return ()


def _one(_values: Values) -> float:
    """All values take the same time."""
    return 1.0


@dataclass(frozen=True, kw_only=True)
class Question:
    """A question as a sweep asks it.

    Attributes:
        parameters: by name, in the order in which they are listed.
        quantities: by name; the first one is what figures show.
        samples: of each quantity (draws x replications,), of one target at one set of values.
        distances: how far one set of values lies beyond the data of a target.
        reached: the same from the samples, where it is known only then.
        reached_names: what ``samples`` also has, for ``reached``.
        inputs: digests of files that the values name, by name.
        caps: what the hosts hold at most, by the names of quantities: no band goes beyond it.
        load: how long one run takes, in a unit of the question's own: only ratios count.
        left_out: sentences on what the model does not have, and on what a trace leaves open.
        of_memory: whether it is about the memory of boxes, which a model may not have of all targets.
    """

    parameters: Mapping[str, Parameter]
    quantities: Mapping[str, Quantity]
    samples: Callable[[Terms, str, Values], Mapping[str, Floats]]
    distances: Callable[[Model, str, Values], Iterable[Distance]]
    reached: Callable[[Model, str, Mapping[str, Floats]], Iterable[Distance]] | None = None
    reached_names: tuple[str, ...] = ()
    inputs: Callable[[Values], Mapping[str, str]] | None = None
    caps: Callable[[Values], Mapping[str, float]] = _none
    load: Callable[[Values], float] = _one
    left_out: Callable[[Values], Sequence[str]] = _nothing
    of_memory: bool = False

    @property
    def sampled(self) -> tuple[str, ...]:
        """The names of everything that ``samples`` has."""
        return (*self.quantities, *self.reached_names)

    def complete(self, values: Values, model: Model) -> dict[str, Value]:
        """All values, with those that were not given. Raises UsageError: one is missing, or they contradict."""
        found: dict[str, Value] = {}
        for name, parameter in self.parameters.items():
            value = values.get(name, parameter.default)
            if value is None and parameter.derived is not None:
                value = parameter.derived(found, model)
            if value is None:
                raise UsageError(
                    f"{name} is missing{' and the model has none' if parameter.derived else ''}",
                    hint=f"give it under fixed, axes or uncertain: {parameter.help}",
                )
            found[name] = value
        if "reserve" in found and int(found["reserve"]) >= int(found["memory"]):
            raise UsageError(
                f"the reserve of {format_bytes(int(found['reserve']))} leaves nothing of "
                f"{format_bytes(int(found['memory']))}",
                hint="give a smaller reserve, or a larger host",
            )
        return found


def _host_cpus(_given: Values, model: Model) -> Value | None:
    return model.host.cpus


def _host_memory(_given: Values, model: Model) -> Value | None:
    return model.host.memory_bytes


def _tenth(given: Values, _model: Model) -> Value | None:
    return int(given["memory"]) // 10


CPUS: Final = Parameter(
    kind="count", help=f"CPUs of the host, 1 to {MOST_CPUS}", derived=_host_cpus, least=1, most=MOST_CPUS
)
MEMORY: Final = Parameter(
    kind="bytes", help="memory of the host, such as 64GiB", derived=_host_memory, least=1, most=MOST_MEMORY
)
RESERVE: Final = Parameter(kind="bytes", help="memory that stays free, such as 1GiB", derived=_tenth, most=MOST_MEMORY)
"""Parameters that several questions have. The reserve is a tenth of the memory when it is not given."""
