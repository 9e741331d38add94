"""Whether a campaign's files fit together. A fit would take an edited or damaged record for a measurement."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, TypeGuard

from bench.analysis.storms import FACTOR as CONCURRENCY
from bench.analysis.storms import GOALS
from bench.plan.trials import Trial
from bench.records.manifest import Manifest
from bench.records.record import Record
from bench.scenario.factors import MOST_BOXES, MULTI_BOX_FACTORS, resources_at
from bench.sim.limits import MOST_BYTES, MOST_CPUS, MOST_NS
from bench.util.errors import UsageError

_COUNT: Final = re.compile(r"[1-9][0-9]{0,3}")
_RESTORE: Final = "the campaign's files were edited or joined; restore them, or measure again"


def check_sound(path: Path, manifest: Manifest, records: Sequence[Record]) -> None:
    """Check that the records are of the plan's trials, and that their numbers can be those of starts.

    Raises:
        UsageError: with the trial and the value that is wrong.
    """
    plan = {trial.number: trial for trial in manifest.plan}
    for record in records:
        problem = _problem_of_trial(record.trial, plan) or _problem_of_numbers(record)
        if problem is not None:
            raise UsageError(f"{path}: record {record.trial.id}: {problem}", hint=_RESTORE)


def unfinished(path: Path, manifest: Manifest, records: Sequence[Record]) -> str | None:
    """A sentence on the trials of the plan without a record; None: all have one."""
    missing = len(manifest.plan) - len(records)
    if missing <= 0:
        return None
    return (
        f"{path} is not finished: {missing} of {len(manifest.plan)} trials have no record; "
        f"`boxbench resume {shlex.quote(str(path))}` runs them on the same host"
    )


def host_cpus(path: Path, manifest: Manifest) -> int:
    """The CPUs of the campaign's host. Raises UsageError: the manifest does not have them."""
    found = manifest.host.get("cpus_online")
    if not _is_count(found, MOST_CPUS):
        raise UsageError(
            f"{path}: the number of the host's CPUs in its manifest is {found!r}, and must be from 1 to {MOST_CPUS}",
            hint=_RESTORE,
        )
    return found


def host_memory(path: Path, manifest: Manifest) -> int | None:
    """The memory of the campaign's host, bytes; None: not known. Raises UsageError: it is no size."""
    found = manifest.host.get("memory_bytes")
    if found is None:
        return None
    if not _is_count(found, MOST_BYTES):
        raise UsageError(f"{path}: the host's memory in its manifest is {found!r}, which is no size", hint=_RESTORE)
    return found


def _is_count(found: object, most: int) -> TypeGuard[int]:
    return isinstance(found, int) and not isinstance(found, bool) and 1 <= found <= most


def _problem_of_trial(trial: Trial, plan: dict[int, Trial]) -> str | None:
    """Why the trial cannot be one of the plan's; None: it is."""
    planned = plan.get(trial.number)
    if planned is None:
        return "the plan has no such trial"
    if planned != trial:
        return f"it is of {_shown(trial)}, and the plan has {_shown(planned)}"
    # Each block has a trial at least.
    if not 0 <= trial.block < len(plan):
        return f"block {trial.block + 1} is not one of a plan of {len(plan)} trials"
    return _problem_of_factors(trial.cell.factors)


def _problem_of_factors(factors: Mapping[str, str]) -> str | None:
    for name in MULTI_BOX_FACTORS:
        level = factors.get(name)
        if level is not None and not (_COUNT.fullmatch(level) and int(level) <= MOST_BOXES):
            return f"{name} is {level[:40]!r}, and must be a number of boxes from 1 to {MOST_BOXES}"
    try:
        resources_at(dict(factors))
    except ValueError as error:
        return f"its factors are wrong: {error}"
    return None


def _shown(trial: Trial) -> str:
    return f"{trial.cell.key} in block {trial.block + 1}{' (warm-up)' if trial.warmup else ''}"


def _problem_of_numbers(record: Record) -> str | None:
    """Why the numbers of a record cannot be those of starts; None: they can. A failed trial has no numbers to trust."""
    if record.outcome != "ok":
        return None
    return _problem_of_members(record) or _problem_of_times(record) or _problem_of_cpu(record)


def _problem_of_members(record: Record) -> str | None:
    boxes = record.trial.cell.factors.get(CONCURRENCY)
    if boxes is None or sorted(one.number for one in record.members) == list(range(int(boxes))):
        return None
    return f"it is of a storm of {boxes} boxes, and its {len(record.members)} members are not these"


def _problem_of_times(record: Record) -> str | None:
    times = [record.endpoints_ns, *(one.endpoints_ns for one in record.members)]
    if any(at.get(goal) == 0 for at in times for goal in GOALS):
        return "a box was up at the instant of its request"
    every = [*(at for one in times for at in one.values()), *(one.scheduled_ns for one in record.members)]
    late = max(every, default=0)
    return f"a time of {late} ns is above {MOST_NS:g} ns" if late > MOST_NS else None


def _problem_of_cpu(record: Record) -> str | None:
    wrong = [f"{key} is {used} ns" for key, used in record.cpu_ns.items() if not 0 <= used <= MOST_NS]
    return f"CPU time: {wrong[0]}, which is not between 0 and {MOST_NS:g} ns" if wrong else None
