"""The log of a container, read from podman's command."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import pytest

from bench.engines import podman
from bench.engines.podman import PodmanEngine
from bench.util.clip import HEAD_BYTES, LAST_LINES, NOTHING, TAIL_BYTES, Clipped
from bench.util.clock import MonotonicClock

pytestmark = pytest.mark.host

FLOOD: Final = """
import sys
if "--tail" in sys.argv:
    print("asked for", sys.argv[-2], flush=True)
else:
    print("oops", file=sys.stderr, flush=True)
    while True: sys.stdout.write("x" * 99 + chr(10))
"""


class FakePodman(PodmanEngine):
    """Runs a script in place of podman."""

    script = ""

    def argv(self, *words: str) -> list[str]:
        return [sys.executable, "-c", self.script, *words]


class ExpiringClock(MonotonicClock):
    """The time limit begins with the first reading and has passed at the third, after the first output was read."""

    def __init__(self) -> None:
        self._readings = 0

    def now_ns(self) -> int:
        self._readings += 1
        return 0 if self._readings <= 2 else round(2 * podman.TIMEOUT_S * 1e9)


@pytest.fixture
def engine(tmp_path: Path) -> FakePodman:
    return FakePodman(tmp_path / "home", tmp_path / "storage", None)


def test_podmans_log_is_taken_apart(engine: FakePodman, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakePodman, "script", "import sys; print(sys.argv[1:]); print('err', file=sys.stderr)")
    assert engine.logs("tag") == (Clipped(b"['logs', 'tag']\n", whole=True), Clipped(b"err\n", whole=True))


def test_podman_that_complains_has_no_log(engine: FakePodman, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakePodman, "script", "import sys; sys.exit('no such container')")
    assert engine.logs("tag") == (NOTHING, NOTHING)


def test_a_log_without_end_is_asked_for_its_last_lines(engine: FakePodman, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakePodman, "script", FLOOD)
    stdout, stderr = engine.logs("tag")
    assert not stdout.whole
    assert len(stdout.data) < HEAD_BYTES + TAIL_BYTES
    assert stdout.data.endswith(b" bytes are left out ---\nasked for %d\n" % LAST_LINES)
    assert stderr.data.startswith(b"oops\n")


def test_a_podman_that_hangs_is_not_waited_for(engine: FakePodman, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(podman, "MonotonicClock", ExpiringClock)
    monkeypatch.setattr(FakePodman, "argv", lambda *_words: ["sh", "-c", "echo begun; exec sleep 3600"])
    stdout, _ = engine.logs("tag")
    assert not stdout.whole
    assert stdout.data.startswith(b"begun\n")
