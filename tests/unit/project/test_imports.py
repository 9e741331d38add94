"""Imports point one way along the flow, and each heavy or dangerous thing has one door."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Final

import pytest

PACKAGE: Final = Path(__file__).parents[3] / "bench"
FILES: Final = sorted(PACKAGE.rglob("*.py"))

# Each row may import from itself and from the rows above it. A longer name wins over its package's.
LAYERS: Final = (
    (
        "util",
        "scenario",
        "plan",
        "records",
        "agent",
        "analysis",
        "explain",
        "util.errors",
        "util.clock",
        "run.interpreter",
        "util.units",
        "util.text",
        "analysis.stats",
        "scenario.allowed_differences",
    ),
    (
        "util.proc",
        "util.clip",
        "util.document",
        "scenario.validation",
        "scenario.fields",
        "scenario.factors",
        "scenario.storm",
        "scenario.readiness",
        "host",
        "util.cache",
        "util.package_data",
        "host.run_directory",
        "scenario.exercise",
        "scenario.options",
        "scenario.target_table",
        "scenario.targets",
    ),
    ("host.cgroup", "scenario.model"),
    (
        "records.certificate",
        "plan.trials",
        "plan.matrix",
        "plan.preview",
        "records.record",
        "records.component",
        "records.campaign",
        "records.manifest",
        "instructions.model",
        "instructions.verdict",
    ),
    (
        "agent.boxconf",
        "image.model",
        "agent.protocol",
        "agent.channel",
        "agent.timeline",
        "agent.compile",
    ),
    ("certificate", "analysis.certified", "run.exercise"),
    ("image",),
    ("host.processes",),
    ("engines",),
    ("targets",),
    ("probes",),
    ("doctor",),
    ("run.cleanup",),
    ("run.exercise.measure", "run.ending", "run.limits"),
    ("run.frame",),
    ("run.box",),
    ("run.many", "run.trial", "run.storm"),
    ("run.residents",),
    ("run.prepare", "run.certify", "run.session", "run.campaign", "anatomy", "instructions"),
    (
        "analysis.values",
        "analysis.storms",
        "analysis.ledger",
        "analysis.metrics",
        "analysis.results",
        "analysis.compare",
        "analysis.exercises",
        "analysis.analyse",
        "analysis.components",
        "analysis.phases",
        "analysis.residents",
        "analysis.frame",
    ),
    ("explain.cells", "explain.difference", "floor"),
    ("history", "gate", "sim"),
    ("export", "render", "cli.progress"),
    ("cli", "pytest_plugin"),
)

# What reads records never starts anything: a report is made where nothing is installed.
READERS: Final = (
    "certificate",
    "analysis.storms",
    "analysis.values",
    "analysis.ledger",
    "analysis.residents",
    "analysis.metrics",
    "analysis.results",
    "analysis.compare",
    "analysis.exercises",
    "analysis.analyse",
    "analysis.components",
    "analysis.phases",
    "analysis.frame",
    "explain.cells",
    "explain.difference",
    "history",
    "gate",
    "export",
    "render",
)
RUNNERS: Final = (
    "image",
    "engines",
    "targets",
    "probes",
    "run.cleanup",
    "run.frame",
    "run.box",
    "run.trial",
    "run.storm",
    "run.residents",
    "run.prepare",
    "run.session",
    "run.campaign",
    "run.certify",
    "agent.channel",
    "anatomy.run",
    "floor.run",
    "anatomy.target",
    "gate.run",
    "gate.aa",
    "gate.icount_run",
    "gate.checkout",
    "gate.measure",
)

OUTSIDE: Final = {
    "pandas": ("analysis.frame",),
    "matplotlib": ("render",),
    "jinja2": ("render",),
    "docker": ("engines", "targets", "image", "run.cleanup"),
    "h2": ("engines",),
    "libvirt": ("engines", "targets", "doctor"),
    "typer": ("cli",),
}


def _module(file: Path) -> str:
    parts = file.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


MODULES: Final = {_module(file): ast.parse(file.read_text(encoding="utf-8")) for file in FILES}


def _for_types_only(tree: ast.Module) -> set[ast.stmt]:
    """Statements under ``if TYPE_CHECKING``: they are never run."""
    found: set[ast.stmt] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            found.update(statement for statement in node.body)
    return found


def _imports(tree: ast.Module) -> Iterator[str]:
    """Every absolute name imported at run time, late imports too; ``from a import b`` as ``a.b`` and ``a``."""
    skipped = _for_types_only(tree)
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _ours(module: str) -> set[str]:
    """Modules of the package that ``module`` imports."""
    names = {name.removeprefix("bench.") for name in _imports(MODULES[module]) if name.startswith("bench.")}
    return {name for name in names if name in MODULES and name != module}


def _starts(module: str, prefixes: tuple[str, ...]) -> bool:
    return any(module == prefix or module.startswith(prefix + ".") for prefix in prefixes)


def _layer(module: str) -> int:
    matches = [
        (len(prefix), number) for number, row in enumerate(LAYERS) for prefix in row if _starts(module, (prefix,))
    ]
    if not matches:
        pytest.fail(f"bench.{module} is in no row of LAYERS: say where in the flow it stands")
    return max(matches)[1]


@pytest.mark.parametrize("module", [name for name in MODULES if name])
def test_imports_point_along_the_flow(module: str) -> None:
    wrong = sorted(name for name in _ours(module) if _layer(name) > _layer(module))
    assert not wrong, f"bench.{module} imports {wrong}, which come later in the flow"


@pytest.mark.parametrize("module", [name for name in MODULES if _starts(name, READERS) and not _starts(name, RUNNERS)])
def test_what_reads_records_starts_nothing(module: str) -> None:
    wrong = sorted(name for name in _ours(module) if _starts(name, RUNNERS))
    assert not wrong, f"bench.{module} imports {wrong}"


def test_a_scenario_is_checked_without_any_engine() -> None:
    """Names and options of targets are known where no client library is installed."""
    seen, rest = set[str](), {"scenario.model"}
    while rest:
        module = rest.pop()
        seen.add(module)
        rest |= _ours(module) - seen
    assert {"scenario.options", "scenario.target_table"} <= seen
    assert not {name for name in seen if _starts(name, ("engines", "image", "probes", "targets.table"))}
    assert not seen & {name for name in MODULES if _starts(name, ("targets",))} - {
        "targets",
        "scenario.options",
        "scenario.target_table",
    }


def test_no_module_imports_itself_in_a_circle() -> None:
    # Packages import their parts, and parts each other through the package's name: parents are no edge.
    graph = {
        module: {name for name in _ours(module) if not module.startswith(name + ".")} for module in MODULES if module
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"imports in a circle: {' -> '.join(error.args[1])}")


@pytest.mark.parametrize(("library", "allowed"), OUTSIDE.items())
def test_each_library_has_its_places(library: str, allowed: tuple[str, ...]) -> None:
    users = {module for module, tree in MODULES.items() if library in {name.split(".")[0] for name in _imports(tree)}}
    assert not sorted(module for module in users if not _starts(module, allowed))


def _calls(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)


_EXITS: Final = {"print", "exit", "quit", "sys.exit", "os._exit", "typer.Exit", "SystemExit", "typer.echo"}
_STARTERS: Final = {"os.system", "os.popen", "os.fork", "os.posix_spawn", "os.posix_spawnp"} | {
    f"subprocess.{name}" for name in ("Popen", "run.trial", "call", "check_call", "check_output", "getoutput")
}


@pytest.mark.parametrize("module", [name for name in MODULES if not _starts(name, ("cli",))])
def test_only_the_command_line_prints_and_exits(module: str) -> None:
    assert not _EXITS & set(_calls(MODULES[module]))


@pytest.mark.parametrize("module", [name for name in MODULES if name != "util.proc"])
def test_there_is_one_door_for_processes(module: str) -> None:
    assert not _STARTERS & set(_calls(MODULES[module]))


def test_every_row_of_the_layers_is_about_something() -> None:
    planned = {"history", "gate", "sim", "anatomy"}
    for row in LAYERS:
        for prefix in set(row) - planned:
            assert any(_starts(module, (prefix,)) for module in MODULES), f"there is no bench.{prefix}"
