"""Price files and costs."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.sim.cost import HOUR_NS, cost_of, read_prices
from bench.util.errors import ScenarioError, UsageError

HEAD = 'currency: EUR\nsource: a price list\ndate: "2026-11-01"\n'
GIB = 2**30


def prices_file(tmp_path: Path, text: str, head: str = HEAD) -> Path:
    file = tmp_path / "prices.yaml"
    file.write_text(head + text, encoding="utf-8")
    return file


def test_hosts_by_type(tmp_path: Path) -> None:
    prices = read_prices(prices_file(tmp_path, "hosts:\n  small: {per_hour: 0.25}\n  large: {per_hour: 2}\n"))
    assert cost_of(prices, host_ns=10 * HOUR_NS, cpus=4, memory_bytes=GIB, kind="large") == 20
    assert prices.about == "EUR, a price list, 2026-11-01"
    with pytest.raises(UsageError, match="no host type 'huge'; the price file has: small, large"):
        cost_of(prices, host_ns=1, cpus=4, memory_bytes=GIB, kind="huge")
    with pytest.raises(UsageError, match="no type of host was named; the price file has: small, large"):
        cost_of(prices, host_ns=1, cpus=4, memory_bytes=GIB)


def test_the_only_type_needs_no_name(tmp_path: Path) -> None:
    prices = read_prices(prices_file(tmp_path, "hosts:\n  small: {per_hour: 0.25}\n"))
    assert cost_of(prices, host_ns=HOUR_NS // 2, cpus=4, memory_bytes=GIB) == 0.125


def test_cpus_and_memory(tmp_path: Path) -> None:
    prices = read_prices(prices_file(tmp_path, "cpu_hour: 0.03\ngib_hour: 0.004\n"))
    assert cost_of(prices, host_ns=2 * HOUR_NS, cpus=8, memory_bytes=16 * GIB) == pytest.approx(2 * (0.24 + 0.064))
    with pytest.raises(UsageError, match="hosts were paid for -1 ns"):
        cost_of(prices, host_ns=-1, cpus=1, memory_bytes=GIB)


@pytest.mark.parametrize(
    ("text", "head", "words"),
    [
        ("", HEAD, "hosts: is missing; give hosts, or cpu_hour and gib_hour"),
        ("cpu_hour: 1\n", HEAD, "gib_hour: is missing: a host has CPUs and memory"),
        ("cpu_hour: -1\ngib_hour: 1\n", HEAD, "prices.yaml:4: cpu_hour: must be at least 0"),
        ("cpu_hour: 1\ngib_hour: 1\nram: 2\n", HEAD, "prices.yaml:6: ram: unknown key"),
        ("cpu_hour: 1\ngib_hour: 1\n", HEAD.replace("source: a price list\n", ""), "source: is missing"),
        ("cpu_hour: 1\ngib_hour: 1\n", HEAD.replace("2026-11-01", "yesterday"), "prices.yaml:3: date"),
        ("cpu_hour: 1\ngib_hour: 1\n", HEAD.replace("EUR", "euro"), "prices.yaml:1: currency"),
        ("hosts: {}\n", HEAD, "hosts"),
        ("cpu_hour: 1.0e+300\ngib_hour: 1\n", HEAD, "prices.yaml:4: cpu_hour: must be at most 1000000000"),
        ("hosts: {a: {per_hour: -0.5}}\n", HEAD, "hosts.a.per_hour: must be at least 0"),
        ("hosts: {a: {}}\n", HEAD, "hosts.a.per_hour: is missing"),
        ("hosts: {a: {per_hour: free}}\n", HEAD, "hosts.a.per_hour: must be a number"),
        ("cpu_hour: 1\ngib_hour: 1\n", HEAD.replace("EUR", "EURO"), "currency: must be three capital letters"),
        ("cpu_hour: 1\ncpu_hour: 2\ngib_hour: 1\n", HEAD, "cpu_hour"),
        ("hosts:\n  a: {per_hour: 1}\n  a: {per_hour: 2}\n", HEAD, "prices.yaml:6"),
        ("cpu_hour: 1\ngib_hour: 1\n", HEAD.replace('"', ""), "prices.yaml:3: date"),
        ("hosts: {a: {per_hour: .nan}}\n", HEAD, "not a finite number"),
    ],
)
def test_a_wrong_file_is_named_with_its_line(tmp_path: Path, text: str, head: str, words: str) -> None:
    with pytest.raises(ScenarioError, match=words):
        read_prices(prices_file(tmp_path, text, head))
