"""Sizes, durations, CPUs and ports."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.compose.item import Item, Problems, Reader, Source
from bench.compose.ports import Ports, ports_of
from bench.compose.quantity import duration_ns, duration_text, size_bytes, size_text, whole_cpus
from bench.util.document import Document
from bench.util.units import parse_bytes, parse_duration_ns

MS, S, MIN = 10**6, 10**9, 60 * 10**9


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("100", 100),
        ("50b", 50),
        ("2k", 2048),
        ("512m", 512 * 2**20),
        ("512M", 512 * 2**20),
        ("1.5g", 3 * 2**29),
        ("1gb", 2**30),
        ("1GiB", 2**30),
        ("1 gb", 2**30),
        ("1t", 2**40),
        ("", None),
        ("-1", None),
        ("m", None),
        ("1x", None),
        ("1 g b", None),
    ],
)
def test_sizes(text: str, size: int | None) -> None:
    assert size_bytes(text) == size


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("10s", 10 * S),
        ("1m30s", 90 * S),
        ("1h", 60 * MIN),
        ("500ms", 500 * MS),
        ("1.5s", 1500 * MS),
        ("10us", 10**4),
        ("1d", 24 * 60 * MIN),
        ("0", 0),
        ("0s", 0),
        ("10", None),
        ("", None),
        ("1 s", None),
        ("s", None),
        ("-1s", None),
        ("1M", None),
    ],
)
def test_durations(text: str, duration: int | None) -> None:
    assert duration_ns(text) == duration


@given(st.integers(min_value=1, max_value=2**50))
def test_what_is_written_is_what_a_scenario_reads(value: int) -> None:
    assert parse_bytes(size_text(value)) == value
    assert parse_duration_ns(duration_text(value)) == value


@pytest.mark.parametrize(
    ("text", "cpus"), [("1", 1), ("0.5", 1), (".5", 1), ("1.0", 1), ("1.01", 2), ("0", 0), ("x", None), ("-1", None)]
)
def test_cpus_are_rounded_up(text: str, cpus: int | None) -> None:
    assert whole_cpus(text) == cpus


def item(value: object) -> Item:
    return Item(value, Source(Path("compose.yaml"), Document({}, "")), ("services", "web", "ports"))


def wrap(values: list[object]) -> Item:
    return item(
        [
            item({key: item(inner) for key, inner in one.items()}) if isinstance(one, dict) else item(one)
            for one in values
        ]
    )


@pytest.mark.parametrize(
    ("given_ports", "expected"),
    [
        ([3000], Ports((3000,), ())),
        (["3000", "8000:8080"], Ports((3000, 8080), ())),
        (["3000-3002"], Ports((3000, 3001, 3002), ())),
        (["9090-9091:8080-8081"], Ports((8080, 8081), ())),
        (["127.0.0.1:8001:8001", "[::1]:90:91"], Ports((8001, 91), ())),
        (["6060:6060/udp", "53/tcp"], Ports((53,), ("6060/udp",))),
        ([80, "8080:80"], Ports((80,), ())),
        ([{"target": 80, "published": "8080", "protocol": "tcp", "mode": "host"}], Ports((80,), ())),
        ([{"target": "53", "protocol": "udp"}], Ports((), ("53/udp",))),
        (["1-60000"], Ports(tuple(range(1, 21)), ())),
    ],
)
def test_ports(given_ports: list[object], expected: Ports) -> None:
    problems = Problems()
    assert ports_of(wrap(given_ports), None, Reader(problems)) == expected
    assert problems.faults == []


@pytest.mark.parametrize(
    "wrong", ["0", "70000", "web", "80/icmp", "10-5", {"published": 80}, {"target": 80, "protocl": "udp"}, "", [1]]
)
def test_wrong_ports(wrong: object) -> None:
    problems = Problems()
    ports_of(wrap([wrong]), None, Reader(problems))
    assert problems.faults
