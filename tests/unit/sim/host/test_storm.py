"""Storms: what is simulated is what is answered, and targets share their luck."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from bench.records.record import Endpoint
from bench.sim.answer.answer import Quantity
from bench.sim.answer.bands import Widening
from bench.sim.answer.terms import Terms, choose_draws, choose_targets
from bench.sim.answer.words import in_unit
from bench.sim.fit.levels import CPU, Statistic
from bench.sim.fit.predict import Setting, predictions
from bench.sim.fit.space import SCATTERS
from bench.sim.host.arrivals import AT_ONCE, Arrivals
from bench.sim.host.curve import MeasuredStorm
from bench.sim.host.sides import Alone, Side, TrialLuck, nested, scaled
from bench.sim.host.storm import StormAnswer, StormQuestion, answer_storm, run
from bench.sim.host.times import Errors
from bench.sim.model.values import target_values
from bench.sim.observe.levels import Level
from bench.sim.starts import grid_of
from bench.util.errors import NotInDataError, UsageError
from tests.question_models import DRAWS, MS, make_model, parameter

TARGETS = ("docker", "libvirt/kvm")


def _terms(**changes: Any) -> Terms:
    model = make_model()
    return dataclasses.replace(
        Terms(model=model, digest="sha256:test", seed=7, draws=choose_draws(model, 10), replications=2), **changes
    )


def _question(
    *sizes: int,
    cpus: int = 2,
    targets: tuple[str, ...] = TARGETS,
    residents: int = 0,
    arrivals: Arrivals = AT_ONCE,
    sides: tuple[Side, ...] = (),
) -> StormQuestion:
    alone = tuple(Alone(target=one, cpus=cpus, residents=residents, arrivals=arrivals) for one in targets)
    return StormQuestion(
        sizes=sizes,
        cpus=cpus,
        sides=(*alone, *sides),
        baseline=targets[0],
        residents=residents,
        arrivals=arrivals,
    )


def _middle(answer: StormAnswer, name: str, target: str) -> float:
    return _quantity(answer, name, target).band.middle


def _quantity(answer: StormAnswer, name: str, target: str) -> Quantity:
    (found,) = [one for one in answer.quantities if (one.name, one.target) == (name, target)]
    return found


@pytest.fixture(scope="module")
def answer() -> StormAnswer:
    """8 boxes on 2 CPUs."""
    return answer_storm(_terms(), _question(8))


def test_one_box_takes_its_solo_time() -> None:
    found = answer_storm(_terms(), _question(1, targets=("libvirt/kvm",)))
    assert _middle(found, "storm.last", "libvirt/kvm") == pytest.approx(500 * MS, rel=0.1)


def test_the_last_of_many_boxes_waits_for_the_cpu(answer: StormAnswer) -> None:
    # 8 x 400 ms on 2 CPUs, after a delay of 100 ms.
    assert _middle(answer, "storm.last", "libvirt/kvm") == pytest.approx(1700 * MS, rel=0.12)
    assert {one.target: one.name for one in answer.bottlenecks}["libvirt/kvm"] == "CPU"


def test_times_are_in_order(answer: StormAnswer) -> None:
    for target in TARGETS:
        middles = [_middle(answer, f"storm.{name}", target) for name in ("first", "p25", "median", "p90", "last")]
        assert middles == sorted(middles)


def test_the_ratio_is_paired(answer: StormAnswer) -> None:
    ratio = _quantity(answer, "storm.last", "libvirt/kvm : docker").band
    sides = [_quantity(answer, "storm.last", target).band for target in TARGETS]
    assert ratio.middle == pytest.approx(sides[1].middle / sides[0].middle, rel=0.1)
    apart = sides[1].high95 / sides[0].low95 - sides[1].low95 / sides[0].high95
    assert ratio.high95 - ratio.low95 < apart / 1.5


def test_targets_have_the_same_luck() -> None:
    both = [np.log(run(_terms(), Alone(target=target, cpus=2), 1)["last"]) for target in TARGETS]
    assert np.corrcoef(both)[0, 1] > 0.6


def test_the_headline_says_simulated_and_what_decides(answer: StormAnswer) -> None:
    assert answer.headline.startswith("Simulated: ")
    assert "libvirt/kvm needs" in answer.headline
    assert "decided by" in answer.headline


def test_the_same_seed_gives_the_same_answer() -> None:
    assert answer_storm(_terms(), _question(8)) == answer_storm(_terms(), _question(8))
    assert answer_storm(_terms(seed=8), _question(8)) != answer_storm(_terms(), _question(8))


def test_beyond_the_data_both_sides_are_wider_and_far_beyond_the_late_one_more() -> None:
    storms = [answer_storm(_terms(), _question(boxes)) for boxes in (8, 32, 80)]
    share = [
        (found.high95 / found.middle, found.middle / found.low95)
        for found in (_quantity(one, "storm.last", "libvirt/kvm").band for one in storms)
    ]
    (near_late, near_early), (few_late, few_early), (far_late, far_early) = share
    assert near_late < few_late < far_late
    assert near_early < few_early
    assert far_early == pytest.approx(few_early, rel=0.1)
    assert far_late > 1.1 * far_early


def test_too_far_beyond_the_data_is_refused() -> None:
    with pytest.raises(NotInDataError, match="81 boxes"):
        answer_storm(_terms(), _question(81))
    with pytest.raises(NotInDataError, match="64 CPUs"):
        answer_storm(_terms(), _question(8, cpus=64))
    assert answer_storm(_terms(beyond=True), _question(81)).distances[0].times > 10


def test_residents_lengthen_nothing_without_growth() -> None:
    alone, beside = (answer_storm(_terms(), _question(8, residents=count)) for count in (0, 8))
    assert _middle(alone, "storm.last", "docker") == _middle(beside, "storm.last", "docker")
    assert "beside 8 boxes" in beside.question


def test_requests_far_apart_do_not_disturb_each_other() -> None:
    gap = 10**10
    found = answer_storm(_terms(), _question(8, arrivals=Arrivals(gap_ns=gap)))
    longest = _middle(found, "storm.longest", "libvirt/kvm")
    assert longest == pytest.approx(500 * MS, rel=0.3)
    # Clocks start with the first request, as of a reboot.
    for name, before in (("first", 0), ("median", 3), ("last", 7)):
        assert before * gap < _middle(found, f"storm.{name}", "libvirt/kvm") <= before * gap + longest
    assert "requested every 10.0 s, is up after 70." in found.headline
    assert found.headline.endswith("decided by the time between requests.")
    assert {one.name for one in found.bottlenecks} == {"requests"}


def test_at_once_the_longest_start_is_the_last_box_and_not_said_twice(answer: StormAnswer) -> None:
    assert not any(one.name == "storm.longest" for one in answer.quantities)


def test_nobody_doubts_the_schedule_that_a_question_states() -> None:
    """Far beyond the data and with a large misfit: only what comes after a request is open."""
    gap = 10**10
    terms = _entry(_terms(beyond=True), "docker", misfit=0.3)
    found = answer_storm(terms, _question(100, targets=("docker",), arrivals=Arrivals(gap_ns=gap)))
    last = _quantity(found, "storm.last", "docker").band
    assert 99 * gap < last.low95 < last.high95 < 99 * gap + 2 * 10**9
    assert last.high95 - 99 * gap > 1.5 * (last.middle - 99 * gap)
    rate = _quantity(found, "storm.throughput", "docker").band
    assert (rate.low95, rate.high95) == pytest.approx((100e9 / last.high95, 100e9 / last.low95))
    assert sum(one.share for one in found.influences) == pytest.approx(1.0)


def test_starts_that_are_longer_than_the_model_says_pile_up_behind_each_other() -> None:
    """A box needs 80 ms of two CPUs and one is requested every 90 ms: with times 1.6 times as long they queue."""
    terms = _entry(_terms(beyond=True), "docker", misfit=0.3)
    gap, boxes = 90_000_000, 40
    found = answer_storm(terms, _question(boxes, targets=("docker",), arrivals=Arrivals(gap_ns=gap)))
    last = _quantity(found, "storm.last", "docker").band
    longest = _quantity(found, "storm.longest", "docker").band
    assert last.middle < (boxes - 1) * gap + 500 * MS
    assert last.high95 > 1.3 * (boxes - 1) * gap
    # CPUs are shared, so some box before the last one may wait longest.
    assert last.high95 - (boxes - 1) * gap <= longest.high95 < 1.5 * (last.high95 - (boxes - 1) * gap)
    assert sum(one.share for one in found.influences) == pytest.approx(1.0)


def test_errors_of_two_hosts_are_independent_and_as_large_as_bands_say() -> None:
    wide = Widening(both=0.3, up=0.2)
    ends = [np.log([Errors(wide=wide, seed=1, label=label).of(trial) for trial in range(2000)]) for label in "ab"]
    for lower, upper in (one.T for one in ends):
        assert lower.std() == pytest.approx(0.3, rel=0.05)
        assert (upper - lower).min() >= 0
        assert np.square(upper - lower).mean() == pytest.approx(0.2**2, rel=0.1)
    assert abs(np.corrcoef(ends[0][:, 0], ends[1][:, 0])[0, 1]) < 0.07


def test_cpu_time_is_counted_as_a_campaign_and_the_fit_count_it() -> None:
    """Until the last box is up; what background work burns after that is a number of its own."""
    terms = _terms()
    values = target_values(terms.model, "docker", 3)
    level = Level(boxes=4)
    statistic = Statistic(level, Endpoint.READY, CPU)
    ones = (np.ones((1, 4)),) * len(SCATTERS)
    setting = Setting(
        endpoints=(Endpoint.CREATED, Endpoint.READY),
        cpus=2,
        noise={level: ones},
        schedules={level: ((np.zeros(4, dtype=np.int64), 1.0),)},
    )
    (fitted,) = np.exp(predictions(grid_of([values]), np.zeros(1, dtype=np.int64), [statistic], setting))[0]
    found = Alone(target="docker", cpus=2).numbers(terms.model, 3, 4, TrialLuck(seed=1, trial=0), noise=False)
    assert found["cpu"] == pytest.approx(fitted)
    # 100 ms of work, 10 ms of hold and 50 ms in the background, and some more while both CPUs are busy.
    assert found["cpu"] + found["cpu_after"] == pytest.approx(160 * MS, rel=0.1)
    one = Alone(target="docker", cpus=2).numbers(terms.model, 3, 1, TrialLuck(seed=1, trial=0), noise=False)
    late = _late_background(terms)
    assert one["cpu_after"] == 0
    beside = Alone(target="docker", cpus=2).numbers(late.model, 3, 1, TrialLuck(seed=1, trial=0), noise=False)
    # A start of 110 ms on one CPU leaves the other one to the 500 ms in the background.
    assert beside["cpu"] + beside["cpu_after"] == pytest.approx(one["cpu"] + 450 * MS, rel=0.05)
    assert beside["cpu_after"] == pytest.approx(390 * MS, rel=0.1)


def _late_background(terms: Terms) -> Terms:
    """docker with ten times as much work in the background."""
    draws = terms.model.draws["docker"] | {"ready.background": (500 * MS,) * len(terms.model.weights)}
    model = terms.model.model_copy(update={"draws": terms.model.draws | {"docker": draws}})
    return dataclasses.replace(terms, model=model)


def test_a_curve_has_every_size_and_the_measured_storms() -> None:
    measured = [
        MeasuredStorm(target="docker", boxes=4, residents=residents, cpus=2, last_ns=4e8, median_ns=None)
        for residents in (0, 8)
    ]
    found = answer_storm(_terms(), _question(1, 4, 16), measured)
    assert found.curve is not None
    assert [(point.boxes, point.beyond) for point in found.curve.of("docker")] == [(1, False), (4, False), (16, True)]
    assert found.curve.of("docker")[-1].last == _quantity(found, "storm.last", "docker").band
    assert found.curve.measured == (measured[0],)
    middles = [point.last.middle for point in found.curve.of("docker")]
    assert middles == sorted(middles)


def test_an_unknown_target_is_told_which_there_are() -> None:
    with pytest.raises(UsageError, match="no target 'podman'") as caught:
        choose_targets(make_model(), ["podman"])
    assert "docker, libvirt/kvm" in caught.value.hint
    assert choose_targets(make_model(), ["libvirt", "docker"]) == ("libvirt/kvm", "docker")


def _nested(text: str = "libvirt:docker", *, per_vm: int = 4, vm_cpus: int = 1) -> Side:
    return nested(make_model(), text, per_vm=per_vm, vm_cpus=vm_cpus, side=Alone(target="docker", cpus=2))


def test_containers_in_machines_start_after_their_machine() -> None:
    found = answer_storm(_terms(), _question(8, sides=(_nested(),)))
    inside = _middle(found, "storm.last", "docker in libvirt/kvm")
    # Two machines take 500 ms each; then four boxes start on one CPU, 150 ms of work each.
    assert inside == pytest.approx((500 + 4 * 160) * MS, rel=0.2)
    assert any("None of this was measured" in line for line in found.assumed)
    limits = {one.target: one for one in found.bottlenecks}
    assert limits["docker"].reached is not None
    # The bound is of the longer part alone.
    assert limits["docker in libvirt/kvm"].reached is None
    assert "not looked for" in str(limits["docker in libvirt/kvm"].switch)
    assert {one.target for one in found.influences if one.answer == "docker in libvirt/kvm"} == {
        "docker",
        "libvirt/kvm",
    }


def test_machines_with_more_cpus_than_the_host_are_slower() -> None:
    few, many = (run(_terms(), _nested(vm_cpus=cpus), 8)["last"] for cpus in (1, 4))
    one_machine = run(_terms(), _nested(per_vm=8, vm_cpus=2), 8)["last"]
    # Two machines of 4 CPUs each on 2: inside, each box's work takes four times as long, on four times the CPUs.
    assert np.median(many) == pytest.approx(np.median(few), rel=0.15)
    assert np.median(one_machine) > 0


def test_scaled_values_keep_their_delays() -> None:
    values = target_values(make_model(), "docker", None)
    assert scaled(values, 2.0).cpu_ns == pytest.approx(2 * values.cpu_ns, abs=5)
    assert scaled(values, 2.0).stages[0].delay_ns == values.stages[0].delay_ns


@pytest.mark.parametrize(
    ("text", "said"), [("docker", "not of the form"), ("uml:docker", "no target 'uml'"), (":docker", "not of the form")]
)
def test_wrong_nestings(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        _nested(text)


def _entry(terms: Terms, label: str, **changes: Any) -> Terms:
    changed = terms.model.targets[label].model_copy(update=changes)
    model = terms.model.model_copy(update={"targets": terms.model.targets | {label: changed}})
    return dataclasses.replace(terms, model=model)


def test_what_the_model_misses_within_its_data_widens_both_sides() -> None:
    plain = answer_storm(_terms(), _question(8))
    missed = answer_storm(_entry(_terms(), "docker", misfit=0.25), _question(8))
    for name in ("storm.last", "storm.cpu"):
        one, other = (_quantity(answer, name, "docker").band for answer in (plain, missed))
        assert other.middle == one.middle
        assert other.high95 / one.high95 > 1.2
        assert one.low95 / other.low95 > 1.2
    assert _quantity(missed, "storm.last", "libvirt/kvm") == _quantity(plain, "storm.last", "libvirt/kvm")
    rows = {(one.target, one.parameter): one.share for one in missed.influences}
    assert rows["docker", "misfit"] > 0.3
    assert ("libvirt/kvm", "misfit") not in rows


def test_a_side_that_cannot_be_answered_is_left_out() -> None:
    """docker was never measured beside other boxes; libvirt was."""
    terms = _entry(_terms(), "docker", measured={"boxes": (1, 2, 4, 8)}, pairs=((1, 0), (8, 0)))
    found = answer_storm(terms, _question(8, residents=8))
    assert {one.target for one in found.quantities} == {"libvirt/kvm"}
    (said,) = found.unanswered
    assert said.startswith("docker: 8 residents, and none were measured")
    assert "docker" not in found.question
    with pytest.raises(NotInDataError, match="docker: 8 residents"):
        answer_storm(terms, _question(8, residents=8, targets=("docker",)))


def test_a_storm_beside_residents_that_was_not_measured_is_beyond_the_data() -> None:
    """8 at once were measured, and one box beside 8 others, but not both together."""
    apart = _entry(_terms(), "docker", pairs=((1, 0), (1, 8), (8, 0)))
    question = _question(8, residents=8, targets=("docker",))
    together, found = (answer_storm(terms, question) for terms in (_terms(), apart))
    assert together.assumed == ()
    assert found.assumed[0].startswith("docker: 8 boxes at once beside 8 that live already were not measured")
    near, far = (_quantity(one, "storm.last", "docker").band for one in (together, found))
    assert far.middle == near.middle
    assert far.high95 > near.high95


def test_beyond_the_measured_cpus_the_form_of_inflation_is_open() -> None:
    """Two numbers of the model say the same on 2 CPUs; on 20 the answers differ by how inflation goes on."""
    many = _terms(draws=tuple(range(40)))
    within, beyond = (answer_storm(many, _question(16, cpus=cpus, targets=("docker",))) for cpus in (2, 20))
    assert not any(one.parameter == "inflation_form" for one in within.influences)
    assert within.assumed == ()
    assert any(one.parameter == "inflation_form" for one in beyond.influences)
    assert any("going on as a line" in line for line in beyond.assumed)


def test_noise_is_among_what_is_open(answer: StormAnswer) -> None:
    for target in TARGETS:
        mine = [one for one in answer.influences if one.target == target]
        assert any(one.parameter == "noise" and one.share > 0.2 for one in mine)
        assert sum(one.share for one in mine) == pytest.approx(1.0)


def test_the_bounds_of_an_answer_say_how_much_they_explain(answer: StormAnswer) -> None:
    for one in answer.bottlenecks:
        middle = _middle(answer, "storm.last", one.target)
        assert one.reached == pytest.approx(one.bounds_ns[one.name] / middle)


def test_a_storm_without_time_has_a_finite_throughput() -> None:
    """Stated noise can round all times to 0 ns."""
    terms = _terms()
    draws = terms.model.draws | {
        "libvirt/kvm": {name: (1e-9,) * len(terms.model.weights) for name in terms.model.draws["libvirt/kvm"]}
    }
    short = dataclasses.replace(terms, model=terms.model.model_copy(update={"draws": draws}))
    found = answer_storm(short, _question(4, targets=("libvirt/kvm",)))
    assert _middle(found, "storm.throughput", "libvirt/kvm") == 4e9


def test_where_the_draws_have_two_answers_both_are_said_and_no_ratio_of_the_middle() -> None:
    """In half of the draws the lock of libvirt is held for 1 s."""
    terms = _terms(draws=tuple(range(DRAWS)))
    hold = tuple(1e9 * (number % 2) for number in range(DRAWS))
    entry = terms.model.targets["libvirt/kvm"]
    parameters = entry.parameters | {"ready.hold_delay": parameter(0.0, prior_sd=1e9)}
    draws = terms.model.draws["libvirt/kvm"] | {"ready.hold_delay": hold}
    model = terms.model.model_copy(
        update={
            "targets": terms.model.targets | {"libvirt/kvm": entry.model_copy(update={"parameters": parameters})},
            "draws": terms.model.draws | {"libvirt/kvm": draws},
        }
    )
    found = answer_storm(dataclasses.replace(terms, model=model), _question(8))
    last = _quantity(found, "storm.last", "libvirt/kvm")
    assert last.either is not None
    assert list(last.either) == pytest.approx([1.7e9, 8.5e9], rel=0.1)
    rate = _quantity(found, "storm.throughput", "libvirt/kvm").either
    assert rate == (8e9 / last.either[1], 8e9 / last.either[0])
    ratio = _quantity(found, "storm.last", "libvirt/kvm : docker")
    docker = _middle(found, "storm.last", "docker")
    assert ratio.either is not None
    assert list(ratio.either) == pytest.approx([one / docker for one in last.either], rel=0.15)
    assert f" or {in_unit(last.either[1], 'ns')} [" in found.headline
    assert "libvirt/kvm needs " in found.headline
    assert in_unit(ratio.band.middle, "ratio") not in found.headline
    assert _quantity(found, "storm.last", "docker").either is None
