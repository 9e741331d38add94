"""The cache of machine code: found again only for the same sources, private, and emptied of former ones."""

from __future__ import annotations

import fcntl
import os
import stat
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import pytest

from bench.sim.engine import heap, jit_cache
from bench.sim.fleet.kernel import loop as fleet_loop

REPOSITORY = Path(__file__).parents[4]
DAY = 86400.0


def test_the_name_follows_everything_that_a_kernel_is_made_of(monkeypatch: pytest.MonkeyPatch) -> None:
    module = "bench.sim.engine.storms"
    assert {
        module,
        "bench.sim.engine",
        "bench.sim.engine.heap",
        "bench.sim.engine.layout",
        "bench.sim.engine.rng",
        "bench.sim.engine.jit",
    } <= jit_cache.imported(module)
    digest = cast(Any, jit_cache.digest).__wrapped__
    before = digest(module), digest("bench.sim.engine.layout")
    real = jit_cache._text
    for changed in ("bench.sim.engine.heap", module, "bench.sim.engine"):
        monkeypatch.setattr(jit_cache, "_text", lambda name, it=changed: real(name) + (b"\n#" if name == it else b""))
        assert digest(module) != before[0]
        assert (digest("bench.sim.engine.layout") != before[1]) == (changed == "bench.sim.engine")


def test_a_module_that_is_imported_from_its_package_is_followed() -> None:
    """``from bench.sim.fleet.kernel import columns as c`` is how the kernels of fleets know where things lie."""
    found = jit_cache.imported(fleet_loop.__name__)
    assert {"bench.sim.fleet.kernel.columns", "bench.sim.fleet.kernel.share", "bench.sim.engine.share"} <= found


def test_every_form_of_import_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = {
        "bench.odd": b"import bench.one.inner\nfrom . import two\nfrom .three import name\nimport os\n",
        "bench.two": b"from bench import four as other\n",
        "bench.five": b"",
    }
    names = ("odd", "one", "one.inner", "two", "three", "four", "five")
    for name in names:
        monkeypatch.setitem(sys.modules, f"bench.{name}", ModuleType(f"bench.{name}"))
    monkeypatch.setattr(jit_cache, "_text", lambda name: texts.get(name, b""))
    jit_cache._imports.cache_clear()
    try:
        found = jit_cache.imported("bench.odd")
    finally:
        jit_cache._imports.cache_clear()
    assert found - {"bench"} == {f"bench.{name}" for name in names if name != "five"}


def test_the_cache_is_private() -> None:
    place = Path(cast(Any, heap.push)._cache.cache_path)
    assert not place.is_relative_to(REPOSITORY)
    assert place.parent.name == jit_cache.digest(heap.push.__module__)
    assert not place.parent.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)


def former(base: Path, number: int, *, days: float) -> Path:
    """A directory of former sources that was opened so many days before the newest one."""
    place = base / f"{number:020x}"
    (place / "engine_1").mkdir(parents=True)
    (place / "engine_1" / "heap.push.nbi").write_bytes(b"index")
    os.utime(place, (10**9 - days * DAY,) * 2)
    return place


def newest_of(base: Path) -> Path:
    """The directory of these sources."""
    return former(base, 0, days=0)


def test_directories_that_nobody_has_opened_for_a_month_are_removed(tmp_path: Path) -> None:
    new, used, old = newest_of(tmp_path), former(tmp_path, 1, days=29), former(tmp_path, 2, days=31)
    killed = tmp_path / f".gone-7-{3:020x}"
    killed.mkdir()
    jit_cache.prune(tmp_path, newest=new)
    assert [place.exists() for place in (new, used, old, killed)] == [True, True, False, False]


def test_of_many_directories_the_ones_opened_last_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jit_cache, "KEPT", 3)
    new = newest_of(tmp_path)
    places = [former(tmp_path, number, days=days) for number, days in enumerate((0.1, 0.2, 0.3, 2, 3), start=1)]
    jit_cache.prune(tmp_path, newest=new)
    assert [place.exists() for place in places] == [True, True, True, False, False]


def test_only_directories_of_machine_code_are_removed(tmp_path: Path) -> None:
    """A link is not followed, another name is another program's, and one that is written to is in use."""
    new, written = newest_of(tmp_path / "base"), former(tmp_path / "base", 1, days=90)
    other = tmp_path / "base" / "engine_0123"
    aim = tmp_path / "aim"
    for place in (other, aim):
        place.mkdir()
        (place / "file").touch()
        os.utime(place, (10**9 - 90 * DAY,) * 2)
    (tmp_path / "base" / ("f" * 20)).symlink_to(aim)
    with (written / ".lock").open("w") as lock:
        os.utime(written, (10**9 - 90 * DAY,) * 2)
        fcntl.flock(lock, fcntl.LOCK_EX)
        jit_cache.prune(tmp_path / "base", newest=new)
        assert written.exists()
    assert (other / "file").exists()
    assert (aim / "file").exists()
    jit_cache.prune(tmp_path / "base", newest=new)
    assert not written.exists()


def test_a_new_directory_takes_the_place_of_former_ones(tmp_path: Path) -> None:
    base = tmp_path / "jit"
    old = former(base, 5, days=1)
    base.chmod(0o700)
    open_anew = cast(Any, jit_cache.opened).__wrapped__
    place = open_anew("bench.sim.engine.heap", base)
    assert place == base / jit_cache.digest("bench.sim.engine.heap")
    assert not old.exists()
    os.utime(place, (0, 0))
    assert open_anew("bench.sim.engine.heap", base) == place
    assert place.stat().st_mtime > 0
    assert [one.name for one in base.iterdir()] == [place.name]
