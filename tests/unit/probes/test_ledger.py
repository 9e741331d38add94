"""The ledger: what the host's counters say, who holds it, when the host is at rest, and what nobody explains."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, repeat
from pathlib import Path

import pytest

from bench.host import memory
from bench.host.memory import SETTLED_BYTES, parse_memory, read_memory, settled_memory
from bench.probes.ledger import HostMemory, ledger, ledger_doubts, read_host_memory
from bench.util.clock import Clock

KIB, MIB = 2**10, 2**20

MEMINFO = """\
MemTotal:       24684096 kB
MemFree:        20000000 kB
MemAvailable:   22000000 kB
Buffers:          106080 kB
Cached:          3025520 kB
AnonPages:        304556 kB
Shmem:              8872 kB
SReclaimable:     500832 kB
SUnreclaim:        62980 kB
KernelStack:        2352 kB
PageTables:         4340 kB
SecPageTables:       100 kB
VmallocUsed:       17280 kB
Percpu:             2520 kB
"""
ZONEINFO = """\
Node 0, zone   Normal
  pages free     5000000
  pagesets
    cpu: 0
              count:    100
              high:     300
    cpu: 1
              count:    28
  vm stats threshold: 40
"""


class Ticking:
    """A clock on which only sleeping takes time."""

    def __init__(self) -> None:
        self.now = 0

    def now_ns(self) -> int:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += round(seconds * 1e9)


@pytest.fixture
def host(tmp_path: Path) -> Path:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text(MEMINFO, encoding="ascii")
    (tmp_path / "proc/zoneinfo").write_text(ZONEINFO, encoding="ascii")
    for pid, anon in ((7, 120), (8, 40)):
        (tmp_path / f"proc/{pid}").mkdir()
        text = f"55b3-7fff ---p 00000000 00:00 0 [rollup]\nPss: 500 kB\nPss_Anon: {anon} kB\nAnonymous: 300 kB\n"
        (tmp_path / f"proc/{pid}/smaps_rollup").write_text(text, encoding="ascii")
    (tmp_path / "proc/2").mkdir()  # a kernel thread has no memory of its own
    (tmp_path / "proc/2/smaps_rollup").write_text("", encoding="ascii")
    return tmp_path


def test_the_host_is_split_into_parts_that_do_not_overlap(host: Path) -> None:
    found = read_memory(host)
    assert found == {
        # Free pages on the CPUs' own lists are free.
        "used": (24684096 - 20000000) * KIB - 128 * 4 * KIB,
        "available": 22000000 * KIB,
        "anon": 304556 * KIB,
        "cache": (3025520 + 106080 - 8872) * KIB,
        "shmem": 8872 * KIB,
        "slab_reclaimable": 500832 * KIB,
        "slab_unreclaimable": 62980 * KIB,
        "page_tables": 4440 * KIB,
        "kernel_stacks": 2352 * KIB,
        "percpu": 2520 * KIB,
        "vmalloc": (17280 - 2352) * KIB,
    }


def test_what_the_kernel_does_not_offer_is_absent() -> None:
    assert parse_memory({"MemTotal": 8, "MemFree": 3, "Cached": 2, "PageTables": 1}, listed_bytes=1) == {
        "used": 4,
        "page_tables": 1,
    }
    assert parse_memory({}, listed_bytes=0) == {}


def _readings(monkeypatch: pytest.MonkeyPatch, values: Iterator[int]) -> None:
    monkeypatch.setattr(memory, "read_memory", lambda _root: {"used": next(values)})


def test_a_host_at_rest_is_read_after_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    clock: Clock = Ticking()
    _readings(monkeypatch, chain([900 * MIB, 700 * MIB], repeat(500 * MIB)))
    assert settled_memory(clock, rest_ns=2 * 10**9) == ({"used": 500 * MIB}, 0)
    # Two seconds of rest, two readings that were far off, ten that were not.
    assert clock.now_ns() == pytest.approx(2e9 + 1.1e9)


def test_a_host_that_does_not_rest_is_read_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    clock: Clock = Ticking()
    _readings(monkeypatch, (number * MIB for number in range(10_000)))
    account, moved = settled_memory(clock, rest_ns=0)
    assert moved == 9 * MIB > SETTLED_BYTES
    assert clock.now_ns() == pytest.approx(15e9)
    restless = HostMemory(account, {}, moved)
    assert ledger_doubts(HostMemory({}, {}, 0), restless) == ("unsettled:9.00 MiB",)
    assert ledger_doubts(HostMemory({}, {}, SETTLED_BYTES)) == ()


def test_an_account_has_every_process_that_can_be_read(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "SETTLE_WINDOW_NS", memory.SETTLE_EVERY_NS)
    account = read_host_memory(Ticking(), rest_ns=0, root=host)
    assert account.anon == {7: 120 * KIB, 8: 40 * KIB}
    assert account.host["anon"] == 304556 * KIB


def test_the_ledger_names_every_holder_and_the_rest_is_unexplained() -> None:
    before = HostMemory(
        {"used": 1000, "available": 900, "cache": 300, "slab_reclaimable": 50}, {1: 100, 2: 60, 9: 5}, 0
    )
    after = HostMemory(
        {"used": 1900, "available": 250, "cache": 420, "slab_reclaimable": 40, "percpu": 7},
        {1: 110, 2: 75, 30: 200, 31: 210, 40: 30, 50: 12},
        0,
    )
    found = ledger(before, after, {"vmm": [30, 31], "shim": [40]}, {"dockerd": 2, "libvirtd": 1}, own=1)
    assert found == {
        "host.used": 900,
        "host.available": 650,
        "part.anon.vmm": 410,
        "part.anon.shim": 30,
        "part.daemon.dockerd": 15,
        # libvirt works in our own process here: it is counted once.
        "part.harness": 10,
        # One ended, one is new.
        "part.others": 7,
        "part.cache": 120,
        "part.slab_reclaimable": -10,
        "unexplained": 900 - (410 + 30 + 15 + 10 + 7 + 120 - 10),
    }


def test_launchers_are_the_harness_and_an_engine_of_ours_for_other_boxes_is_not() -> None:
    # 5 is a private engine, which was there before; 6 and 7 launchers, and 8 the box of one of them.
    before = HostMemory({}, {1: 100, 5: 500}, 0, frozenset({5}))
    after = HostMemory({}, {1: 110, 5: 300, 6: 40, 7: 41, 8: 900, 9: 7}, 0, frozenset({5, 6, 7, 8}))
    found = ledger(before, after, {"agent": [8]}, {}, own=1)
    assert found == {"part.anon.agent": 900, "part.harness": 10 + 40 + 41, "part.others": 7 - 200}


def test_an_account_knows_what_we_have_started(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "SETTLE_WINDOW_NS", memory.SETTLE_EVERY_NS)
    (host / "proc/7/stat").write_text("7 (box) (launch) S 42 7 7 0\n", encoding="ascii")
    (host / "proc/8/stat").write_text("8 (S 42 42) S 1 8 8 0\n", encoding="ascii")
    assert read_host_memory(Ticking(), rest_ns=0, root=host, own=42).children == {7}


def test_without_a_host_delta_nothing_is_unexplained() -> None:
    found = ledger(HostMemory({}, {}, 0), HostMemory({}, {3: 8}, 0), {"vmm": [3]}, {}, own=1)
    assert found == {"part.anon.vmm": 8, "part.harness": 0, "part.others": 0}
