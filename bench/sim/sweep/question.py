"""A question as a sweep asks it: its parameters, its quantities, and one function from values to samples."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.sim.answer.answer import Distance
from bench.sim.answer.terms import Terms
from bench.sim.model.file import Model
from bench.sim.sweep.parameters import Parameter, Value, Values
from bench.util.errors import UsageError

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """One number of a question."""

    unit: str
    benefit: bool = False
    """More of it is better: beyond the data its band is widened downwards."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """A question as a sweep asks it.

    Attributes:
        parameters: by name, in the order in which they are listed.
        quantities: by name; the first one is what figures show.
        samples: of each quantity (draws x replications,), of one target at one set of values.
        distances: how far one set of values lies beyond the data of a target.
        reached: the same from the samples, where it is known only then.
        inputs: digests of files that the values name, by name.
    """

    parameters: Mapping[str, Parameter]
    quantities: Mapping[str, Quantity]
    samples: Callable[[Terms, str, Values], Mapping[str, Floats]]
    distances: Callable[[Model, str, Values], Iterable[Distance]]
    reached: Callable[[Model, str, Mapping[str, Floats]], Iterable[Distance]] | None = None
    inputs: Callable[[Values], Mapping[str, str]] | None = None

    def complete(self, values: Values, model: Model) -> dict[str, Value]:
        """All values, with those that were not given. Raises UsageError: one is missing and nothing says it."""
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
        return found


def _host_cpus(_given: Values, model: Model) -> Value | None:
    return model.host.cpus


def _host_memory(_given: Values, model: Model) -> Value | None:
    return model.host.memory_bytes


def _tenth(given: Values, _model: Model) -> Value | None:
    return int(given["memory"]) // 10


CPUS: Final = Parameter(kind="count", help="CPUs of the host, a whole number from 1 on", derived=_host_cpus, least=1)
MEMORY: Final = Parameter(kind="bytes", help="memory of the host, such as 64GiB", derived=_host_memory, least=1)
RESERVE: Final = Parameter(kind="bytes", help="memory that stays free, such as 1GiB", derived=_tenth)
"""Parameters that several questions have. The reserve is a tenth of the memory when it is not given."""
