"""A question as a sweep asks it: its parameters, its quantities, and one function from values to samples."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from bench.sim.answer.answer import Band, Distance
from bench.sim.answer.terms import Terms
from bench.sim.fleet.spec import default_reserve
from bench.sim.limits import MOST_CPUS
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


@dataclass(frozen=True, kw_only=True)
class Runs:
    """All runs of one target at one set of values.

    Attributes:
        terms: of the whole sweep.
        samples: by name: (draws x replications,), inf: never.
    """

    terms: Terms
    target: str
    values: Values
    samples: Mapping[str, Floats]


class Bands(Protocol):
    """The numbers of one target at one point, as the command that asks the same question shows them."""

    def band(self, name: str) -> Band:
        """The band of one quantity."""

    def ratio(self, base: Bands, name: str) -> Band | None:
        """The band of this target's number over another's, within the same luck; None: there is none."""


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
        samples: of each quantity and of ``more`` (draws x replications,), of one target at one set of values.
        planned: how far one set of values lies beyond the data of a target, as far as it is known before it is run.
        distances: how far its runs lie beyond the data.
        bands: of the runs of one target at one point, one for each sample of the uncertain parameters, at these
            distances.
        more: what ``samples`` also has, for ``distances`` and ``bands``.
        taken: sentences on what is taken for granted about a target at one set of values.
        inputs: digests of files that the values name, by name.
        load: how long one run takes, in a unit of the question's own: only ratios count.
        left_out: sentences on what the model does not have, and on what a trace leaves open.
        of_memory: whether it is about the memory of boxes, which a model may not have of all targets.
        may_never: whether a number may never be reached.
        more_is_better: the baseline is compared with each target, so that ratios say how many times more it has.
    """

    parameters: Mapping[str, Parameter]
    quantities: Mapping[str, Quantity]
    samples: Callable[[Terms, str, Values], Mapping[str, Floats]]
    planned: Callable[[Model, str, Values], Iterable[Distance]]
    distances: Callable[[Runs], Iterable[Distance]]
    bands: Callable[[Sequence[Runs], Sequence[Distance]], Bands]
    taken: Callable[[Model, str, Values], Iterable[str]]
    more: tuple[str, ...] = ()
    inputs: Callable[[Values], Mapping[str, str]] | None = None
    load: Callable[[Values], float] = _one
    left_out: Callable[[Values], Sequence[str]] = _nothing
    of_memory: bool = False
    may_never: bool = False
    more_is_better: bool = False

    @property
    def sampled(self) -> tuple[str, ...]:
        """The names of everything that ``samples`` has."""
        return (*self.quantities, *self.more)

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


def joined(runs: Sequence[Runs]) -> tuple[dict[str, Floats], Floats]:
    """Samples by name, of all runs of a point, and their weights. Samples of uncertain parameters are equally likely.

    Returns:
        (samples x draws x replications,) each.
    """
    found = {name: np.concatenate([one.samples[name] for one in runs]) for name in runs[0].samples}
    return found, np.tile(runs[0].terms.weights, len(runs))


def _host_cpus(_given: Values, model: Model) -> Value | None:
    return model.host.cpus


def _host_memory(_given: Values, model: Model) -> Value | None:
    return model.host.memory_bytes


def _usual_reserve(given: Values, _model: Model) -> Value | None:
    return default_reserve(int(given["memory"]))


CPUS: Final = Parameter(
    kind="count", help=f"CPUs of the host, 1 to {MOST_CPUS}", derived=_host_cpus, least=1, most=MOST_CPUS
)
MEMORY: Final = Parameter(
    kind="bytes", help="memory of the host, such as 64GiB", derived=_host_memory, least=1, most=MOST_MEMORY
)
RESERVE: Final = Parameter(
    kind="bytes", help="memory that stays free, such as 1GiB", derived=_usual_reserve, most=MOST_MEMORY
)
"""Parameters that several questions have. The reserve is a tenth of the memory when it is not given."""
