"""Comparisons of instruction counts, exit codes of the command, and files of counts."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from bench.instructions.model import Count, Instant, Instructions, read_instructions, write_instructions
from bench.instructions.verdict import CountOutcome, compare_all, compare_counts
from bench.plan.trials import Cell
from bench.render.commands.instructions import exit_code, write_files
from bench.util.errors import ExitCode, RecordError, ResultError


def _count(total: int, *more: int, key: str = "runc", **inputs: str) -> Count:
    return Count(
        cell=Cell(scenario="hello", target=key, accel="icount", factors={"start": "first"}),
        clocks=tuple(number + 50 for number in (total, *more)),
        waits=(50,) * (1 + len(more)),
        steps=(Instant(name="ready", at=total),),
        inputs={"qemu": "10.0", "machine": "microvm", "firmware a": "1", "tree": "t", "initramfs": "i"} | inputs,
    )


def _started(instructions: int, target: str, start: str, **inputs: str) -> Count:
    count = _count(instructions, **inputs)
    cell = count.cell.model_copy(update={"target": target, "factors": {"start": start}})
    return count.model_copy(update={"cell": cell})


@pytest.mark.parametrize(
    ("target", "start", "slack"), [("docker", "first", 0), ("docker", "second", 0.05), ("runc", "second", 0)]
)
def test_work_of_daemons_between_two_starts_is_no_regression(target: str, start: str, slack: float) -> None:
    base, more, far = (
        _started(count, target, start, tree=tree) for count, tree in ((100_000, "t"), (102_000, "u"), (105_100, "u"))
    )
    assert compare_counts(base, more).limit(0.001) == max(0.001, slack)
    assert compare_counts(base, more).regressed(band=0.001) == (not slack)
    assert compare_counts(base, far).regressed(band=0.001)


@pytest.mark.parametrize(
    ("base", "other", "outcome", "reason"),
    [
        (_count(1000), _count(1000), CountOutcome.IDENTICAL, "to the instruction"),
        (_count(1000), _count(1000, tree="u"), CountOutcome.IDENTICAL, "although tree changed"),
        (_count(1000), _count(1001, tree="u", initramfs="j"), CountOutcome.CHANGED, "^tree changed$"),
        (_count(1000), _count(1001), CountOutcome.UNSTABLE, "no recorded input differs.* 1 instructions"),
        (_count(1000, 1002), _count(1000), CountOutcome.UNSTABLE, "A's 2 runs differ by up to 2"),
        (_count(1000), _count(1000, qemu="10.1"), CountOutcome.NOT_COMPARABLE, "clocks differ .qemu: 10.0 and 10.1"),
        (_count(1000), _count(1000, **{"firmware a": "2"}), CountOutcome.NOT_COMPARABLE, "firmware a"),
        (_count(1000, agent="a"), _count(1001, agent="b"), CountOutcome.NOT_COMPARABLE, "own agent changed"),
        (_count(1000), _count(1000, key="docker"), CountOutcome.NOT_COMPARABLE, "different cells"),
    ],
)
def test_outcome_of_comparing_two_counts(base: Count, other: Count, outcome: CountOutcome, reason: str) -> None:
    verdict = compare_counts(base, other)
    assert verdict.outcome is outcome
    assert re.search(reason, verdict.reason), verdict.reason
    comparable = outcome in (CountOutcome.IDENTICAL, CountOutcome.CHANGED)
    assert verdict.difference == ((other.instructions - base.instructions) if comparable else None)


def test_targets_that_b_did_not_count_are_left_out() -> None:
    base = Instructions(scenario="hello", question="?", runs=1, counts=(_count(1000), _count(5, key="docker")))
    other = Instructions(scenario="hello", question="?", runs=1, counts=(_count(1000),))
    assert [verdict.key for verdict in compare_all(base, other)] == ["hello/runc/icount{start=first}"]
    (alone,) = compare_all(
        other, Instructions(scenario="hello", question="?", runs=1, counts=(_count(5, key="docker"),))
    )
    assert (alone.outcome, alone.instructions_a, alone.reason) == (
        CountOutcome.NOT_COMPARABLE,
        None,
        "A has no count of it",
    )


def test_the_workloads_part_of_a_difference_is_separate() -> None:
    base, other = (
        _count(1000).model_copy(update={"steps": (Instant(name="exec", at=at), Instant(name="ready", at=ready))})
        for at, ready in ((900, 1000), (880, 1030))
    )
    assert compare_counts(base, other).inside == 50
    assert compare_counts(base, _count(1000)).inside is None


def test_a_regression_is_more_than_the_band() -> None:
    verdict = compare_counts(_count(100_000), _count(100_100, tree="u"))
    assert verdict.regressed()
    assert verdict.regressed(band=0.0009)
    assert not verdict.regressed(band=0.001)
    assert not compare_counts(_count(100_000), _count(90_000, tree="u")).regressed()


@pytest.mark.parametrize(
    ("base", "other", "code"),
    [
        ((_count(1000),), (_count(1000),), ExitCode.OK),
        ((_count(1000),), (_count(1002, tree="u"),), ExitCode.REGRESSION),
        ((_count(1000),), (_count(1000), _count(5, key="docker")), ExitCode.CANNOT_TELL),
        ((_count(1000), _count(5, key="docker")), (_count(1000),), ExitCode.OK),
        ((_count(1000),), (_count(1000, 1001),), ExitCode.CANNOT_TELL),
    ],
)
def test_exit_code_of_a_comparison(base: tuple[Count, ...], other: tuple[Count, ...], code: ExitCode) -> None:
    left, right = (Instructions(scenario="hello", question="?", runs=1, counts=counts) for counts in (base, other))
    assert exit_code(right, compare_all(left, right), band=0.001) is code


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"waits": []}, "waits: must not be empty"),
        ({"waits": [50, 50]}, "clocks and waits have different lengths"),
        ({"waits": [62]}, "a run that executed no instruction"),
        ({"waits": [-1]}, "a run that executed no instruction"),
        ({"clocks": [10**400]}, "clocks.0: must be less than"),
        ({"steps": [{"name": "ready", "at": 10**400}]}, "at: must be less than"),
    ],
)
def test_a_count_that_no_guest_can_have_is_no_count(tmp_path: Path, changes: dict[str, object], words: str) -> None:
    counted = Instructions(scenario="hello", question="?", runs=1, counts=(_count(12),)).model_dump(mode="json")
    counted["counts"][0] |= changes
    (tmp_path / "instructions.json").write_text(json.dumps(counted), encoding="utf-8")
    with pytest.raises(RecordError, match=words):
        read_instructions(tmp_path)


def test_counts_that_find_no_room_are_an_error(tmp_path: Path) -> None:
    counted = Instructions(scenario="hello", question="?", runs=1, counts=(_count(12),))
    (tmp_path / "instructions.json").symlink_to("/dev/full")
    with pytest.raises(ResultError, match=r"instructions\.json cannot be written: No space left on device"):
        write_files(tmp_path, counted)
    (tmp_path / "instructions.json").unlink()
    (tmp_path / "instructions.svg").symlink_to("/dev/full")
    with pytest.raises(ResultError, match="figure of the counts cannot be written") as caught:
        write_files(tmp_path, counted)
    assert "instructions.json" in caught.value.hint
    assert read_instructions(tmp_path) == counted


def test_files_are_read_as_they_were_written(tmp_path: Path) -> None:
    counted = Instructions(scenario="hello", question="?", runs=1, counts=(_count(12),))
    write_instructions(tmp_path / "instructions.json", counted)
    assert read_instructions(tmp_path) == counted
    (tmp_path / "instructions.json").write_bytes(b"\xff\xfe")
    with pytest.raises(RecordError, match="is not a file of counts"):
        read_instructions(tmp_path)
    (tmp_path / "instructions.json").write_text('{"runs": 1}')
    with pytest.raises(RecordError, match="scenario: is missing"):
        read_instructions(tmp_path)
    with pytest.raises(RecordError, match="cannot be read"):
        read_instructions(tmp_path / "nowhere")
