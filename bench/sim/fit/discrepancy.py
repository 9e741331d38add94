"""How far models of this kind are off beyond the data they were fitted to: a prior, from storms that were measured.

A model is never given the errors of predictions for storms that it was fitted to, or that it may be scored on: a check
would otherwise find bands that were made to hold.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, NamedTuple

from bench.sim.model.schema import Discrepancy
from bench.sim.observe.table import observe_table
from bench.sim.observe.trials import Observations, SummaryRow
from bench.util.package_data import find_table

_MEDIAN_OF_HALF_NORMAL: Final = 0.6745
"""The median error of a normal distribution without bias, as a share of its standard deviation."""
_RUND: Final = ((2, 0.05), (5, 0.13), (10, 0.07), (20, 0.15), (30, 0.17), (40, 0.26))
"""Distance beyond the data as a multiple of the largest fitted number of boxes, and the median of the errors of the
last box there: models of a delay and one lock, fitted to storms of 1 and 10 boxes."""
_OURS: Final = ((2, (-0.075, -0.030, 0.088, -0.024, -0.006)), (4, (-0.160, 0.029, 0.004, -0.119, 0.016)))
"""Distance, and the error of the last box of each target (libvirt/tcg, docker, runc, process, gvisor), fitted to storms
of 1 and 2 boxes: `python -m tests.studies.discrepancy`."""
_TABLE: Final = "rund-2022"
_CAMPAIGN: Final = "55f11874"


class _Errors(NamedTuple):
    """Errors of predictions beyond the data.

    Attributes:
        of: whose storms they are, in words.
        scales: distance beyond the data as a multiple of the largest fitted number of boxes, and the root mean square
            of the errors' logarithms there.
        are_in: whether observations have any of these storms.
    """

    of: str
    scales: tuple[tuple[int, float], ...]
    are_in: Callable[[Observations], bool]


def published_discrepancy(*seen: Observations) -> Discrepancy:
    """The prior: the root mean square of log(truth / prediction) is a line through 0 over log2(distance).

    What sign it has is said by ``bench.sim.answer.distance.widening``.

    Args:
        seen: what a model is fitted to and scored on; errors of predictions for the same storms are left out.
    """
    left = [one for one in _SOURCES if not any(one.are_in(observations) for observations in seen)]
    points = [(math.log2(times), scale) for one in left for times, scale in one.scales]
    if not points:
        return Discrepancy(log_sd_per_doubling=0.0, source="without the error of published predictions")
    rise = sum(x * y for x, y in points) / sum(x * x for x, _ in points)
    return Discrepancy(
        log_sd_per_doubling=float(f"{rise:.3g}"),
        source=f"errors of predictions beyond the fitted number of boxes: {'; '.join(one.of for one in left)}",
    )


def _is_table(observations: Observations) -> bool:
    """Whether a row of the bundled table is among the rows, whatever the runtime, the file and its columns are."""
    rows = [row for target in observations.targets.values() for row in target.rows]
    if not rows:
        return False
    table = observe_table(find_table(_TABLE))
    known = [row for target in table.targets.values() for row in target.rows if row.boxes > 1]
    return any(_are_one(row, other) for row in rows for other in known)


def _are_one(row: SummaryRow, other: SummaryRow) -> bool:
    """Whether two rows may be of the same storms: each time that both of them state is equal, and there is one."""
    pairs = [(getattr(row, name), getattr(other, name)) for name in ("first_ns", "median_ns", "last_ns")]
    stated = [(one, another) for one, another in pairs if one is not None and another is not None]
    return row.boxes == other.boxes and bool(stated) and all(one == another for one, another in stated)


def _is_campaign(observations: Observations) -> bool:
    return any(source.name == _CAMPAIGN for source in observations.sources)


def _optimistic() -> str:
    """``6 of 10``."""
    errors = [one for _, some in _OURS for one in some]
    return f"{sum(one < 0 for one in errors)} of {len(errors)}"


_SOURCES: Final = (
    _Errors(
        "four runtimes of one paper (RunD, USENIX ATC 2022; kata-qemu and kata-fc-dm of the bundled table are two of "
        "them) at 2 to 40 times, where 11 of 12 errors from 20 times on were too optimistic",
        tuple((times, -math.log1p(-error) / _MEDIAN_OF_HALF_NORMAL) for times, error in _RUND),
        _is_table,
    ),
    _Errors(
        f"runc, docker, gvisor, process and libvirt/tcg of this project's calibration campaign {_CAMPAIGN} at 2 and 4 "
        f"times, where {_optimistic()} errors were too optimistic",
        tuple((times, math.sqrt(sum(math.log1p(one) ** 2 for one in errors) / len(errors))) for times, errors in _OURS),
        _is_campaign,
    ),
)
