"""The files that make packages agree with each other and with the program."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, Final

from bench import __version__
from bench.doctor import install
from bench.doctor.machine import HEADERS

ROOT: Final = Path(__file__).parents[3]


def _project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]  # type: ignore[no-any-return]


def test_debian_has_our_version() -> None:
    first = (ROOT / "debian/changelog").read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith(f"boxbench ({__version__}) ")


def test_debian_has_every_package_that_doctor_may_name() -> None:
    control = (ROOT / "debian/control").read_text(encoding="utf-8")
    section = control.split("\nPackage: boxbench\n", 1)[1].split("\nDescription:")[0]
    listed = set(re.findall(r"[a-z0-9][a-z0-9.+-]+", section))
    named = {install.BINDING, *install.DAEMON, *install.DOCKER, *install.BUILDX, *install.QEMU, *install.UML}
    named |= {*install.MKE2FS, *install.MMDEBSTRAP, *install.COMPILER}
    assert named <= listed


def test_fedoras_names_are_of_packages_that_doctor_may_name() -> None:
    source = (ROOT / "bench/doctor/install.py").read_text(encoding="utf-8")
    assert all(source.count(f'"{name}"') >= 2 or name == install.BINDING for name in install._FEDORA if name != HEADERS)


def test_classifiers_begin_with_the_oldest_python_that_installs_it() -> None:
    project = _project()
    versions = re.findall(r"Python :: (3\.\d+)", " ".join(project["classifiers"]))
    assert project["requires-python"] == f">={versions[0]}"
    numbers = [int(version.removeprefix("3.")) for version in versions]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_build_rules_can_be_run() -> None:
    assert (ROOT / "debian/rules").stat().st_mode & 0o111
