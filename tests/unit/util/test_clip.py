"""What is kept of outputs of any length, whoever keeps them meanwhile."""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import pytest

from bench.engines import podman
from bench.engines.podman import PodmanEngine
from bench.scenario.exercise import MOST_OUTPUT_BYTES
from bench.targets.containers.containerd import _ContainerdBox
from bench.targets.launcher.held_process import HeldProcess
from bench.targets.rootfs_box import RootfsBox
from bench.targets.vms.domain import STDERR_PORT, STDOUT_PORT
from bench.targets.vms.domain_box import DomainBox
from bench.targets.vms.microvm import MicrovmBox
from bench.targets.vms.vmm import VmmBox
from bench.util.clip import (
    HEAD_BYTES,
    LAST_LINES,
    MOST_READ_BYTES,
    NOTHING,
    TAIL_BYTES,
    Clip,
    Clipped,
    clip_file,
    file_end,
)
from bench.util.proc import TAIL_BYTES as TAIL_OF_WORDS

KEPT: Final = HEAD_BYTES + TAIL_BYTES
PIECE: Final = b"0123456789abcde\n"


def clipped(*pieces: bytes) -> Clipped:
    clip = Clip()
    assert clip.take(pieces)
    return clip.clipped()


@pytest.fixture
def flood(tmp_path: Path) -> Path:
    """4 GB, nearly all of it a hole."""
    file = tmp_path / "stdout"
    with file.open("wb") as stream:
        stream.write(b"first\n")
        stream.seek(4 * 2**30 - 5)
        stream.write(b"last\n")
    return file


def test_an_output_that_an_exercise_may_have_is_whole() -> None:
    assert KEPT >= MOST_OUTPUT_BYTES


@pytest.mark.parametrize("size", [0, 1, HEAD_BYTES, HEAD_BYTES + 1, KEPT])
def test_short_outputs_are_kept_as_they_are(size: int, tmp_path: Path) -> None:
    content = (PIECE * (size // len(PIECE) + 1))[:size]
    (tmp_path / "f").write_bytes(content)
    assert clipped(content) == clip_file(tmp_path / "f") == Clipped(content, whole=True)
    assert clipped(*(content[at : at + 1000] for at in range(0, size, 1000))).data == content


def test_of_long_ones_head_and_tail_and_how_much_is_missing(tmp_path: Path) -> None:
    content = b"".join(b"%015d\n" % number for number in range(KEPT // 16 + 1))
    (tmp_path / "f").write_bytes(content)
    kept = clip_file(tmp_path / "f")
    assert not kept.whole
    assert kept.data == content[:HEAD_BYTES] + b"--- boxbench: 16 bytes are left out ---\n" + content[-TAIL_BYTES:]
    assert clipped(content) == kept
    assert clipped(*(content[at : at + 70_000] for at in range(0, len(content), 70_000))) == kept


def test_the_line_about_the_cut_stands_alone() -> None:
    kept = clipped(b"x" * HEAD_BYTES, b"y" * TAIL_BYTES, b"z")
    assert kept.data[HEAD_BYTES - 1 : HEAD_BYTES + 40] == b"x\n--- boxbench: 1 bytes are left out ---\ny"[:41]


def test_what_follows_a_gap_is_the_end() -> None:
    clip = Clip()
    assert not clip.take(PIECE * 2**16 for _ in range(1000))
    clip.skip()
    assert clip.take([b"the end\n"])
    kept = clip.clipped()
    least = MOST_READ_BYTES + 2**20 - HEAD_BYTES - TAIL_BYTES
    assert kept.data[HEAD_BYTES:] == b"--- boxbench: at least %d bytes are left out ---\nthe end\n" % least
    assert not kept.whole


def test_a_gap_at_the_beginning() -> None:
    clip = Clip()
    clip.skip()
    clip.add(b"the end\n")
    assert clip.clipped() == Clipped(b"--- boxbench: what was here is left out ---\nthe end\n", whole=False)


def test_one_after_the_other() -> None:
    assert NOTHING + Clipped(b"a", whole=True) == Clipped(b"a", whole=True)
    assert Clipped(b"a", whole=False) + Clipped(b"b", whole=True) == Clipped(b"ab", whole=False)


def test_what_nobody_has_made_is_nothing(tmp_path: Path) -> None:
    assert clip_file(None) == clip_file(tmp_path / "f") == NOTHING


def test_the_end_of_a_file(tmp_path: Path, flood: Path) -> None:
    (tmp_path / "f").write_bytes(b"abc")
    assert (file_end(tmp_path / "f", 2), file_end(tmp_path / "f", 9)) == (b"bc", b"abc")
    assert file_end(flood, 5) == b"last\n"


def boxes(file: Path) -> Iterator[tuple[str, Any, Any]]:
    """Of every target that keeps output in files, the method and a box that has nothing but them."""
    storage = SimpleNamespace(storage=file.parent)
    ports = [SimpleNamespace(name=STDOUT_PORT, path=file), SimpleNamespace(name=STDERR_PORT, path=file)]
    yield "tree", RootfsBox, SimpleNamespace(stdout=file, stderr=file)
    yield "containerd", _ContainerdBox, SimpleNamespace(_stdout=file, _stderr=file)
    yield "domain", DomainBox, SimpleNamespace(domain=SimpleNamespace(ports=ports))
    yield "microvm", MicrovmBox, SimpleNamespace(_order=storage)
    yield "vmm", VmmBox, SimpleNamespace(_order=storage)


@pytest.mark.parametrize("name", ["tree", "containerd", "domain", "microvm", "vmm"])
def test_no_box_s_output_is_read_whole(flood: Path, name: str) -> None:
    for other in ("stderr", "qemu.log"):
        (flood.parent / other).symlink_to(flood)
    kind, box = next((kind, box) for known, kind, box in boxes(flood) if known == name)
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    output = kind.output(box, ended=False)
    assert not output.whole
    assert b"bytes are left out ---\n" in output.stderr
    assert output.stderr.endswith(b"last\n")
    assert len(output.stdout) + len(output.stderr) < 3 * KEPT + 500
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib < 50_000


def test_nor_the_log_of_a_held_process(flood: Path) -> None:
    held: Any = SimpleNamespace(_log=flood)
    said = HeldProcess.log_end(held)
    assert said.endswith("last")
    assert len(said) <= TAIL_OF_WORDS


# ---- podman's log, by its command ----

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


@pytest.fixture
def engine(tmp_path: Path) -> FakePodman:
    return FakePodman(tmp_path / "home", tmp_path / "storage", None)


@pytest.mark.host
def test_podmans_log_is_taken_apart(engine: FakePodman, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakePodman, "script", "import sys; print(sys.argv[1:]); print('err', file=sys.stderr)")
    assert engine.logs("tag") == (Clipped(b"['logs', 'tag']\n", whole=True), Clipped(b"err\n", whole=True))


@pytest.mark.host
def test_podman_that_complains_has_no_log(engine: FakePodman, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakePodman, "script", "import sys; sys.exit('no such container')")
    assert engine.logs("tag") == (NOTHING, NOTHING)


@pytest.mark.host
def test_a_log_without_end_is_asked_for_its_last_lines(engine: FakePodman, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakePodman, "script", FLOOD)
    stdout, stderr = engine.logs("tag")
    assert not stdout.whole
    assert len(stdout.data) < KEPT
    assert stdout.data.endswith(b" bytes are left out ---\nasked for %d\n" % LAST_LINES)
    assert stderr.data.startswith(b"oops\n")


@pytest.mark.host
def test_a_podman_that_hangs_is_not_waited_for(engine: FakePodman, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(podman, "TIMEOUT_S", 1.5)
    monkeypatch.setattr(FakePodman, "argv", lambda *_words: ["sh", "-c", "echo begun; exec sleep 99"])
    stdout, _ = engine.logs("tag")
    assert not stdout.whole
    assert stdout.data.startswith(b"begun\n")
