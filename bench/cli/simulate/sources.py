"""Campaigns and tables beside a model: whether they are of its workload and host, and storms to show on a curve."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.sim.host.curve import MeasuredStorm, measured_storms
from bench.sim.model.schema import HostEntry, Model
from bench.sim.observe.campaign import observe
from bench.sim.observe.table import observe_table
from bench.sim.observe.trials import Observations, Source, same_workload
from bench.util.errors import UsageError
from bench.util.package_data import find_table
from bench.util.paths import is_file


def is_table(name: str) -> bool:
    """Whether a name is that of a table of storms: a file, or a bundled one. Else it is that of a campaign."""
    return is_file(find_table(name))


def check_same(
    host: Source | HostEntry, workload: str, seen: Observations, *, what: str, host_change: bool = False
) -> None:
    """Raise UsageError for another workload than the model's, or another host without ``--host-change``.

    Args:
        host: that the model is of.
        workload: that it was fitted to.
        what: names what was seen: ``what is scored``.
    """
    if not same_workload(workload, seen.workload):
        raise UsageError(
            f"the model was fitted to another workload (image, command or readiness) than {what}",
            hint="name a campaign of the model's scenario",
        )
    own = host.host if isinstance(host, Source) else host.fingerprint
    for source in seen.sources:
        if (source.host, source.cpus) != (own, host.cpus) and not host_change:
            raise UsageError(
                f"the model is of {_host(own, host.cpus)}, and {what} of {_host(source.host, source.cpus)}",
                hint="name a campaign of the same host, or add --host-change",
            )


def _host(fingerprint: str | None, cpus: int) -> str:
    return f"{'a table' if fingerprint is None else f'host {fingerprint}'} with {cpus} CPUs"


def storms_to_show(
    model: Model, names: Sequence[str], targets: Sequence[str], *, host_change: bool
) -> tuple[MeasuredStorm, ...]:
    """The measured storms of campaigns and tables that are of a model's workload and host.

    Args:
        targets: that are asked about.

    Raises:
        UsageError: another workload or host; none of the targets was measured, such as those of another accelerator.
    """
    tables, campaigns = [name for name in names if is_table(name)], [name for name in names if not is_table(name)]
    seen = [observe_table(find_table(name)) for name in tables]
    if campaigns:
        seen.append(observe([Path(name) for name in campaigns], host_change=host_change))
    for one in seen:
        check_same(model.host, model.workload, one, what="the measured storms", host_change=host_change)
        _check_targets(one, targets)
    return tuple(storm for one in seen for storm in measured_storms(one) if storm.target in targets)


def _check_targets(seen: Observations, targets: Sequence[str]) -> None:
    if not set(seen.targets) & set(targets):
        raise UsageError(
            f"--measured {seen.sources[0].name} has no storms of {', '.join(targets)}: it has "
            f"{', '.join(seen.targets)}",
            hint="name a campaign or a table with the model's targets, accelerators included",
        )
