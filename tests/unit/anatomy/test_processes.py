"""Which threads a trace follows: those of the daemons, also ones that start while they are listed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from bench.anatomy import target
from bench.anatomy.processes import KnownProcess
from bench.anatomy.target import StartTrace
from bench.util.clock import VirtualClock


def test_a_thread_that_starts_meanwhile_is_followed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = [(1, 2), (1, 2, 3), (1, 2, 3)]
    followed: list[set[int]] = []
    instance: Any = SimpleNamespace(follow=lambda pids: followed.append(set(pids)), restart=lambda: None)
    monkeypatch.setattr(target, "snapshot", lambda *_args: (KnownProcess(1, "engine", "dockerd", threads.pop(0)),))
    watch = StartTrace(instance, VirtualClock(0))
    watch.arm({"dockerd": 1})
    assert followed == [{1, 2}, {1, 2, 3}]
    assert watch.known[0].threads == (1, 2, 3)
    assert not threads
