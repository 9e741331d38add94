"""A gate without a host: synthetic campaigns, written where real ones would be."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import pytest

from bench.analysis.estimates import Interval
from bench.gate.model import GateResult, GateRow, Identity, StageResult, Verdict
from bench.plan.trials import Cell, Trial, build_plan
from bench.records.campaign import RECORDS, read_records
from bench.records.manifest import ImageEntry, Manifest, ScenarioEntry, read_manifest
from bench.records.record import Failure, Record
from bench.run.prepare import Prepared
from bench.run.session import OnPrepared, Progress, Request
from bench.scenario.model import LoadedScenario
from tests.factories import DOCKER, LIBVIRT, PROCESS, RUNC, Box, make_manifest, make_record, write_campaign

# Less noise than any real host has, so that noise cannot hide what a test checks.
BOXES: Final = {box.target: replace(box, spread=0.001) for box in (PROCESS, RUNC, DOCKER, LIBVIRT)}
FINGERPRINT: Final = make_manifest().host["fingerprint"]

if TYPE_CHECKING:
    from bench.engines.lazy import Engines
    from bench.run.box import Setting

Change = Callable[[Record], Record]


def unchanged(record: Record) -> Record:
    return record


def edit(record: Record, **changes: object) -> Record:
    return Record.model_validate(record.model_dump() | changes)


def failed(record: Record, message: str = "the exercise ended with status 1", code: str = "ExerciseError") -> Record:
    """A box that became ready, and failed before anything but its endpoints was read."""
    failure = Failure(code=code, message=message, hint="look at its output")
    nothing: dict[str, Any] = {key: {} for key in ("memory_bytes", "cpu_ns", "disk_bytes", "exercise")}
    return edit(record, outcome="failed", failure=failure.model_dump(), samples=None, **nothing)


def of_side(name: str, target: str = "") -> Callable[[Record], bool]:
    """Whether a record is of ``a`` or ``b``, and of a target."""

    def chosen(record: Record) -> bool:
        cell = record.trial.cell
        return cell.scenario.endswith(f"-{name}") and target in ("", cell.target)

    return chosen


class Campaigns:
    """Replaces ``start_campaign`` and ``resume_campaign``; ``change`` is applied to every record.

    Attributes:
        die_after: break off when so many more trials have a record; None: never.
        end: what breaks off.
        begun: the ids of the trials that ran, in order.
    """

    def __init__(self, change: Change = unchanged) -> None:
        self.change = change
        self.asked: list[Request] = []
        self.die_after: int | None = None
        self.end: type[BaseException] = KeyboardInterrupt
        self.begun: list[str] = []

    def start(
        self, request: Request, _progress: Progress, *, on_prepared: OnPrepared = nullcontext
    ) -> tuple[Record, ...]:
        """Write a synthetic campaign for a request."""
        self.asked.append(request)
        nothing = cast("Setting", None)
        settings = {cell: nothing for loaded in request.scenarios for cell in cells_of(loaded)}
        with on_prepared(Prepared("0badcafe", cast("Engines", None), settings)):
            manifest = manifest_of(request, f"c{len(self.asked):07}")
            write_campaign(request.out, manifest, [])
            return self._run(request.out, manifest)

    def resume(self, path: Path, _progress: Progress) -> tuple[Record, ...]:
        """Go on with a synthetic campaign."""
        return self._run(path, read_manifest(path))

    def _run(self, path: Path, manifest: Manifest) -> tuple[Record, ...]:
        done = {record.trial.id for record in read_records(path)}
        rng = random.Random(manifest.seed)
        found = []
        for trial in manifest.plan:
            # Drawn for every trial, so that a record is the same whether or not the campaign was broken off before it.
            record = self.change(made(trial, manifest, rng))
            if trial.id in done:
                continue
            if self.die_after is not None:
                if not self.die_after:
                    raise self.end("broken off")
                self.die_after -= 1
            with (path / RECORDS).open("a", encoding="utf-8") as file:
                file.write(record.line())
            self.begun.append(trial.id)
            found.append(record)
        return tuple(found)


def made(trial: Trial, manifest: Manifest, rng: random.Random) -> Record:
    box: Box = BOXES[trial.cell.target.partition("[")[0]]
    return edit(make_record(trial, box, rng), campaign=manifest.id)


def cells_of(loaded: LoadedScenario) -> Iterator[Cell]:
    scenario = loaded.scenario
    for spec in scenario.targets:
        for levels in scenario.factors.combinations():
            accel = BOXES[spec.target].accel
            yield Cell(scenario=scenario.name, target=spec.label, accel=accel, factors=levels)


def manifest_of(request: Request, identity: str) -> Manifest:
    names = [loaded.scenario.name for loaded in request.scenarios]
    cells = [cell for loaded in request.scenarios for cell in cells_of(loaded)]
    image = ImageEntry(id="sha256:0", digest="ab" * 32, sizes_bytes={})
    designs = {loaded.scenario.name: loaded.scenario.design for loaded in request.scenarios}
    plan = build_plan(
        cells,
        blocks={name: design.blocks for name, design in designs.items()},
        warmups={name: design.warmups for name, design in designs.items()},
        seed=request.seed,
    )
    changes = {
        "id": identity,
        "command": request.command,
        "scenarios": {
            loaded.scenario.name: ScenarioEntry(scenario=loaded.scenario, directory=".", text="")
            for loaded in request.scenarios
        },
        "images": dict.fromkeys(names, image),
        "targets": {cell.box: {"how": "made up"} for cell in cells},
        "plan": plan,
        "notes": (),
    }
    return make_manifest().model_copy(update=changes)


def install(monkeypatch: pytest.MonkeyPatch, change: Change = unchanged) -> Campaigns:
    """From here on, a gate runs synthetic campaigns only."""
    campaigns = Campaigns(change)
    monkeypatch.setattr("bench.gate.run.start_campaign", campaigns.start)
    monkeypatch.setattr("bench.gate.run.resume_campaign", campaigns.resume)
    monkeypatch.setattr("bench.gate.measure.start_campaign", campaigns.start)
    monkeypatch.setattr("bench.gate.aa.start_campaign", campaigns.start)
    monkeypatch.setattr("bench.gate.run.host_facts", dict)
    monkeypatch.setattr("bench.gate.run.fingerprint", lambda _facts: FINGERPRINT)
    return campaigns


def scenario_at(directory: Path, name: str = "made", **more: object) -> Path:
    """A scenario file whose boxes are never built."""
    directory.mkdir(parents=True)
    (directory / "Dockerfile").write_text("FROM scratch\n")
    text: dict[str, object] = {
        "question": "?",
        "name": name,
        "ready": {"when": "first-line"},
        "targets": ["docker", "runc"],
        "baseline": "docker",
        **more,
    }
    (directory / "scenario.yaml").write_text(json.dumps(text))
    return directory


def gate_result(*rows: GateRow) -> GateResult:
    """The result of a gate that compared the commit ``slow`` with ``main``."""
    return GateResult(
        created_at="2031-02-03T04:05:06+00:00",
        boxbench="0.1.0",
        command=("boxbench", "gate", "compare", "a", "b"),
        seed=3,
        a=Identity(name="A", label="main", kind="commit", commit="a" * 40),
        b=Identity(name="B", label="slow", kind="commit", commit="b" * 40),
        fingerprint="5f1d0c2ab877",
        rows=rows,
        blocks_screening=10,
        blocks_confirmation=20,
    )


def gate_row(verdict: Verdict, ratio: float) -> GateRow:
    """One row: time to ready in docker, with a narrow interval."""
    interval = Interval(ratio - 0.02, ratio + 0.02, 0.95)
    stage = StageResult(n_a=20, n_b=20, median_a=1e8, median_b=ratio * 1e8, ratio=ratio, interval=interval)
    return GateRow(
        scenario="hello",
        box="docker",
        cell_a="hello-a/docker",
        cell_b="hello-b/docker",
        accel="native",
        metric="endpoint.ready_ns",
        threshold=0.05,
        confirmation=stage,
        detectable=0.04,
        verdict=verdict,
        reason="the whole interval is above the threshold",
    )
