"""Whether a box writes no more: told by its agent, by its process, or not known."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any

import pytest

from bench.agent.protocol import Exit
from bench.agent.timeline import Timeline
from bench.records.record import Endpoint
from bench.run import ending
from bench.run.ending import is_over
from bench.util.clock import VirtualClock
from bench.util.errors import ProtocolError


def box(pid: int | None) -> Any:
    return SimpleNamespace(main_pid=lambda: pid)


def test_the_agent_or_the_kernel_tells_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ending, "AFTER_ERROR_S", 0.01)
    timeline = Timeline(VirtualClock())
    assert is_over(box(None), timeline)
    assert not is_over(box(os.getpid()), timeline)
    timeline.mark(Endpoint.REQUESTED, at_ns=1)
    timeline.receive(Exit(7, 0, 1, 1, 1, 1), 5)
    assert is_over(box(os.getpid()), timeline)


def test_after_nonsense_a_box_may_live_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ending, "AFTER_ERROR_S", 0.01)
    timeline = Timeline(VirtualClock())
    timeline.receive(ProtocolError("not a message", hint=""), 5)
    assert not is_over(box(os.getpid()), timeline), "its last words would be waited for in vain"
    assert is_over(box(2**22 + 1), timeline), "it has ended meanwhile"
