"""The fleet file and the file of failures: what they mean, and each mistake with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.sim.fleet.failures import host_changes, read_failures
from bench.sim.fleet.file import parse_span_ns, read_fleet
from bench.sim.fleet.spec import Autoscaler, Failures, FleetSpec
from bench.util.errors import ScenarioError, UsageError

S = 10**9
_HOSTS = "hosts: {count: 3, cpus: 4, memory: 8GiB}\n"


def _fleet(tmp_path: Path, text: str) -> FleetSpec:
    file = tmp_path / "fleet.yaml"
    file.write_text(text)
    return read_fleet(file)


def test_a_short_file_has_the_rest_by_default(tmp_path: Path) -> None:
    assert _fleet(tmp_path, _HOSTS) == FleetSpec(hosts=3, cpus=4, memory_bytes=8 * 2**30, reserve_bytes=8 * 2**30 // 10)


@pytest.mark.parametrize(("text", "size"), [("0", 0), ("0MiB", 0), ("2GiB", 2**31)])
def test_a_stated_reserve(tmp_path: Path, text: str, size: int) -> None:
    spec = _fleet(tmp_path, f"hosts: {{count: 3, cpus: 4, memory: 8GiB, reserve: {text}}}\n")
    assert spec.reserve_bytes == size


def test_every_key(tmp_path: Path) -> None:
    (tmp_path / "down.csv").write_text("at_s,host,event\n1.5,2,down\n4,2,up\n")
    text = """
hosts: {count: 3, cpus: 4, memory: 8GiB, reserve: 1GiB, boxes: 50}
policy: best-fit
keep_alive: 2h
prewarmed: 2
queue: 7
failures: {file: down.csv, lost: rest}
autoscaler: {least: 2, target: 0.5, every: 10s, delay: 1min, cooldown: 2min}
"""
    assert _fleet(tmp_path, text) == FleetSpec(
        hosts=3,
        cpus=4,
        memory_bytes=8 * 2**30,
        reserve_bytes=2**30,
        box_limit=50,
        policy="best-fit",
        keep_alive_ns=7200 * S,
        prewarmed=2,
        queue_limit=7,
        failures=Failures(stated=((3 * S // 2, 2, False), (4 * S, 2, True)), lost="rest"),
        autoscaler=Autoscaler(least=2, target=0.5, every_ns=10 * S, delay_ns=60 * S, cooldown_ns=120 * S),
    )


def test_never_and_unlimited(tmp_path: Path) -> None:
    spec = _fleet(tmp_path, _HOSTS + "keep_alive: never\nqueue: unlimited\n")
    assert spec.keep_alive_ns is None
    assert spec.queue_limit is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("hosts: {count: 0, cpus: 4, memory: 8GiB}", "hosts.count: must be at least 1"),
        ("hosts: {count: -2, cpus: 4, memory: 8GiB}", "hosts.count: must be at least 1"),
        ("hosts: {count: 3, cpus: 0, memory: 8GiB}", "hosts.cpus: must be at least 1"),
        ("hosts: {count: 3, cpus: 4}", "hosts.memory: is missing"),
        ("hosts: {count: 3, cpus: 4, memory: 8}", "unit is missing"),
        ("hosts: {count: 3, cpus: 4, memory: 1GiB, reserve: 2GiB}", "leaves nothing of 1.00 GiB"),
        (_HOSTS + "policy: worst-fit", "first-fit"),
        (_HOSTS + "keep_alive: 600", "the unit is missing"),
        (_HOSTS + "keep_alive: soon", "'soon'"),
        (_HOSTS + "queue: -1", "queue: must be at least 0"),
        (_HOSTS + "queue: 1000000000000000000000000", "queue: must be at most 1000000000"),
        ("hosts: {count: 3, cpus: 4, memory: 8GiB, boxes: 10000000000000000000000}", "boxes: must be at most"),
        ("hosts: {count: 3, cpus: 4, memory: 8GiB, reserve: 5}", "the unit is missing"),
        (_HOSTS + "prewarmed: 1000001", "prewarmed: must be at most 1000000"),
        (_HOSTS + "keep_alive: 3weeks", "the unknown unit 'weeks'"),
        (_HOSTS + "prewarmed: -1", "prewarmed: must be at least 0"),
        (_HOSTS + "prewarmed: 1.5", "prewarmed: must be a whole number"),
        (_HOSTS + "cores: 3", "cores: unknown key"),
        (_HOSTS + "failures: {mtbf: 30d}", "mttr: is missing"),
        (_HOSTS + "failures: {}", "give either mtbf and mttr, or a file"),
        (_HOSTS + "autoscaler: {least: 4}", "4 hosts are more than the fleet's 3"),
        (_HOSTS + "autoscaler: {every: 1us}", "1.00 µs is less than 1 s"),
        (_HOSTS + "autoscaler: {target: 0}", "target: must be at least 0.01"),
        (_HOSTS + "autoscaler: {target: 0.00001}", "target: must be at least 0.01"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        _fleet(tmp_path, text)
    assert problem in caught.value.message
    assert "fleet.yaml" in caught.value.message


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="No such file"):
        read_fleet(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("at,host,event\n", "the header is 'at,host,event'"),
        ("", "the header is 'nothing'"),
        ("at_s,host,event\n1,3,down\n", ":2: '1,3,down'"),
        ("at_s,host,event\n-1,0,down\n", ":2: '-1,0,down'"),
        ("at_s,host,event\nnan,0,down\n", ":2: 'nan,0,down'"),
        ("at_s,host,event\n1,0,dead\n", ":2: '1,0,dead'"),
        ("at_s,host,event\n2,0,down\n1,0,up\n", ":3: earlier"),
        ("at_s,host,event\n1,0,down\n\n2,0,down\n", ":4: host 0 is down already since line 2"),
        ("at_s,host,event\n1,0,up\n", ":2: host 0 is up already"),
        ("at_s,host,event\n1,0,down\n2,1,down\n3,0,up\n4,0,up\n", ":5: host 0 is up already"),
        ("at_s,host,event\n1_0,0,down\n", ":2: '1_0,0,down'"),
        ("at_s,host,event\n1,0," + "x" * 200_000 + "\n", "not a CSV file"),
    ],
)
def test_mistakes_in_failures_are_named(tmp_path: Path, text: str, problem: str) -> None:
    file = tmp_path / "down.csv"
    file.write_text(text)
    with pytest.raises(UsageError) as caught:
        read_failures(file, hosts=3)
    assert problem in caught.value.message


def test_a_failures_file_that_no_file_can_be_called_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="embedded null byte"):
        _fleet(tmp_path, _HOSTS + r'failures: {file: "a\0b"}')


def test_a_failures_file_that_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not a regular file"):
        read_failures(tmp_path, hosts=3)


def test_failures_without_end_are_refused() -> None:
    with pytest.raises(UsageError, match=r"mtbf 1\.00 ns and mttr 1.00 ns fail and come back some 2000000000000 times"):
        host_changes(Failures(mtbf_ns=1, mttr_ns=1), hosts=2, length_ns=1000 * S, seed=1)


def test_means_of_many_years_stay_in_64_bits() -> None:
    found = host_changes(Failures(mtbf_ns=2**59, mttr_ns=2**59), hosts=2000, length_ns=2**57, seed=1)
    assert 300 < len(found) < 1300
    assert (found[:, 0] > 0).all()


def test_two_events_of_a_host_at_one_time_are_in_the_order_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "twice.csv"
    file.write_text("at_s,host,event\n10,0,down\n20,0,up\n20,0,down\n")
    failures = Failures(stated=read_failures(file, hosts=1))
    found = host_changes(failures, hosts=1, length_ns=60 * S, seed=1)
    assert found.tolist() == [[10 * S, 0, 0], [20 * S, 0, 1], [20 * S, 0, 0]]


def test_failures_of_a_host_do_not_depend_on_how_many_there_are() -> None:
    failures = Failures(mtbf_ns=5 * S, mttr_ns=S)
    few, many = (host_changes(failures, hosts=hosts, length_ns=60 * S, seed=1) for hosts in (3, 40))
    assert few.tolist() == many[many[:, 1] < 3].tolist()


def test_more_stated_failures_than_fit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.sim.fleet.failures._MOST_CHANGES", 5)
    failures = Failures(stated=((S, 0, False), (2 * S, 0, True)))
    assert len(host_changes(failures, hosts=2, together=2, length_ns=10 * S, seed=1)) == 4
    with pytest.raises(UsageError, match="at most 5 fit"):
        host_changes(failures, hosts=3, together=3, length_ns=10 * S, seed=1)


def test_vms_of_one_host_fail_together() -> None:
    failures = Failures(stated=((S, 1, False), (2 * S, 1, True)))
    found = host_changes(failures, hosts=9, together=3, length_ns=10 * S, seed=1)
    assert found.tolist() == [[S, vm, 0] for vm in (3, 4, 5)] + [[2 * S, vm, 1] for vm in (3, 4, 5)]
    drawn = host_changes(Failures(mtbf_ns=5 * S, mttr_ns=S), hosts=9, together=3, length_ns=60 * S, seed=1)
    times = {vm: drawn[drawn[:, 1] == vm][:, 0].tolist() for vm in range(9)}
    assert times[3] == times[4] == times[5] != times[6]


def test_failures_have_their_means() -> None:
    found = host_changes(Failures(mtbf_ns=100 * S, mttr_ns=10 * S), hosts=50, length_ns=20_000 * S, seed=4)
    down = found[found[:, 2] == 0]
    # 50 hosts for 20,000 s, one failure in 110 s: 9,090 of them; 3.5 standard deviations of a renewal count.
    assert abs(len(down) - 50 * 20_000 / 110) < 3.5 * (50 * 20_000 / 110) ** 0.5
    assert (down[:, 0] < 20_000 * S).all()
    assert (found[:-1, 0] <= found[1:, 0]).all()
    for host in (0, 49):
        assert (found[found[:, 1] == host][:, 2] == [0, 1] * (len(found[found[:, 1] == host]) // 2)).all()


def test_no_failures_no_changes() -> None:
    assert host_changes(None, hosts=3, length_ns=S, seed=1).shape == (0, 3)


@pytest.mark.parametrize(
    ("text", "ns"), [("10min", 600 * S), ("2h", 7200 * S), ("1.5d", 129_600 * S), ("3ms", 3 * 10**6)]
)
def test_spans(text: str, ns: int) -> None:
    assert parse_span_ns(text) == ns


@pytest.mark.parametrize("text", ["10", "h", "-1h", "1e9d", "20000d"])
def test_wrong_spans(text: str) -> None:
    with pytest.raises(ValueError, match=r"'|18 years"):
        parse_span_ns(text)
