"""Output that targets keep in files is never read whole."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench.targets.containers.containerd import _ContainerdBox
from bench.targets.launcher.held_process import HeldProcess
from bench.targets.rootfs_box import RootfsBox
from bench.targets.vms.domain import STDERR_PORT, STDOUT_PORT
from bench.targets.vms.domain_box import DomainBox
from bench.targets.vms.microvm import MicrovmBox
from bench.targets.vms.vmm import VmmBox
from bench.util.clip import HEAD_BYTES, TAIL_BYTES
from bench.util.proc import TAIL_BYTES as TAIL_OF_WORDS
from tests.factories import write_flood


@pytest.fixture
def flood(tmp_path: Path) -> Path:
    return write_flood(tmp_path / "stdout")


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
    assert len(output.stdout) + len(output.stderr) < 3 * (HEAD_BYTES + TAIL_BYTES) + 500
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib < 50_000


def test_nor_is_the_log_of_a_held_process(flood: Path) -> None:
    held: Any = SimpleNamespace(_log=flood)
    log_end = HeldProcess.log_end(held)
    assert log_end.endswith("last")
    assert len(log_end) <= TAIL_OF_WORDS
