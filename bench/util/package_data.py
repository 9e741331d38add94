"""Data files of the package, scenarios and report templates, in a checkout and in an installed wheel."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from bench.util.errors import HostUnfitError
from bench.util.paths import exists, is_directory, is_file

REPLAYED: Final = "reports/published/2026-11-27-quickstart"
"""In a checkout: the published campaign that `boxbench quickstart --replay` shows. pyproject.toml packs it."""
_PACKAGE: Final = Path(__file__).resolve().parents[1]


def _find(packaged: str, checkout: str) -> Path:
    # bench/_data exists only in a wheel, whose build copies the folders of the checkout into it.
    places = (_PACKAGE / "_data" / packaged, _PACKAGE.parent / checkout)
    for place in places:
        if place.is_dir():
            return place
    raise HostUnfitError(
        f"the files of boxbench are incomplete: neither {places[0]} nor {places[1]} exists",
        hint="install boxbench again, or run it from a complete checkout",
    )


def scenarios_dir() -> Path:
    """The folder that has one folder per shipped scenario. Raises HostUnfitError if the installation is incomplete."""
    return _find("scenarios", "scenarios")


def templates_dir() -> Path:
    """The folder with the report's templates and styles. Raises HostUnfitError if the installation is incomplete."""
    return _find("templates", "reports/templates")


def replay_dir() -> Path:
    """The directory of the published quickstart that is sent again. Raises HostUnfitError: incomplete installation."""
    return _find("replay", REPLAYED)


def shipped_scenarios() -> tuple[str, ...]:
    """The names of the shipped scenarios, sorted."""
    return tuple(sorted(file.parent.name for file in scenarios_dir().glob("*/scenario.yaml")))


def find_scenario(name_or_path: str) -> Path:
    """The path of a scenario: a file, a folder with a ``scenario.yaml``, else the shipped scenario of that name.

    A folder without a scenario does not hide a shipped one: ``boxbench run hello -o hello`` makes such a folder. A name
    that is nothing of the kind is returned as a path; ``load_scenario`` reports it.
    """
    path = Path(name_or_path)
    is_scenario = exists(path / "scenario.yaml") if is_directory(path) else exists(path)
    if is_scenario or name_or_path not in shipped_scenarios():
        return path
    return scenarios_dir() / name_or_path


def scenarios_named(name_or_path: str) -> tuple[Path, ...]:
    """The paths of all scenarios that a name stands for.

    A name that several shipped scenarios begin with, before a dash, stands for all of them: ``calibrate``. Any other
    stands for one, as for ``find_scenario``.
    """
    found = find_scenario(name_or_path)
    members = [name for name in shipped_scenarios() if name.startswith(f"{name_or_path}-")]
    taken = is_file(found) or exists(found / "scenario.yaml")
    if len(members) < 2 or taken:
        return (found,)
    return tuple(scenarios_dir() / name for name in members)


def tables_dir() -> Path:
    """The folder with published tables of starts. Raises HostUnfitError if the installation is incomplete."""
    return _find("tables", "reports/tables")


def find_table(name_or_path: str) -> Path:
    """The path of a table of starts: a file, else the shipped table of that name. A name of neither is a path."""
    path = Path(name_or_path)
    if not exists(path) and name_or_path in shipped_tables():
        return tables_dir() / f"{name_or_path}.csv"
    return path


def shipped_tables() -> tuple[str, ...]:
    """The names of the shipped tables, sorted."""
    return tuple(sorted(file.stem for file in tables_dir().glob("*.csv")))
