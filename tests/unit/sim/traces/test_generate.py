"""Generated invocations: rates, shapes, and independence of chunks."""

from __future__ import annotations

import numpy as np
import pytest

from bench.sim.traces.generate import (
    MOST_DURATION_NS,
    Bursts,
    Diurnal,
    Generated,
    Poisson,
    Rate,
    poisson,
    zipf_rates,
)
from bench.sim.traces.spec import open_trace
from bench.sim.traces.trace import TraceError, check_trace, joined, whole

HOUR_NS = 3600 * 10**9
MS_NS = 10**6
DAY_NS = 24 * HOUR_NS


def made(rate: Rate, *, per_s: float = 1.0, functions: int = 1, length_ns: int = HOUR_NS, sd: float = 0.0) -> Generated:
    return Generated(
        rate=rate,
        rates_per_s=(per_s,) * functions,
        duration_ns=(100 * MS_NS,) * functions,
        duration_sd=sd,
        length_ns=length_ns,
    )


RATES: tuple[Rate, ...] = (
    Poisson(),
    Diurnal(swing=1.0),
    Bursts(on_ns=60 * 10**9, off_ns=200 * 10**9, length_ns=2 * HOUR_NS),
)


@pytest.mark.parametrize("rate", RATES)
def test_chunks_do_not_change_what_is_drawn(rate: Rate) -> None:
    source = made(rate, functions=3, length_ns=2 * HOUR_NS, sd=0.5)
    once = whole(source, seed=4)
    check_trace(once)
    assert once.at_ns[-1] < source.length_ns
    again = joined(list(source.chunks(seed=4, most=101)), source.names, None)
    assert np.array_equal(again.at_ns, once.at_ns)
    assert np.array_equal(again.duration_ns, once.duration_ns)
    assert not np.array_equal(whole(source, seed=5).at_ns[:100], once.at_ns[:100])
    # A longer trace begins with the shorter one.
    longer = whole(made(rate, functions=3, length_ns=3 * HOUR_NS, sd=0.5), seed=4)
    if not isinstance(rate, Bursts):
        assert np.array_equal(longer.at_ns[: len(once)], once.at_ns)


def test_a_function_more_does_not_change_the_others() -> None:
    two, three = (whole(made(Poisson(), functions=count), seed=4) for count in (2, 3))
    assert np.array_equal(three.at_ns[three.function < 2], two.at_ns)


def test_poisson_counts_and_gaps() -> None:
    """Over 20 seeds of one hour at 1/s: the mean count is 3,600 with a standard error of 60 / sqrt(20) = 13.4."""
    counts = [len(whole(made(Poisson()), seed=seed)) for seed in range(20)]
    assert np.mean(counts) == pytest.approx(3600, abs=4 * 13.4)
    assert np.std(counts) == pytest.approx(60, rel=0.6)
    gaps = np.diff(whole(made(Poisson()), seed=3).at_ns)
    assert gaps.std() / gaps.mean() == pytest.approx(1, abs=0.06)


def test_a_day_is_low_at_its_ends_and_high_in_its_middle() -> None:
    source = made(Diurnal(swing=0.8), per_s=0.5, length_ns=DAY_NS)
    hours = np.bincount(whole(source, seed=1).at_ns // HOUR_NS, minlength=24)
    # 1,800 per hour on average: 0.2 times that in the first hour, 1.8 times in the hours around noon.
    assert hours[0] == pytest.approx(360 * 1.04, rel=0.2)
    assert hours[11:13].mean() == pytest.approx(3240, rel=0.05)
    assert hours.sum() == pytest.approx(43200, rel=0.02)


def test_bursts_have_pauses_and_the_right_mean() -> None:
    """300 cycles over 20 seeds: the mean count has a relative error of some sqrt(2 / 6000)."""
    rate = Bursts(on_ns=10 * 10**9, off_ns=30 * 10**9, length_ns=12000 * 10**9)
    source = made(rate, per_s=2.0, length_ns=12000 * 10**9)
    traces = [whole(source, seed=seed) for seed in range(20)]
    assert np.mean([len(trace) for trace in traces]) == pytest.approx(24000, rel=0.08)
    gaps = np.diff(traces[0].at_ns)
    # Within a burst 8/s; a quarter of the time is on.
    assert np.median(gaps) == pytest.approx(1e9 / 8 * np.log(2), rel=0.2)
    assert gaps.std() > 4 * gaps.mean()


def test_durations_are_log_normal() -> None:
    trace = whole(made(Poisson(), sd=0.5), seed=1)
    logs = np.log(trace.duration_ns / (100 * MS_NS))
    assert logs.mean() == pytest.approx(0, abs=0.04)
    assert logs.std() == pytest.approx(0.5, rel=0.06)
    assert set(whole(made(Poisson()), seed=1).duration_ns) == {100 * MS_NS}


def test_poisson_numbers_are_the_inverse_of_the_distribution() -> None:
    from scipy import stats

    mean = np.repeat([0.0, 0.01, 3.7, 900.0], 500)
    uniform = np.tile((np.arange(500) + 0.5) / 500, 4)
    expected = np.where(mean > 0, stats.poisson.ppf(uniform, np.maximum(mean, 1e-9)), 0)
    assert np.array_equal(poisson(uniform, mean), expected)


def test_zipf_rates_add_up() -> None:
    rates = zipf_rates(10.0, 4, exponent=1.0)
    assert sum(rates) == pytest.approx(10)
    assert rates[0] / rates[3] == pytest.approx(4)


def test_a_law_as_text() -> None:
    source = open_trace("bursts:rate=5,functions=4,zipf=1,duration=20ms,length=10min,on=10s,off=50s,memory=64MiB")
    trace = whole(source, seed=1)
    assert len(trace.names) == 4
    assert trace.memory_bytes is not None
    assert trace.memory_bytes.tolist() == [64 * 2**20] * 4
    assert any("on for 10 s and off for 50 s" in line for line in source.rules)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("poisson:rate=-1,duration=1s", "poisson: rate is '-1'; expected more than 0, and at most 250000 per second"),
        ("poisson:rate=nan,duration=1s", "poisson: rate: 'nan' is not a number"),
        ("poisson:rate=1", "poisson: duration is missing"),
        ("poisson:rate=1,duration=1", "poisson: duration: '1' has no unit"),
        ("poisson:rate=1,duration=1s,on=1s", "'on=1s' is not one of rate, functions"),
        ("diurnal:duration=1s,swing=1.5", "diurnal: swing is '1.5'; expected 0 to 1"),
        ("bursts:duration=1s", "bursts: on is missing"),
        ("poisson:rate=1,rate=2,duration=1s", "rate is given twice"),
        ("poisson:functions=0,duration=1s", "functions is '0'; expected 1 to 100000"),
        ("poisson:rate=1e9,duration=1s", "rate is '1e9'; expected more than 0, and at most 250000"),
        ("poisson:rate=1_0,duration=1s", "rate: '1_0' is not a number"),
        ("poisson:rate=9e4,duration=1s,length=1440min", r"7.78e\+09 invocations, more than 1e\+09"),
        (
            "poisson:rate=1,duration=1s,length=9999999999s",
            "length is '9999999999s'; expected a time of at most 100000000s",
        ),
        ("poisson:duration=1s,memory=99999999GiB", "memory is '99999999GiB'; expected a size of at most 1048576GiB"),
        ("poisson:duration=1s,memory=1XB", "poisson: memory: '1XB'"),
        ("poisson:duration=1s,memory=16", "poisson: memory: '16' has no unit"),
        ("poisson:rate=0,duration=1s", "poisson: rate is '0'; expected more than 0"),
        ("poisson:rate=0.01,duration=1s,length=1min", "the rate times the length are 0.6 invocations, less than 1"),
        ("poisson:duration=1s,functions=1.5", "functions: '1.5' is not a whole number"),
        (
            "poisson:rate=1,duration=1s,functions=100000,length=600000min",
            r"100000 functions times the length are 6e\+10 min",
        ),
        ("bursts:duration=1s,on=1ns,off=1ns", r"1.8e\+12 bursts of a function, more than 1000000"),
        ("bursts:duration=1s,on=5ms,off=5ms,functions=99", r"3.56e\+07 bursts of all functions"),
    ],
)
def test_wrong_laws_are_refused(text: str, words: str) -> None:
    with pytest.raises(TraceError, match=words):
        open_trace(text)


def test_a_hint_is_an_example_of_the_law() -> None:
    for law in ("bursts", "diurnal"):
        with pytest.raises(TraceError) as caught:
            open_trace(f"{law}:rate=-1,duration=1s,on=1s,off=1s" if law == "bursts" else f"{law}:rate=-1")
        assert f"write it like {law}:" in caught.value.hint


def test_a_burst_that_does_not_fit_in_memory_is_refused_while_it_is_made() -> None:
    source = open_trace("bursts:rate=100000,duration=1s,length=60min,on=1s,off=5min")
    with pytest.raises(TraceError, match=r"the law has \d+ invocations within 1 min, more than 16777216"):
        whole(source, seed=1)


def test_durations_of_a_wide_law_are_cut() -> None:
    source = open_trace("poisson:rate=10,duration=99999999s,duration_sd=10,length=60min")
    durations = whole(source, seed=1).duration_ns
    assert durations.max() == MOST_DURATION_NS
    assert durations.min() >= 0


def test_many_functions_have_rates_at_once() -> None:
    """A sum for each function would take hours."""
    rates = zipf_rates(10.0, 100_000, exponent=1.0)
    assert sum(rates) == pytest.approx(10)
