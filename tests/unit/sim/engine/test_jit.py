"""One source for both forms of a kernel, and a cache that is found again only for the same source."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, cast

import numpy as np
import pytest

from bench.records.record import Endpoint
from bench.sim.engine import heap, jit, loop, storms
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
    assert len(seen) > 20


def test_the_pure_form_is_made_once_and_leaves_the_module_alone() -> None:
    assert jit.pure(heap.push) is jit.pure(heap.push)
    assert vars(loop)["push"] is heap.push


def test_only_kernels_have_a_pure_form() -> None:
    with pytest.raises(TypeError, match="is not a kernel"):
        jit.pure(proc.run)


def test_the_name_of_the_cache_follows_everything_that_a_kernel_is_made_of(monkeypatch: pytest.MonkeyPatch) -> None:
    module = "bench.sim.engine.storms"
    assert {module, "bench.sim.engine.heap", "bench.sim.engine.layout", "bench.sim.engine.rng"} <= jit._imported(module)
    digest = cast(Any, jit._digest).__wrapped__
    before = digest(module), digest("bench.sim.engine.layout")
    real = jit._text
    for changed in ("bench.sim.engine.heap", module):
        monkeypatch.setattr(jit, "_text", lambda name, it=changed: real(name) + (b"\n#" if name == it else b""))
        assert digest(module) != before[0]
        assert digest("bench.sim.engine.layout") == before[1]


@pytest.mark.host
def test_a_process_that_does_not_compile_has_the_same_numbers(tmp_path: Path) -> None:
    code = f"from {__name__} import jit, storm; print(jit.JITTED, *storm())"
    words = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(REPOSITORY), "BOXBENCH_JIT": "0"}
    text = proc.run([sys.executable, "-W", "error", "-c", code], timeout_s=300, env=words).text
    assert text.split() == ["False", *map(str, storm())]
    assert not list(tmp_path.iterdir())


def test_the_cache_is_private() -> None:
    place = Path(cast(Any, heap.push)._cache.cache_path)
    assert not place.is_relative_to(REPOSITORY)
    assert place.parent.name == jit._digest(heap.push.__module__)
    assert not place.parent.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)


def test_modules_that_are_imported_by_their_packages_count(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """``from package import module`` and ``import package.module`` load the module as ``from package.module`` does."""
    texts = {
        "kernel": "from bench.sim import _one\nimport bench.sim._two\nfrom bench.sim._three import name\n",
        "_one": "from bench.sim import not_there\n",
        "_two": "",
        "_three": "name = 1\n",
    }
    for name, text in texts.items():
        file = tmp_path / f"{name}.py"
        file.write_text(text, encoding="utf-8")
        module = ModuleType(f"bench.sim.{name}")
        module.__file__ = str(file)
        monkeypatch.setitem(sys.modules, module.__name__, module)
    assert jit._imported("bench.sim.kernel") == {f"bench.sim.{name}" for name in texts}
