"""Rules for every test.

- A test without the mark ``host`` or ``live`` fails when it starts a process or opens a network socket.
- In CI a skipped test fails, unless the host lacks something that no package can install.
- Processes, mounts and control groups that are left on the host after the last test fail the run.
"""

from __future__ import annotations

import _posixsubprocess
import gc
import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, Final, NoReturn

import hypothesis
import pytest
import urllib3.util.connection  # noqa: F401 - its import opens a socket to ask for IPv6: here, before the guard

from bench.util import parallel
from bench.util.interrupts import SIGNALS

# pytest explains a failed assertion only in modules that it has rewritten: test files, and these, which share theirs.
pytest.register_assert_rewrite("tests.lab", "tests.live.attack.verdict", "tests.live.command", "tests.registry")

from tests import leftovers, needs  # noqa: E402
from tests.lab import docker_client, lab, make_scenario  # noqa: E402

__all__ = ["docker_client", "lab", "make_scenario"]

# matplotlib asks fontconfig once per machine when it builds its font cache.
_HARMLESS: Final = ("fc-list",)
_LOCAL_FAMILIES: Final = (socket.AF_UNIX, socket.AF_NETLINK)
_STARTERS: Final = (
    (os, "fork"),
    (os, "forkpty"),
    (os, "posix_spawn"),
    (os, "posix_spawnp"),
    (os, "system"),
    (_posixsubprocess, "fork_exec"),
)

# A stall of the host must not fail a test, so neither examples nor their making have a time limit. Every run draws the
# same examples: a red run is then due to a change and not to a draw. ``--hypothesis-profile explore`` draws others.
_UNTIMED: Final = hypothesis.settings(deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.register_profile("explore", _UNTIMED)
hypothesis.settings.register_profile("boxbench", _UNTIMED, derandomize=True)
hypothesis.settings.load_profile("boxbench")

# An engine that was killed takes some milliseconds to end, and on a host that stalls some seconds.
_LOOKS: Final = 240
_LOOK_PAUSE_S: Final = 0.25

# A suite started in the background ignores SIGINT and SIGQUIT, and so would every process it starts.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGQUIT, signal.SIG_DFL)

_session = pytest.StashKey[leftovers.Snapshot]()


@pytest.fixture(autouse=True)
def _no_host(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unmarked test that starts a process or opens a network socket fails and says so."""
    if request.node.get_closest_marker("live") or request.node.get_closest_marker("host"):
        return
    monkeypatch.setattr(subprocess.Popen, "__init__", _guarded_popen(subprocess.Popen.__init__))
    monkeypatch.setattr(socket.socket, "__init__", _guarded_socket(socket.socket.__init__))
    # Reports draw their figures with a copy of the process, which is a start, too.
    monkeypatch.setattr(parallel, "can_share", lambda: False)
    for module, name in _STARTERS:
        monkeypatch.setattr(module, name, _refuse(f"called {module.__name__}.{name}"))


@pytest.fixture(autouse=True)
def _signals_stay() -> Generator[None, None, None]:
    """Give signals their handlers back: the command line ignores them when it ends, and so would later programs."""
    former = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in former.items():
        signal.signal(number, handler)


def _fail(what: str) -> NoReturn:
    pytest.fail(f"a unit test {what}; hand in a fake, or mark the test `host`", pytrace=True)


def _refuse(what: str) -> Callable[..., NoReturn]:
    def refuse(*_args: object, **_kwargs: object) -> NoReturn:
        _fail(what)

    return refuse


def _guarded_popen(real: Callable[..., None]) -> Callable[..., None]:
    def guarded(self: object, args: Any, *more: Any, **kwargs: Any) -> None:
        words = [args] if isinstance(args, str | Path) else list(args)
        if Path(str(words[0])).name not in _HARMLESS:
            _fail(f"started the process {words!r}")
        # subprocess has its own name for fork_exec, so what is allowed here still runs.
        real(self, args, *more, **kwargs)

    return guarded


def _guarded_socket(real: Callable[..., None]) -> Callable[..., None]:
    def guarded(self: object, family: int = -1, *more: Any, **kwargs: Any) -> None:
        made_here = kwargs.get("fileno") is None and len(more) < 3
        if made_here and family not in _LOCAL_FAMILIES:
            _fail(f"opened a network socket (family {family})")
        real(self, family, *more, **kwargs)

    return guarded


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skip into a failure in CI, where everything that packages can bring is installed."""
    report = yield
    if needs.in_ci():
        needs.fail_skip(report)
    return report


def pytest_sessionstart(session: pytest.Session) -> None:
    """Mark what this session starts, and remember what was there before."""
    token = secrets.token_hex(8)
    os.environ[leftovers.TOKEN_VARIABLE] = token
    session.config.stash[_session] = leftovers.snapshot(token)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse a live test that CI would not run: it looks for them in two folders only."""
    needs.refuse_strays(items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object | None:
    """Distribute files as tests/schedule.py says."""
    from tests.schedule import Scheduling

    return Scheduling(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_collection_finish() -> None:
    """Exclude all modules and tests from garbage collection, since every trial collects garbage before its start."""
    gc.collect()
    gc.freeze()


def _survivors(before: leftovers.Snapshot) -> list[str]:
    """What is left; an engine that had to be killed leaves processes that are about to end."""
    for _ in range(_LOOKS):
        found = leftovers.find(before, by_name=needs.in_ci())
        if not any(line.startswith("process") for line in found):
            break
        time.sleep(_LOOK_PAUSE_S)
    return found


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Go and look for survivors; one is a failed run."""
    found = _survivors(session.config.stash[_session])
    if found:
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            reporter.section("left on the host after the last test", red=True)
            for line in found:
                reporter.line(line)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
