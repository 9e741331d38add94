"""Slow files of tests are handed out first, and workers take different ports."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import pytest
from xdist.scheduler import LoadFileScheduling

from tests.ports import free_port
from tests.schedule import SLOW, Scheduling

ROOT = Path(__file__).parents[3]


def test_slow_scopes_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    handed: list[str] = []
    monkeypatch.setattr(
        LoadFileScheduling,
        "_assign_work_unit",
        lambda self, _node: handed.append(self.workqueue.popitem(last=False)[0]),
    )
    scheduling = Scheduling.__new__(Scheduling)
    scheduling.workqueue = OrderedDict.fromkeys(("tests/unit/x.py", "tests/unit/agent/test_agent.py", "fleets"))
    for _ in range(3):
        scheduling._assign_work_unit(None)
    assert handed == ["tests/unit/agent/test_agent.py", "fleets", "tests/unit/x.py"]


@pytest.mark.parametrize("name", sorted(set(SLOW) - {"fleets"}))
def test_a_slow_scope_exists(name: str) -> None:
    assert (ROOT / name).exists()


@pytest.mark.host
def test_a_port_is_not_handed_out_twice_nor_to_a_connection() -> None:
    low = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()[0])
    found = [free_port() for _ in range(20)]
    assert len(set(found)) == len(found)
    assert low < 32_000 or max(found) < low
