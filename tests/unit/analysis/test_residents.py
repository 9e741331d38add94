"""Residents: the cost of one more box, the break-even of daemons, and ledgers that add up."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.analysis.analyse import analyse
from bench.analysis.ledger import ledger_values
from bench.analysis.residents import break_evens, intercept, ledgers, marginal_costs, slope
from tests.factories import DOCKER, LIBVIRT, PROCESS, make_record
from tests.residents import MIB, make_residents


@given(rise=st.integers(-500, 500), start=st.integers(-500, 500), levels=st.sets(st.integers(1, 64), min_size=2))
def test_a_line_has_its_slope_and_its_start(rise: int, start: int, levels: set[int]) -> None:
    points = {level: float(start + rise * level) for level in levels}
    assert slope(points) == pytest.approx(rise)
    assert intercept(points, rise) == pytest.approx(start)


def test_one_disturbed_reading_does_not_move_the_slope() -> None:
    points = {1: 10.0, 2: 500.0, 4: 40.0, 8: 80.0}
    assert slope(points) == pytest.approx(10.0)


def test_near_neighbours_weigh_little() -> None:
    """At 1, 2, 3 the readings err by 4 each way, at 64 they do too: the slope is the long one's."""
    assert slope({1: 14.0, 2: 16.0, 3: 34.0, 64: 640.0}) == pytest.approx(10, rel=0.02)


def test_two_weights_in_balance() -> None:
    assert slope({0: 0.0, 1: 1.0, 2: 3.0}) == pytest.approx(1.5)


def test_one_number_of_boxes_has_no_slope() -> None:
    with pytest.raises(ValueError, match="two numbers"):
        slope({4: 1.0})


def test_what_is_planted_is_found() -> None:
    manifest, records = make_residents([(PROCESS, 1.0, 0.2), (DOCKER, 2.0, 7.0), (LIBVIRT, 5.0, 210.0)])
    found = {one.cell.box: one for one in marginal_costs(analyse(manifest, records), "hello")}
    assert list(found) == ["process", "docker", "libvirt/tcg"]
    for box, rise, first, fixed in (("process", 0.2, 1, 0), ("docker", 7, 2, 133), ("libvirt/tcg", 210, 5, 0)):
        one = found[box]
        assert one.levels == (1, 2, 4, 8)
        assert one.unreclaimable.value == pytest.approx(rise * MIB, rel=0.02, abs=0.05 * MIB)
        assert one.unreclaimable.interval is not None
        assert one.unreclaimable.interval.low <= one.unreclaimable.value <= one.unreclaimable.interval.high
        assert one.intercept.value == pytest.approx(first * MIB, rel=0.1, abs=0.3 * MIB)
        assert one.fixed == pytest.approx(fixed * MIB, rel=0.01)
        assert one.partial == 0
        # Page cache counts in what is added; the kernel can take it back.
        assert one.added is not None
        assert one.added.value == pytest.approx((rise + 1) * MIB, rel=0.05, abs=0.1 * MIB)


def test_a_daemon_pays_where_the_lines_cross() -> None:
    """133 MiB of daemons and 2 + 7 N against 20 N: less from 11 boxes on; against 210 N from the first."""
    for rise, boxes in ((20.0, 11), (210.0, 1)):
        manifest, records = make_residents([(DOCKER, 2.0, 7.0), (LIBVIRT, 0.0, rise)], noise_mib=0.0)
        (found,) = break_evens(marginal_costs(analyse(manifest, records), "hello"))
        assert (found.one.box, found.other.box) == ("docker", "libvirt/tcg")
        assert found.boxes.value == boxes


def test_a_daemon_whose_boxes_cost_as_much_never_pays() -> None:
    manifest, records = make_residents([(DOCKER, 2.0, 30.0), (LIBVIRT, 0.0, 20.0)], noise_mib=0.0)
    assert break_evens(marginal_costs(analyse(manifest, records), "hello")) == ()


def test_a_block_that_lacks_a_level_is_left_out_and_counted() -> None:
    manifest, records = make_residents([(DOCKER, 2.0, 7.0)])
    lost = next(r for r in records if r.trial.cell.factors["residents"] == "4" and not r.trial.warmup)
    rest = [r for r in records if r is not lost]
    (found,) = marginal_costs(analyse(manifest, rest), "hello")
    assert (len(found.blocks), found.partial) == (6, 1)


def test_below_five_blocks_there_is_a_slope_without_an_interval() -> None:
    manifest, records = make_residents([(DOCKER, 2.0, 7.0)], blocks=3)
    (found,) = marginal_costs(analyse(manifest, records), "hello")
    assert found.unreclaimable.interval is None
    assert math.isfinite(found.unreclaimable.value)


def test_one_level_has_no_slope_and_old_campaigns_none_at_all() -> None:
    manifest, records = make_residents([(DOCKER, 2.0, 7.0)], levels=(8,))
    assert marginal_costs(analyse(manifest, records), "hello") == ()
    record = make_record(records[0].trial, DOCKER, random.Random(1))
    assert ledger_values(record) == {}


def test_the_metrics_of_a_ledger_add_up() -> None:
    _, records = make_residents([(LIBVIRT, 5.0, 210.0)])
    values = ledger_values(records[0])
    parts = ("anon.vmm", "harness", "kernel", "shmem", "unexplained")
    assert sum(values[f"ledger.{name}_bytes"] for name in parts) == values["ledger.unreclaimable_bytes"]
    assert values["ledger.added_bytes"] == values["ledger.unreclaimable_bytes"] + values["ledger.reclaimable_bytes"]


def test_the_holders_of_a_ledger_add_up() -> None:
    manifest, records = make_residents([(PROCESS, 1.0, 0.2), (DOCKER, 2.0, 7.0), (LIBVIRT, 0.0, 20.0)])
    for ledger in ledgers(analyse(manifest, records), "hello"):
        # Each is a median of its own, so the sum is off by a little noise.
        assert sum(size for size in ledger.holders.values()) == pytest.approx(ledger.unreclaimable, abs=0.2 * MIB)
        assert sum(ledger.components.values()) == pytest.approx(ledger.holders["boxes"])
