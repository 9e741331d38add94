"""Our C programs compile without warnings and to the same bytes, and again when any source changes."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

import pytest

import bench
from bench.agent.compile import COMPILERS, FLAGS, compile_program, program_sources, static_program
from bench.util import proc
from tests.waiting import LIMIT_S

pytestmark = pytest.mark.host

PROGRAMS: Final = (
    ("bench.agent", "boxinit"),
    ("bench.image.vm", "dockervm.c"),
    ("bench.instructions", "counter"),
    ("bench.targets.launcher", "boxlaunch"),
    ("bench.targets.vms", "tsc_rate.c"),
)
STRICT: Final = (*FLAGS, "-Werror", "-Wshadow", "-Wstrict-prototypes", "-Wmissing-prototypes")


@pytest.fixture(scope="module")
def compiler() -> str:
    found = next((path for name in COMPILERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("no C compiler")
    return found


@pytest.mark.parametrize(("package", "name"), PROGRAMS)
def test_a_program_compiles_without_warnings_to_the_same_bytes(
    package: str, name: str, compiler: str, tmp_path: Path
) -> None:
    sources = program_sources(package, name)
    for output in ("one", "other"):
        compile_program(compiler, sources, tmp_path / output, flags=STRICT)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


def test_every_source_belongs_to_a_program() -> None:
    (root,) = map(Path, bench.__path__)
    compiled = {Path(path).name for program in PROGRAMS for path in program_sources(*program)}
    assert {path.name for path in root.rglob("*.[ch]")} == compiled


def test_a_changed_header_makes_another_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compiler: str) -> None:
    del compiler  # the fixture skips without one
    folder = tmp_path / "a_package_of_this_test" / "greet"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").touch()
    (folder / "main.c").write_text('#include <stdio.h>\n#include "word.h"\nint main(void) { return puts(WORD) < 0; }\n')
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("BOXBENCH_CACHE", str(tmp_path / "cache"))
    said = []
    for word in ("one", "other"):
        (folder / "word.h").write_text(f'#define WORD "{word}"\n')
        said.append(proc.run([static_program("a_package_of_this_test", "greet")], timeout_s=LIMIT_S).text)
    assert said == ["one\n", "other\n"]
