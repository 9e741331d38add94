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
    assert _fleet(tmp_path, _HOSTS) == FleetSpec(hosts=3, cpus=4, memory_bytes=8 * 2**30)


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
        (_HOSTS + "prewarmed: -1", "prewarmed: must be at least 0"),
        (_HOSTS + "prewarmed: 1.5", "prewarmed: must be a whole number"),
        (_HOSTS + "cores: 3", "cores: unknown key"),
        (_HOSTS + "failures: {mtbf: 30d}", "mttr: is missing"),
        (_HOSTS + "failures: {}", "give either mtbf and mttr, or a file"),
        (_HOSTS + "autoscaler: {least: 4}", "4 hosts are more than the fleet's 3"),
        (_HOSTS + "autoscaler: {every: 1us}", "1.00 µs is less than 1 s"),
        (_HOSTS + "autoscaler: {target: 0}", "target: must be more than 0"),
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
    ],
)
def test_mistakes_in_failures_are_named(tmp_path: Path, text: str, problem: str) -> None:
    file = tmp_path / "down.csv"
    file.write_text(text)
    with pytest.raises(UsageError) as caught:
        read_failures(file, hosts=3)
    assert problem in caught.value.message


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
