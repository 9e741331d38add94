"""What a workload does to its directories costs it no record, and nothing outside of them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from bench.plan.trials import Trial
from bench.records.record import Record, parse_record
from bench.run.trial import run_trial
from bench.targets.base import Order
from tests.nesting import DEPTH, nested
from tests.unit.run.test_trial import GOOD, FakeBox, FakeTarget
from tests.unit.run.test_unexpected import assert_nothing_left, cell_of, host, setting_of

__all__ = ["host"]

ODD_NAMES: Final = ("a\nb", "\x1b[2J", "-rf", "\u2028", os.fsdecode(b"\xff\xfe"), "d" * 255)

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")


def dig(directory: Path, depth: int = DEPTH) -> None:
    """Make nested directories, deeper than a path can name, and files with odd names in the lowest."""
    with nested(directory, depth=depth, name="d" * 20) as lowest:
        for name in ODD_NAMES:
            os.close(os.open(name, os.O_CREAT | os.O_WRONLY, dir_fd=lowest))


class Digging(FakeTarget):
    """Its workload nests directories in every directory of the box, and is asked how much it has written."""

    @contextmanager
    def provision(self, order: Order) -> Iterator[FakeBox]:
        with super().provision(order) as made:
            for directory in (order.directory, order.storage):
                dig(directory)
            yield made


class Mounting(FakeTarget):
    """Its workload mounts a directory of the host into its own, and nobody can unmount it."""

    def __init__(self, outside: Path) -> None:
        super().__init__(GOOD)
        self.outside = outside
        self.point = Path()

    @contextmanager
    def provision(self, order: Order) -> Iterator[FakeBox]:
        with super().provision(order) as made:
            self.point = order.storage / "root" / "mnt"
            self.point.mkdir(parents=True)
            subprocess.run(["mount", "--bind", self.outside, self.point], check=True)
            yield made


def run(target: FakeTarget, tmp_path: Path) -> Record:
    trial = Trial(number=3, block=0, cell=cell_of("one"), warmup=False)
    record, _ = run_trial(trial, setting_of(target, tmp_path))
    assert parse_record(record.line(), where="here") == record
    return record


def test_nested_directories_cost_no_record(tmp_path: Path) -> None:
    record = run(Digging(GOOD), tmp_path)
    assert record.outcome == "ok"
    assert [doubt for doubt in record.doubts if "Error" in doubt or doubt.startswith(("leftover", "not removed"))] == []
    assert_nothing_left(tmp_path)


@pytest.mark.host
@needs_root
def test_a_mount_in_the_boxs_directory_is_not_emptied_and_is_named(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "kept").write_text("of the host")
    target = Mounting(tmp_path / "outside")
    try:
        record = run(target, tmp_path)
    finally:
        subprocess.run(["umount", target.point], check=True)
    assert (tmp_path / "outside" / "kept").read_text() == "of the host"
    assert record.outcome == "ok", "the values had been read"
    assert any(doubt.startswith(f"TeardownError: '{target.point}' is a mount point") for doubt in record.doubts)
