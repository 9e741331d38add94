"""One source for both forms of a kernel."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import FunctionType
from typing import cast

import numpy as np
import pytest

from bench.records.record import Endpoint
from bench.sim.engine import heap, jit, nodes, storms
from bench.sim.starts import simulate_starts
from bench.sim.values import StageValues, TargetValues
from bench.util import proc

REPOSITORY = Path(__file__).parents[4]


def storm() -> list[int]:
    """Some integers that depend on every part of the engine."""
    stage = StageValues(endpoint=Endpoint.READY, delay_ns=1000, work_ns=7001, background_ns=13, hold_work_ns=5)
    values = TargetValues(stages=(stage,), inflation=0.1, growth_ns=0.3)
    found = simulate_starts(values, cpus=2, scheduled_ns=np.zeros(9, np.int64), residents=1)
    return [*found.times_ns[Endpoint.READY].tolist(), found.cpu_ns]


def test_the_pure_form_calls_pure_forms_only() -> None:
    seen = set()
    waiting = [cast(FunctionType, jit.pure(storms.run_storms))]
    while waiting:
        one = waiting.pop()
        seen.add(one)
        for name in one.__code__.co_names:
            callee = one.__globals__.get(name)
            assert type(callee).__name__ != "CPUDispatcher"
            if isinstance(callee, FunctionType) and callee not in seen:
                waiting.append(callee)
    assert len(seen) > 5


def test_the_pure_form_is_made_once_and_leaves_the_module_alone() -> None:
    assert jit.pure(heap.push) is jit.pure(heap.push)
    assert vars(nodes)["push"] is heap.push


def test_only_kernels_have_a_pure_form() -> None:
    with pytest.raises(TypeError, match="is not a kernel"):
        jit.pure(proc.run)


@pytest.mark.host
def test_a_process_that_does_not_compile_has_the_same_numbers(tmp_path: Path) -> None:
    code = f"from {__name__} import jit, storm; print(jit.JITTED, *storm())"
    words = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(REPOSITORY), "BOXBENCH_JIT": "0"}
    text = proc.run([sys.executable, "-W", "error", "-c", code], timeout_s=300, env=words).text
    assert text.split() == ["False", *map(str, storm())]
    assert not list(tmp_path.iterdir())


@pytest.mark.host
def test_a_process_without_a_place_for_machine_code_says_why(tmp_path: Path) -> None:
    code = "from bench.sim.engine import heap, jit; print(jit.JITTED, jit.why_not_kept())"
    words = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(REPOSITORY)}
    (tmp_path / "file").touch()
    for place, said in ((tmp_path / "file" / "jit", "cannot be made"), (tmp_path / "jit", "True None")):
        env = {**words, "NUMBA_CACHE_DIR": str(place)}
        text = proc.run([sys.executable, "-W", "error", "-c", code], timeout_s=300, env=env).text
        assert (said if jit.JITTED else "False None") in text
