"""What trials of many boxes share, storms and residents alike: tags, CPUs and records of their boxes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from bench.host.run_directory import box_tag
from bench.plan.trials import Trial
from bench.probes.member import MemberValues
from bench.records.record import Failure, Member
from bench.run.box import BoxRun, Setting
from bench.util.doubts import Doubt
from bench.util.errors import BoxbenchError
from bench.util.text import plain


def member_tag(campaign: str, trial: Trial, number: int) -> str:
    """``boxbench-1a2b3c4d-t0012-m03``: a search for the trial's tag finds all its boxes."""
    return f"{box_tag(campaign, trial.id)}-m{number:02d}"


def spread(setting: Setting, available: tuple[int, ...], number: int) -> Setting:
    """The setting of box ``number``: the boxes take the host's CPUs in turn, each as many as its scenario says.

    On the same CPU all boxes would queue while other CPUs are idle, which no host does.
    """
    count = len(setting.cpus)
    cpus = tuple(sorted({available[(number * count + place) % len(available)] for place in range(count)}))
    return replace(setting, cpus=cpus)


def member_record(
    number: int,
    run: BoxRun,
    *,
    scheduled_ns: int,
    lateness_ns: int | None,
    failure: Failure | None,
    values: MemberValues,
) -> Member:
    """The part of one box in the record of its trial; ``failure`` is the box's own, or None."""
    exited = run.timeline.exit
    return Member(
        number=number,
        scheduled_ns=scheduled_ns,
        lateness_ns=lateness_ns,
        outcome="ok" if failure is None else "timeout" if run.outcome.timed_out else "failed",
        failure=failure,
        endpoints_ns=run.timeline.relative_ns(),
        exit_code=None if exited is None else exited.status,
        doubts=tuple(run.outcome.doubts),
        cpu_ns=values.cpu_ns,
        cpu_at_ns=run.seen.cpu_at_ns,
        memory_bytes=values.memory_bytes,
        disk_bytes=values.disk_bytes,
        waits_ns=values.waits_ns,
    )


def read_values(run: BoxRun, read: Callable[[], MemberValues]) -> MemberValues:
    """What ``read`` reads of a box that is up; empty, with a doubt of this box, when it cannot be read."""
    try:
        return read()
    except (BoxbenchError, OSError) as error:
        run.outcome.doubts.append(Doubt.UNKNOWN.of(f"values ({plain(str(error))})"))
        return MemberValues()


def mean_of(values: Sequence[Mapping[str, int]]) -> dict[str, int]:
    """The mean over boxes of each value that all of them have; empty without boxes."""
    shared = set.intersection(*map(set, values)) if values else set()
    return {name: sum(one[name] for one in values) // len(values) for name in sorted(shared)}
