"""A search for memory floors from request to result, with the same boxes as a campaign."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bench import __version__
from bench.analysis.values import disturbances
from bench.certificate.judge import refuse_unequal
from bench.floor.model import PSS, Floors, TargetFloor, Terms, levels_of, median_of, write_floors
from bench.floor.search import Edge, find_edge, success_at_least
from bench.host import fingerprint, host_facts
from bench.plan.trials import Cell, Trial
from bench.records.campaign import append_record, keep_output
from bench.records.manifest import new_campaign_id
from bench.records.record import Endpoint, Failure, Record
from bench.run.box import Setting, goal_of
from bench.run.certify import certify
from bench.run.prepare import Prepared
from bench.run.session import Progress, Request, reserved, session
from bench.run.trial import run_trial
from bench.scenario.factors import Factors, format_level
from bench.scenario.model import LoadedScenario, Scenario
from bench.scenario.secrets import without_secrets
from bench.scenario.target_table import has_agent, target_info
from bench.targets.base import Output
from bench.util.cache import cache_dir
from bench.util.errors import InterruptedCampaignError, UsageError
from bench.util.units import format_bytes

# A box that is short of memory re-reads its files many times before it fails. A try counts as not working when it takes
# _SLOWER times as long as with ample memory, but at least _LEAST_LIMIT_NS.
_SLOWER: Final = 5
_LEAST_LIMIT_NS: Final = 10 * 10**9
_REMEDY: Final = "make room, then start again with another --out"


@dataclass
class _TargetSearch:
    """The tries of one target."""

    trials: Iterator[int]
    cell: Cell
    setting: Setting
    terms: Terms
    directory: Path
    progress: Progress
    limit_ns: int
    records: list[Record] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)

    def works(self, level: int) -> bool:
        """Boot one box with ``level`` steps of memory; return whether it worked."""
        size = level * self.terms.step_bytes
        cell = self.cell.model_copy(update={"factors": {"memory": format_level(size)}})
        trial = Trial(number=next(self.trials), block=len(self.records), cell=cell, warmup=False)
        self.progress.say(f"{cell.box}: {format_bytes(size)}, try {1 + self.sizes.count(size)}")
        record, output = run_trial(trial, replace(self.setting, scenario=self._scenario(size)))
        record = judged(record, self.setting)
        self.records.append(self._keep(record, output))
        self.sizes.append(size)
        if len(self.records) == 1:
            self._set_limit(record)
        return record.outcome == "ok"

    def _scenario(self, size: int) -> Scenario:
        scenario = self.setting.scenario
        return scenario.model_copy(
            update={
                "resources": scenario.resources.model_copy(update={"memory": size}),
                "ready": scenario.ready.model_copy(update={"timeout": self.limit_ns}),
            }
        )

    def _set_limit(self, first: Record) -> None:
        took = first.endpoints_ns.get(goal_of(self.setting.scenario))
        if took is not None:
            self.limit_ns = min(self.limit_ns, max(_LEAST_LIMIT_NS, _SLOWER * took))

    def _keep(self, record: Record, output: Output | None) -> Record:
        """Store a try; its record names its artefacts. Raises CampaignError."""
        if output is not None:
            kept = keep_output(self.directory, record.trial, output.contents(), remedy=_REMEDY)
            record = record.model_copy(update={"artefacts": kept})
        append_record(self.directory, record, remedy=_REMEDY)
        return record

    def floor(self, edge: Edge, description: dict[str, str]) -> TargetFloor:
        """The target's floor from its tries."""
        size = None if edge.level is None else edge.level * self.terms.step_bytes
        there = [record for record, at in zip(self.records, self.sizes, strict=True) if at == size]
        goal = goal_of(self.setting.scenario)
        return TargetFloor(
            box=self.cell.box,
            outcome="none" if size is None else "at-most" if edge.open_below else "found",
            floor_bytes=size,
            success_at_least=None if size is None else success_at_least(len(there)),
            limit_ns=self.limit_ns,
            levels=levels_of(self.records, self.sizes),
            pss_bytes=median_of([r.memory_bytes[PSS] for r in there if PSS in r.memory_bytes]),
            ready_ns=median_of([r.endpoints_ns[goal] for r in there if goal in r.endpoints_ns]),
            description=description,
            doubts=_disturbed([record for record in self.records if record.outcome == "ok"]),
        )


def _disturbed(records: Sequence[Record]) -> tuple[str, ...]:
    """``busy in 3 of 9 boots``: the kinds of doubts, without their values."""
    kinds = Counter(kind for record in records for kind in {mark.partition(":")[0] for mark in disturbances(record)})
    return tuple(f"{kind} in {count} of {len(records)} boots that worked" for kind, count in sorted(kinds.items()))


def judged(record: Record, setting: Setting) -> Record:
    """The record; failed when its box ended or stopped answering after it was ready and before it was asked to stop."""
    if record.outcome != "ok" or not has_agent(setting.target.name):
        return record
    at = record.endpoints_ns
    ended = Endpoint.STOPPED in at and at[Endpoint.STOPPED] < at.get(Endpoint.STOPPING, 0)
    if setting.scenario.ready.when != "exit" and ended:
        return _failed(record, f"the workload became ready and then ended by itself, with status {record.exit_code}")
    if setting.scenario.ready.when != "exit" and not record.channel_rtt_ns:
        return _failed(record, "the box became ready and then stopped answering")
    return record


def _failed(record: Record, message: str) -> Record:
    hint = "look at the kept output; a doubt `oom-killed` means that it had too little memory"
    failure = Failure(code="NotReadyError", message=message, hint=hint)
    return record.model_copy(update={"outcome": "failed", "failure": failure})


def find_floors(request: Request, terms: Terms, progress: Progress) -> Floors:
    """Search the floor of every target of the request's one scenario; store every try and the result.

    Raises:
        UsageError: a target whose boxes do not get the scenario's memory, or a range that contains no step.
        CampaignError: the output directory is taken or cannot be written.
        InterruptedCampaignError: Ctrl-C; the tries are kept, but a search cannot be continued.
    """
    (loaded,) = request.scenarios
    _check(loaded.scenario, terms)
    # The stored terms say whether an exercise was done: a scenario without one has none.
    terms = terms.model_copy(update={"exercise": terms.exercise and loaded.scenario.exercise is not None})
    request = replace(request, scenarios=(_at_the_top(loaded, terms),))
    identity = new_campaign_id()
    with reserved(request.out), session(identity, request, progress) as prepared:
        refuse_unequal(tuple(certify(prepared, [request.scenarios[0].scenario], progress.say).values()))
        floors = _empty(identity, request, prepared, terms)
        with _interruption_explained(request.out):
            return _search(floors, request, prepared, progress)


def _check(scenario: Scenario, terms: Terms) -> None:
    unbounded = [spec.label for spec in scenario.targets if not target_info(spec.target).has_resources]
    if unbounded:
        raise UsageError(
            f"{', '.join(unbounded)}: the boxes do not get the scenario's memory, so there is no floor to find",
            hint="choose other targets with -t",
        )
    # Only multiples of a step are tried: --from and --to may lie between two of them.
    lowest, highest = terms.level_range
    if lowest > highest:
        raise UsageError(
            f"there is nothing to search between {format_bytes(terms.lowest_bytes)} and "
            f"{format_bytes(terms.highest_bytes)}: of the multiples of {format_bytes(terms.step_bytes)} the next one "
            f"is {format_bytes(lowest * terms.step_bytes)}",
            hint=f"give --to {format_level(lowest * terms.step_bytes)} or more, or a smaller --step or --from",
        )


def _at_the_top(loaded: LoadedScenario, terms: Terms) -> LoadedScenario:
    """The scenario with the largest memory, without factors, and with its quick exercise or none."""
    scenario = loaded.scenario
    exercise = None if scenario.exercise is None else scenario.exercise.model_copy(update={"profile": "quick"})
    changed = {
        "resources": scenario.resources.model_copy(update={"memory": terms.highest_bytes}),
        "factors": Factors(),
        "exercise": exercise if terms.exercise else None,
        "design": scenario.design.model_copy(update={"idle": None}),
    }
    return loaded.model_copy(update={"scenario": scenario.model_copy(update=changed)})


def _empty(identity: str, request: Request, prepared: Prepared, terms: Terms) -> Floors:
    (loaded,) = request.scenarios
    facts = host_facts(cache_dir=cache_dir())
    return Floors(
        id=identity,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        boxbench=__version__,
        command=request.command,
        scenario=loaded.scenario.name,
        text=without_secrets(loaded).text,
        goal=str(goal_of(loaded.scenario)),
        image_digest=prepared.images[loaded.scenario.name].digest,
        terms=terms,
        host={**facts, "fingerprint": fingerprint(facts)},
        floors=(),
        notes=tuple(prepared.notes),
    )


@contextmanager
def _interruption_explained(out: Path) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        raise InterruptedCampaignError(
            f"interrupted; no box is left on the host, and {out} holds the tries so far",
            hint="a search cannot be continued: start it again with another --out",
        ) from None


def _search(floors: Floors, request: Request, prepared: Prepared, progress: Progress) -> Floors:
    wanted = [spec.label for spec in request.scenarios[0].scenario.targets]
    terms = floors.terms
    lowest, highest = terms.level_range
    numbers = iter(range(10**6))
    for cell, setting in prepared.settings.items():
        if cell.target not in wanted:
            continue  # the native control of campaigns
        search = _TargetSearch(numbers, cell, setting, terms, request.out, progress, setting.scenario.ready.timeout)
        edge = find_edge(search.works, lowest=lowest, highest=highest, confirmations=terms.confirmations)
        found = search.floor(edge, prepared.descriptions[cell.box])
        floors = floors.model_copy(update={"floors": (*floors.floors, found)})
        # After each target: an interruption keeps what is finished.
        write_floors(request.out, floors)
    return floors
