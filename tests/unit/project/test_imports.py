"""Imports point one way between packages, never in a circle, and each heavy or dangerous thing has one door."""

from __future__ import annotations

import ast
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Final

import pytest

PACKAGE: Final = Path(__file__).parents[3] / "bench"

FLOW: Final = (
    "util",
    "host",
    "scenario",
    "compose",
    "plan",
    "engines",
    "cache",
    "records",
    "agent",
    "image",
    "infer",
    "certificate",
    "targets",
    "analysis",
    "probes",
    "doctor",
    "instructions",
    "run",
    "history",
    "gate",
    "floor",
    "anatomy",
    "explain",
    "sim",
    "published",
    "compare",
    "render",
    "opened",
    "deck",
    "export",
    "cli",
)
"""The packages from bottom to top. A package imports from itself and from those before it, nothing else."""
TOP_LEVEL: Final = {"__init__.py", "pytest_plugin.py"}
"""The only modules beside the packages: they may import from every package."""

READERS: Final = (
    "scenario",
    "compose",
    "plan",
    "records",
    "certificate",
    "analysis",
    "history",
    "gate",
    "explain",
    "published",
    "compare",
    "render",
    "opened",
    "deck",
    "export",
)
"""They work with files alone, so that a report can be made where nothing else is installed."""
RUNNERS: Final = ("engines", "image", "targets", "probes", "run")
"""They start things on this host."""
GATE_RUNS: Final = ("gate.aa", "gate.icount_run", "gate.measure", "gate.resume", "gate.run")
"""The part of the gate that boots boxes."""

PLACES: Final = {
    "pandas": ("analysis.frame", "opened"),
    "matplotlib": ("render", "deck"),
    "jinja2": ("render", "deck"),
    "pptx": ("deck.pptx",),
    "docker": ("engines", "targets", "image", "run"),
    "h2": ("engines",),
    "libvirt": ("engines", "targets", "doctor"),
    "typer": ("cli",),
    "numba": ("sim.engine",),
    "distributed": ("sim",),
    "simpy": ("sim.simpy_door",),
}
"""Where each library may be imported."""

_MAY_EXIT: Final = {"util.parallel": {"os._exit"}}
"""A copy of the process must end without running the command line's own end."""
_MAY_START: Final = {"util.parallel": {"os.fork"}}
"""A copy of the process runs no program, and ends before the call that made it."""
_EXITS: Final = {"print", "exit", "quit", "sys.exit", "os._exit", "typer.Exit", "SystemExit", "typer.echo"}
_STARTS: Final = {"os.system", "os.popen", "os.fork", "os.posix_spawn", "os.posix_spawnp"}


def _module(file: Path) -> str:
    parts = file.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


@cache
def modules() -> dict[str, ast.Module]:
    """Syntax trees by the name below ``bench``; a package's ``__init__.py`` has the package's name."""
    return {_module(file): ast.parse(file.read_text(encoding="utf-8")) for file in sorted(PACKAGE.rglob("*.py"))}


def _for_types_only(tree: ast.Module) -> set[ast.AST]:
    """Everything under ``if TYPE_CHECKING``, which never runs."""
    return {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        for statement in node.body
        for inner in ast.walk(statement)
    }


def _imports(module: str) -> tuple[str, ...]:
    """Every absolute name imported at run time, in functions too; ``from a import b`` gives ``a`` and ``a.b``."""
    return _imports_of(modules()[module], module)


@cache
def _imports_of(tree: ast.Module, module: str) -> tuple[str, ...]:
    skipped = _for_types_only(tree)
    found: list[str] = []
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert not node.level, f"bench.{module} has a relative import, which these tests do not follow"
            found += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return tuple(found)


@cache
def _ours(module: str) -> frozenset[str]:
    """The modules of this package that ``module`` imports. ``from bench.a.b import c`` imports ``a.b``, not ``a``."""
    names = {name.removeprefix("bench.") for name in _imports(module) if name.startswith("bench.")}
    known = {name for name in names if name in modules() and name != module}
    return frozenset(name for name in known if not (_is_folder(name) and any(_within(other, name) for other in known)))


def _is_folder(module: str) -> bool:
    return (PACKAGE / module.replace(".", "/")).is_dir()


def _within(module: str, folder: str) -> bool:
    return module.startswith(f"{folder}.")


def _in(module: str, places: Iterable[str]) -> bool:
    return any(module == place or _within(module, place) for place in places)


def _package(module: str) -> str:
    return module.partition(".")[0]


def _packaged() -> Iterator[str]:
    """The modules that lie in a package."""
    return (module for module in modules() if _package(module) in FLOW)


def _listed(problems: Iterable[str]) -> str:
    return "\n".join(sorted(problems))


def test_the_flow_names_every_package_and_nothing_else_lies_beside_them() -> None:
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders == set(FLOW)
    assert len(set(FLOW)) == len(FLOW)
    assert {path.name for path in PACKAGE.iterdir() if path.is_file() and path.suffix == ".py"} == TOP_LEVEL


def test_imports_point_down_the_flow() -> None:
    upwards = [
        f"bench.{module} imports bench.{name}: {_package(name)} comes after {_package(module)}"
        for module in _packaged()
        for name in _ours(module)
        if name not in ("", "pytest_plugin") and FLOW.index(_package(name)) > FLOW.index(_package(module))
    ]
    upwards += [
        f"bench.{module} imports bench.pytest_plugin" for module in _packaged() if "pytest_plugin" in _ours(module)
    ]
    assert not upwards, _listed(upwards)


def _parts(folder: str) -> dict[str, set[str]]:
    """What the parts of a folder, modules and folders alike, import of each other."""
    prefix = f"{folder}." if folder else ""

    def part_of(module: str) -> str | None:
        rest = module.removeprefix(prefix)
        return None if not rest or (prefix and rest == module) else rest.partition(".")[0]

    found: dict[str, set[str]] = {}
    for module in modules():
        mine = part_of(module)
        if mine is not None:
            others = {part_of(name) for name in _ours(module)}
            found.setdefault(mine, set()).update(other for other in others if other is not None and other != mine)
    return found


def test_no_imports_in_a_circle() -> None:
    """In every folder: neither between its modules nor between its subfolders, nor between one and the other."""
    circles = []
    for folder in ["", *filter(_is_folder, filter(None, modules()))]:
        try:
            TopologicalSorter(_parts(folder)).prepare()
        except CycleError as error:
            circles.append(f"in bench/{folder.replace('.', '/')}: {' -> '.join(error.args[1])}")
    assert not circles, _listed(circles)


def _way_to(module: str, wrong: Callable[[str], bool]) -> list[str]:
    """The shortest chain of imports from a module to one that is ``wrong``; empty when there is none."""
    came_from: dict[str, str | None] = {module: None}
    queue = deque([module])
    while queue:
        at: str | None = queue.popleft()
        if at is not None and wrong(at):
            way = []
            while at is not None:
                way.append(f"bench.{at}")
                at = came_from[at]
            return way[::-1]
        for name in _ours(at or ""):
            if name not in came_from:
                came_from[name] = at
                queue.append(name)
    return []


def test_what_reads_records_starts_nothing() -> None:
    """Followed through all imports: a report is made where no engine and no client library is installed."""
    assert all(module in modules() for module in GATE_RUNS)
    readers = [module for module in modules() if _in(module, READERS) and module not in GATE_RUNS]
    ways = [_way_to(module, lambda name: _in(name, RUNNERS) or name in GATE_RUNS) for module in readers]
    assert not any(ways), _listed(" imports ".join(way) for way in ways if way)


def test_each_library_has_its_places() -> None:
    wrong = [
        f"bench.{module} imports {library}, which only {', '.join(places)} may"
        for library, places in PLACES.items()
        for module in modules()
        if library in {name.partition(".")[0] for name in _imports(module)} and not _in(module, places)
    ]
    assert not wrong, _listed(wrong)


def _calls(module: str) -> set[str]:
    """The names called, as they are called and as they are imported: ``Popen`` and ``subprocess.Popen``."""
    return _calls_in(modules()[module])


@cache
def _calls_in(tree: ast.Module) -> set[str]:
    imported = {
        alias.asname or alias.name: f"{node.module}.{alias.name}" if isinstance(node, ast.ImportFrom) else alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    called = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    heads = {name: name.partition(".")[0] for name in called}
    return called | {imported.get(head, head) + name.removeprefix(head) for name, head in heads.items()}


def test_only_the_command_line_prints_and_exits() -> None:
    wrong = [
        f"bench.{module} calls {', '.join(sorted(called))}"
        for module in modules()
        if not _in(module, ("cli",)) and (called := _EXITS & _calls(module) - _MAY_EXIT.get(module, set()))
    ]
    assert not wrong, _listed(wrong)


def test_there_is_one_door_for_processes() -> None:
    wrong = [
        f"bench.{module} calls {name}"
        for module in modules()
        if module != "util.proc"
        for name in _calls(module)
        if (name in _STARTS or name.startswith("subprocess.")) and name not in _MAY_START.get(module, set())
    ]
    assert not wrong, _listed(wrong)


SABOTAGED: Final = {
    "probes.cpu": "from bench.cli.plan import x",
    "util.text": "def late():\n    import bench.render.html",
    "render.text": "from subprocess import Popen as P\nimport bench.render.html\nP([])",
    "analysis.ratios": "import matplotlib\nprint()",
    "export.base": "import bench.targets.table",
}
CHECKS: Final = (
    (
        test_imports_point_down_the_flow,
        r"bench.probes.cpu imports bench.cli.plan: cli comes after probes.*util.text",
    ),
    (test_no_imports_in_a_circle, r"in bench/render: "),
    (test_what_reads_records_starts_nothing, r"bench.export.base imports bench.targets.table"),
    (test_each_library_has_its_places, r"bench.analysis.ratios imports matplotlib"),
    (test_only_the_command_line_prints_and_exits, r"bench.analysis.ratios calls print"),
    (test_there_is_one_door_for_processes, r"bench.render.text calls subprocess.Popen"),
)


@pytest.mark.parametrize(("check", "words"), CHECKS)
def test_each_rule_sees_what_breaks_it(check: Callable[[], None], words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module, source in SABOTAGED.items():
        monkeypatch.setitem(modules(), module, ast.parse(source))
    _ours.cache_clear()
    try:
        with pytest.raises(AssertionError, match=f"(?s){words}"):
            check()
    finally:
        _ours.cache_clear()
