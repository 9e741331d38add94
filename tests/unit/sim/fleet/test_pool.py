"""Answers about pools: each keep-alive stands for itself, and what decides nothing is not named."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bench.render.figures.trade_off import point_table
from bench.sim.answer.distance import farthest
from bench.sim.answer.terms import Terms
from bench.sim.fleet.pool_answer import PoolAnswer, PoolQuestion, answer_pool, keep_alive_text
from bench.sim.fleet.result import FleetResult
from bench.sim.fleet.run import simulate_fleet
from bench.sim.fleet.spec import FleetSpec
from bench.sim.fleet.variants import InVm, Variant
from bench.util.errors import UsageError
from tests.fleets import SECOND, random_trace
from tests.synthetic_models import make_model

_TRACE = random_trace(2, count=120, gap_ns=SECOND // 20, duration_ns=SECOND, names=1)
_HOST = FleetSpec(hosts=1, cpus=2, memory_bytes=4 * 2**30)
_MODEL = make_model(("docker", "runc", "libvirt/tcg"), draws=10)


def _ask(**changes: Any) -> PoolAnswer:
    asked: dict[str, Any] = {
        "trace": _TRACE,
        "trace_text": "a trace",
        "variants": (Variant(target="docker"), Variant(target="runc")),
        "baseline": "docker",
        "spec": _HOST,
        "keep_alives_ns": (0, 60 * SECOND),
        "prewarmed": (0,),
    }
    terms = Terms(model=_MODEL, digest="sha256:00", seed=3, draws=(0, 2, 4), replications=1, beyond=True)
    return answer_pool(terms, PoolQuestion(**{**asked, **changes}))


@pytest.fixture(scope="module")
def answer() -> PoolAnswer:
    return _ask()


def test_the_distance_is_that_of_the_keep_alive_that_was_asked_about(answer: PoolAnswer) -> None:
    """Without a keep-alive every invocation starts a box, so that more of them start at the same time."""
    without, kept = (one for one in answer.points if one.target == "docker")
    assert without.times > kept.times
    assert farthest(one for one in answer.distances if one.target == "docker") == kept.times
    alone = _ask(keep_alives_ns=(60 * SECOND,))
    for name in ("cold_share", "wasted_memory", "delay_p50", "delay_p99"):
        assert getattr(kept, name) == getattr(alone.points[0], name)


def test_the_table_says_which_points_lie_beyond_the_data(answer: PoolAnswer) -> None:
    head, *rows = point_table(answer)
    assert head[-1] == "beyond the data"
    assert {"rejected", "never complete"}.isdisjoint(head)
    assert all(row[-1] == "within" or row[-1].endswith("×") for row in rows)
    assert rows[0][-1] != rows[1][-1]


def test_what_is_rejected_or_never_complete_has_a_column() -> None:
    found = _ask(spec=replace(_HOST, memory_bytes=200 * 2**20, queue_limit=0), keep_alives_ns=(0,))
    head, *rows = point_table(found)
    assert "rejected" in head
    assert rows[0][head.index("rejected")] != "0 %"
    assert "where no invocation can wait for room: how long do users wait" in found.question
    assert "the time until 99 % of the invocations begin is " in found.headline
    assert "in runc and never in docker; decided by the start itself (runc) and memory (docker)" in found.headline


def test_nothing_decides_a_delay_of_0(answer: PoolAnswer) -> None:
    kept = _ask(trace=random_trace(3, count=60, gap_ns=20 * SECOND, duration_ns=SECOND), prewarmed=(0, 3))
    assert next(one for one in kept.quantities if one.name == "pool.delay_p99").band.middle == 0
    assert "decided by nothing." in kept.headline
    assert kept.headline.endswith("docker, runc: in at least half of the draws 99 % find a box that is ready.")
    assert "find a box that is ready" not in answer.headline


def test_a_minute_is_a_minute() -> None:
    assert keep_alive_text(60 * SECOND) == "kept for 1 min"


def test_a_host_too_small_for_a_vm_names_the_option_that_exists() -> None:
    inside = InVm(target="runc", cpus=1, memory_bytes=8 * 2**30)
    with pytest.raises(UsageError) as caught:
        Variant(target="docker", inside=inside).packing(_HOST, _MODEL, None)
    assert "(--in-vm)" in caught.value.hint


def test_memory_does_not_decide_where_only_cpus_make_starts_faster() -> None:
    """Boxes of a storm wait for room, too, but what is slow are the starts: more room makes them slower."""
    trace = random_trace(2, count=60, gap_ns=SECOND // 20, duration_ns=SECOND)
    variant, spec = Variant(target="libvirt/tcg"), replace(_HOST, memory_bytes=2**30)

    def run(**changes: int) -> FleetResult:
        host = replace(spec, **changes)  # type: ignore[arg-type]
        values = variant.values(_MODEL, None)
        return simulate_fleet(host, values, trace, label="libvirt/tcg", seed=1, noise=False)

    own, roomy, fast = run(), run(memory_bytes=2**31), run(cpus=4)
    assert own.waited > 0.01 * own.arrivals
    assert fast.delay_ns(0.99) < own.delay_ns(0.99) < roomy.delay_ns(0.99)
    found = _ask(trace=trace, spec=spec, variants=(variant,), baseline=variant.label)
    assert "decided by the start itself." in found.headline


def test_memory_decides_where_more_than_one_percent_wait_for_room() -> None:
    """A host with room for some boxes of docker, whose daemon takes most of it, and for all of runc."""
    found = _ask(spec=replace(_HOST, memory_bytes=200 * 2**20), keep_alives_ns=(60 * SECOND,))
    waited = next(one for one in found.quantities if one.name == "pool.waited_share" and one.target == "docker")
    assert waited.band.middle > 0.01
    assert "decided by the start itself (runc) and memory (docker)" in found.headline
