"""Residents with real engines: boxes stay, the ledger adds up, and the host is clean afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from bench.analysis.ledger import ledger_values
from bench.host.run_directory import box_tag
from bench.records.record import Endpoint, Record
from bench.run.residents.trial import run_residents
from bench.scenario.model import LoadedScenario
from bench.util.errors import NotReadyError
from bench.util.units import parse_bytes
from tests.lab import Lab, Trialed
from tests.noise import TRIES, one_is_right

MIB = 2**20
KEEPS = """
FROM boxbench/base-busybox:latest AS tools
FROM scratch
COPY --from=tools /usr/bin/busybox /bin/busybox
CMD ["/bin/busybox", "sh", "-c", "echo up; exec busybox sleep 1000"]
"""
LEAVES = KEEPS.replace("sleep 1000", "sleep 0.3")

Make = Callable[..., LoadedScenario]


def _trial(lab: Lab, loaded: LoadedScenario, target: str, boxes: int) -> Trialed:
    setting = lab.setting(target, loaded)
    trial = lab.trial(setting, residents=str(boxes))
    record, output = run_residents(trial, setting)
    return Trialed(box_tag(lab.campaign, trial.id), record, output, lab)


def _held(record: Record) -> float:
    return ledger_values(record)["ledger.unreclaimable_bytes"]


def _moved(record: Record) -> int:
    marks = (doubt.removeprefix("unsettled:") for doubt in record.doubts if doubt.startswith("unsettled:"))
    return max(map(parse_bytes, marks), default=0)


@pytest.mark.parametrize("target", ["docker", "libvirt"])
def test_the_ledger_of_boxes_that_stay_reconciles(lab: Lab, make_scenario: Make, target: str) -> None:
    loaded = make_scenario(KEEPS, name="keeps")
    component = {"docker": "shim", "libvirt": "vmm"}[target]

    def measured() -> Iterator[tuple[Record, ...]]:
        for _ in range(TRIES):
            yield tuple(_adds_up(_trial(lab, loaded, target, boxes), boxes) for boxes in (1, 2))

    def check(records: tuple[Record, ...]) -> None:
        for record in records:
            # Other programs may run beside a test: the ledger names them, and says by how much they moved meanwhile.
            limit = max(0.1 * _held(record), 2 * MIB) + 2 * _moved(record)
            assert abs(record.ledger_bytes["unexplained"]) < limit
        alone, both = (record.ledger_bytes[f"part.anon.{component}"] for record in records)
        assert both == pytest.approx(2 * alone, rel=0.25)

    one_is_right(measured(), check)


def _adds_up(one: Trialed, boxes: int) -> Record:
    """Check what noise cannot break."""
    one.assert_gone()
    record, account = one.record, one.record.ledger_bytes
    assert record.failure is None
    assert [member.outcome for member in record.members] == ["ok"] * boxes
    # The last box is the trial's own.
    assert record.members[-1].endpoints_ns[Endpoint.READY] == record.endpoints_ns[Endpoint.READY]
    parts = sum(size for name, size in account.items() if name.startswith("part."))
    assert account["host.used"] == parts + account["unexplained"]
    assert record.memory_bytes["pss.total"] > 0
    return record


def test_a_box_that_does_not_stay_fails_the_trial_and_nothing_is_left(lab: Lab, make_scenario: Make) -> None:
    done = _trial(lab, make_scenario(LEAVES, name="leaves"), "process", 2)
    done.assert_gone()
    assert done.record.failure is not None
    assert done.record.failure.code == NotReadyError.__name__
    assert "of 2" in done.record.failure.message
    assert "held" not in ledger_values(done.record)
