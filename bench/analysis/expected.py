"""What every boot of a cell should have: a boot that failed counts as worst in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bench.analysis.exercises import exercise_headline
from bench.analysis.metrics import CPU, DISK, MEMORY, Metric, endpoint_metric, headline
from bench.records.record import Endpoint, Record
from bench.scenario.model import Scenario


def good_boots(records: Sequence[Record]) -> list[Record]:
    """Boots that ended well; warm-ups only when there are no others."""
    good = [record for record in records if record.outcome == "ok"]
    return [record for record in good if not record.trial.warmup] or good


def goals(scenario: Scenario, good: Sequence[Record]) -> set[Metric]:
    """Metrics that every boot of a cell should have: the headline, the end of the start, the exercise's headline."""
    goal = Endpoint.REPLIED if scenario.ready.when == "http" else Endpoint.READY
    asked = {headline(scenario)}
    # A box without an agent gets ready and is not asked for a reply, so no good boot has one.
    if not good or any(goal in record.endpoints_ns for record in good):
        asked.add(endpoint_metric(goal))
    answer = exercise_headline(scenario)
    return asked if answer is None else asked | {answer}


def costs(shared: Iterable[str]) -> set[Metric]:
    """The metrics that a failed boot counts as worst in: costs of the whole box and values of its exercise.

    A plain number, as of operations, has no worst value: infinite operations would look like more work done.

    Args:
        shared: the names of the metrics that all boots have that ended well.
    """
    named = map(Metric, shared)
    return {one for one in named if (one.kind == "exercise" and one.unit) or one in (MEMORY, CPU, DISK)}
