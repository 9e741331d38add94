"""Sessions for developers. ``./bootstrap tests`` runs static, tests and live, in this order.

Sessions use the environment that runs nox, which ``./bootstrap`` creates. With an environment of its own, each session
would build libvirt's Python binding, which takes a minute.
"""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import nox

nox.needs_version = ">=2024.10.9"
nox.options.default_venv_backend = "none"
nox.options.sessions = ["static", "tests"]

PYTEST_NO_TESTS = 5
# Sessions that only read the files of this repository.
STATIC = ("lint", "types", "docs-check")


def _python(session: nox.Session, *words: str, success_codes: tuple[int, ...] = (0,)) -> None:
    # The tests start Python some hundred times. Where byte code is not written, each start compiles all modules anew.
    env = {"PYTHONDONTWRITEBYTECODE": ""}
    session.run(sys.executable, "-m", *words, env=env, external=True, success_codes=success_codes)


def _pytest(session: nox.Session, marker: str, *words: str) -> None:
    # Arguments such as `-k NAME` may select no test of this session. CI passes no arguments.
    codes = (0, PYTEST_NO_TESTS) if session.posargs else (0,)
    _python(session, "pytest", "-m", marker, *words, *session.posargs, success_codes=codes)


@nox.session
def quickstart(session: nox.Session) -> None:
    """Compare one small workload as process, container and VM."""
    session.run(str(Path(sys.executable).with_name("boxbench")), "quickstart", *session.posargs, external=True)


@nox.session
def static(session: nox.Session) -> None:
    """Check the files beside each other: lint, types and docs-check. What one of them says is shown when it ends."""
    # Their output is no terminal, so they are told whether to colour it.
    colour = "--forcecolor" if session._runner.global_config.color else "--nocolor"

    def check(name: str) -> tuple[str, subprocess.CompletedProcess[bytes]]:
        argv = [sys.executable, "-m", "nox", colour, "--sessions", name]
        return name, subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)

    failed = []
    with ThreadPoolExecutor() as pool:
        for ended in as_completed([pool.submit(check, name) for name in STATIC]):
            name, done = ended.result()
            sys.stdout.buffer.write(done.stdout)
            sys.stdout.buffer.flush()
            if done.returncode:
                failed.append(name)
    if failed:
        session.error(f"these failed: {', '.join(failed)}")


@nox.session
def lint(session: nox.Session) -> None:
    """Check the code with ruff: its rules and its formatting."""
    _python(session, "ruff", "check")
    _python(session, "ruff", "format", "--check")


@nox.session
def types(session: nox.Session) -> None:
    """Check all types with mypy in strict mode."""
    _python(session, "mypy")


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests that need no engine and no root."""
    # One worker per CPU. The tests of a file share what its fixtures made, so they stay together: tests/schedule.py.
    _pytest(session, "not live", "-n", "auto", "--dist", "loadfile")


@nox.session
def live(session: nox.Session) -> None:
    """Run the tests with real engines (Docker, libvirt, QEMU). Needs root."""
    # The list of slow tests shows when one of them becomes slower. To collect the unit tests, too, takes half a minute;
    # tests/conftest.py refuses a live test in any other folder.
    _pytest(session, "live", "-o", "testpaths=tests/contract tests/live", "--durations=40", "--durations-min=5")


@nox.session
def bench(session: nox.Session) -> None:
    """Measure what Boxbench itself costs."""
    _python(session, "tests.bench.help_time")
    _python(session, "tests.bench.harness_tax", *session.posargs)
    _python(session, "tests.bench.runtime_tax")
    _python(session, "tests.bench.probe_tax")
    _python(session, "tests.bench.report_speed")
    _python(session, "tests.bench.simulator_speed")
    _python(session, "tests.bench.fleet_speed")


@nox.session
def preparation(session: nox.Session) -> None:
    """Measure how long the boxes of an image with 100,000 files take to prepare. It takes some minutes."""
    _python(session, "tests.bench.preparation", *session.posargs)


@nox.session
def fuzz(session: nox.Session) -> None:
    """Give damaged inputs to everything that reads what others write: `nox -s fuzz -- --inputs 1000000`."""
    _python(session, "tests.fuzz", *session.posargs)


@nox.session
def gallery(session: nox.Session) -> None:
    """Make all published results again by their commands, and say what differs. It takes some minutes."""
    _python(session, "tests.gallery", "--check", *session.posargs)


@nox.session
def packages(session: nox.Session) -> None:
    """Install the wheel into a bare environment of every Python that the project names, and use it there."""
    _python(session, "tests.packaging.wheel")


@nox.session
def debian(session: nox.Session) -> None:
    """Build the Debian package, install it into a fresh root, and mend the root as doctor says. Needs root; minutes."""
    _python(session, "tests.packaging.debian")


@nox.session(name="docs-check")
def docs_check(session: nox.Session) -> None:
    """Check the documentation: commands, links, schema, forbidden words; build its site, and check that."""
    _python(session, "tests.docs_check")
    _python(session, "tests.site")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation site into site/. With ``-- --external``, links to other sites are followed, too."""
    _python(session, "tests.site", "site", *session.posargs)
