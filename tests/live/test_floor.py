"""Memory floors of real boxes: a program that needs a known amount, and the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from bench.floor.model import read_floors
from bench.host.run_directory import campaign_tag
from bench.records.record import parse_record
from bench.run.cleanup import find_leftovers
from bench.util.errors import ExitCode
from tests.lab import write_scenario
from tests.live.command import Command, refused
from tests.live.test_campaign import BASE

MIB: Final = 2**20
NEEDS: Final = 40
# A file of 40 MiB on a tmpfs is memory of the control group that wrote it, and cannot be given back.
HUNGRY: Final = (
    BASE
    + 'CMD ["/usr/bin/busybox", "sh", "-c", "busybox dd if=/dev/zero of=/dev/shm/held bs=65536 count=640 2>/dev/null'
    + ' && echo up; exec busybox sleep 1000"]\n'
)


def test_a_program_that_needs_40_mib(boxbench: Command, tmp_path: Path) -> None:
    scenario = write_scenario(tmp_path / "hungry", HUNGRY, name="hungry")
    out = boxbench.cwd / "out"
    words = ("floor", scenario, "-t", "docker", "--to", "64MiB", "--step", "2MiB", "--confirm", "2", "-o", out)
    result = boxbench(*words, "--json")
    assert result.returncode == ExitCode.OK, result.stderr.decode()
    floors = read_floors(out)
    assert json.loads(result.text) == json.loads(floors.model_dump_json())
    (found,) = floors.floors
    assert found.outcome == "found"
    assert found.floor_bytes is not None
    # The agent, the shell and page tables are beside it: less than 4 MiB, and a step of 2.
    assert NEEDS * MIB <= found.floor_bytes <= (NEEDS + 6) * MIB
    at, below = found.level(found.floor_bytes), found.level(found.floor_bytes - 2 * MIB)
    assert at is not None
    assert below is not None
    assert (at.worked, at.tried) == (2, 2)
    assert below.worked < below.tried
    assert below.why_not
    _every_try_is_kept(out, found.tries)
    assert find_leftovers(campaign_tag(floors.id)) == ()
    assert "hungry" in (out / "floor.md").read_text()


def _every_try_is_kept(out: Path, tries: int) -> None:
    lines = (out / "records.jsonl").read_text().splitlines()
    records = [parse_record(line, where="records") for line in lines]
    assert len(records) == tries
    assert all(record.trial.cell.factors["memory"].endswith("MiB") for record in records)
    failed = [record for record in records if record.outcome != "ok"]
    assert failed
    assert all(record.failure is not None for record in failed)


def test_a_range_that_is_too_small_has_no_floor(boxbench: Command, tmp_path: Path) -> None:
    scenario = write_scenario(tmp_path / "hungry", HUNGRY, name="hungry")
    result = boxbench("floor", scenario, "-t", "docker", "--to", "30MiB", "-o", boxbench.cwd / "out")
    assert "more than 30.0 MiB" in result.text
    assert read_floors(boxbench.cwd / "out").floors[0].outcome == "none"
    refused(result, ExitCode.PARTIAL, "docker", "--to")


def test_a_target_without_a_memory_limit_is_refused(boxbench: Command, tmp_path: Path) -> None:
    scenario = write_scenario(tmp_path / "hungry", HUNGRY, name="hungry")
    refused(boxbench("floor", scenario, "-t", "vmm"), ExitCode.USAGE, "vmm", "-t")
    refused(boxbench("floor", scenario, "-t", "docker", "--from", "5MiB", "--to", "4MiB"), ExitCode.USAGE, "--from")
    refused(boxbench("floor", scenario, "-t", "docker", "--step", "much"), ExitCode.USAGE, "--step", "'much'")
    assert not list(boxbench.cwd.glob("reports/out/*"))
