"""Comparisons of instruction counts, exit codes of the command, and files of counts."""

from __future__ import annotations

import json
import re
from itertools import combinations
from math import comb
from pathlib import Path

import pytest

from bench.instructions.model import (
    TRIED_RUNS,
    Count,
    Instant,
    Instructions,
    read_instructions,
    write_instructions,
)
from bench.instructions.verdict import LEVEL, CountOutcome, compare_all, compare_counts, doubt, ratio_limits
from bench.plan.trials import Cell
from bench.render.commands.instructions import exit_code, write_files
from bench.util.errors import CampaignError, ExitCode, ResultError


def _count(*totals: int, key: str = "runc", **inputs: str) -> Count:
    """Runs of these counts; 5 equal runs of a single one."""
    runs = totals if len(totals) > 1 else totals * TRIED_RUNS
    return Count(
        cell=Cell(scenario="hello", target=key, accel="icount", factors={"start": "first"}),
        clocks=tuple(number + 50 for number in runs),
        waits=(50,) * len(runs),
        steps=(Instant(name="ready", at=totals[0]),),
        inputs={"qemu": "10.0", "machine": "microvm", "firmware a": "1", "tree": "t", "initramfs": "i"} | inputs,
    )


def once(many: Count) -> Count:
    """The first run alone."""
    return many.model_copy(update={"clocks": many.clocks[:1], "waits": many.waits[:1]})


NOISY = (100_000, 101_000, 100_400, 102_000, 100_700)
"""Runs of docker: they move by themselves by 2 %."""


def _scaled(factor: float) -> tuple[int, ...]:
    return tuple(round(number * factor) for number in NOISY[::-1])


@pytest.mark.parametrize(
    ("factor", "red", "unsure"), [(1.0, False, True), (1.015, False, True), (1.03, True, False), (0.97, False, False)]
)
def test_runs_that_move_by_themselves_give_the_difference_an_interval(factor: float, red: bool, unsure: bool) -> None:
    verdict = compare_counts(_count(*NOISY, key="docker"), _count(*_scaled(factor), key="docker", tree="u"))
    assert verdict.outcome is CountOutcome.CHANGED
    assert not verdict.exact
    assert (verdict.regressed(band=0.001), verdict.unsure(band=0.001)) == (red, unsure)
    assert (verdict.low or 2) < (verdict.ratio or 0) < (verdict.high or 0)
    assert verdict.false_alarm == pytest.approx(1 / 252)


def test_green_compares_runs_with_the_same_random_numbers() -> None:
    """Runs that move by 2 %, on both sides alike: red would need more, and no run of B is longer than its mate."""
    base = _count(*NOISY)
    verdict = compare_counts(base, _count(*(number + 9 for number in NOISY), tree="u"))
    assert not verdict.regressed(band=0.005)
    assert not verdict.unsure(band=0.005)
    assert verdict.high == pytest.approx(1.00009)
    moved = compare_counts(
        base, _count(*(number + (2_000 if at == 3 else 9) for at, number in enumerate(NOISY)), tree="u")
    )
    assert moved.unsure(band=0.005)


def test_the_size_from_which_on_an_increase_is_told_is_kept() -> None:
    base = _count(*NOISY, key="docker")
    same = compare_counts(base, _count(*_scaled(1.0), key="docker", tree="u"))
    sure = same.sure_from(band=0.001)
    assert sure is not None
    assert "an increase is told from 2.2% on" in doubt(same, band=0.001)
    for factor, red in ((1 + sure + 0.0005, True), (1 + sure - 0.0005, False)):
        other = _count(*_scaled(factor), key="docker", tree="u")
        assert compare_counts(base, other).regressed(band=0.001) is red


def test_where_no_run_moved_a_difference_is_exact() -> None:
    verdict = compare_counts(_count(1000), _count(1001, tree="u"))
    assert verdict.exact
    assert (verdict.low, verdict.high, verdict.false_alarm) == (1.001, 1.001, 0)
    # Runs that differ on one side are enough to doubt it.
    assert not compare_counts(_count(1000), _count(1001, 1001, 1001, 1001, 1002, tree="u")).exact


@pytest.mark.parametrize(
    ("key", "more", "red", "unsure"),
    [
        ("runc", 1.02, True, False),
        ("runc", 1.005, False, True),
        ("docker", 1.15, False, True),
        ("docker", 1.25, True, False),
        ("docker", 1.0, False, False),
    ],
)
def test_one_run_a_side_tells_large_changes_only(key: str, more: float, red: bool, unsure: bool) -> None:
    """The letters of a comment moved docker's count by 13.5 %, and the gate called it an exact regression."""
    other = once(_count(round(1000 * more), key=key, tree="u"))
    verdict = compare_counts(once(_count(1000, key=key)), other)
    assert (verdict.exact, verdict.tried) == (False, False)
    assert (verdict.regressed(band=0.001), verdict.unsure(band=0.001)) == (red, unsure)
    if unsure:
        assert "fewer than 5 runs" in doubt(verdict, band=0.001)


def test_limits_of_a_ratio_are_the_rank_sum_test_inverted() -> None:
    """Against all orders of the runs of two sides without a difference."""
    runs = range(1, 11)
    for n in (5, 6):
        above = 0
        for chosen in combinations(runs, n):
            rest = [value for value in runs if value not in chosen]
            low, high, chance = ratio_limits(chosen, rest)
            above += low > 1
            assert low < high
        orders = comb(10, n)
        assert above / orders == pytest.approx(chance) if n == 5 else chance <= LEVEL
        assert above / orders <= LEVEL
    # More runs narrow the limits: some of the extreme ratios are cut.
    low, high, _ = ratio_limits(range(1000, 1012), range(1000, 1012))
    assert 1000 / 1011 < low < 1 < high < 1011 / 1000
    with pytest.raises(ValueError, match="no interval"):
        ratio_limits((1, 2), (1, 2))


def test_a_clock_that_differs_is_named_by_the_words_that_differ() -> None:
    words = "-nodefaults -machine microvm,rtc=on {} -seed 1 -append quiet panic=-1 reboot=t"
    base, other = (_count(1000, machine=words.format(cpu)) for cpu in ("-cpu qemu64", "-cpu max"))
    reason = compare_counts(base, other).reason
    assert reason == "the clocks differ (machine: -cpu qemu64 in A, -cpu max in B)"
    longer = _count(1000, machine=f"{words.format('-cpu qemu64')} more")
    assert compare_counts(base, longer).reason.endswith("(machine: reboot=t in A, reboot=t more in B)")
    assert len(compare_counts(base, _count(1000, machine="x" * 1000)).reason) < 200


def test_guests_of_other_memory_are_compared_and_the_memory_is_named() -> None:
    base, other = (_count(1000, **{"guest memory": size}) for size in ("1024 MiB", "1536 MiB"))
    assert compare_counts(base, other).reason == "the same to the instruction, although guest memory changed"


@pytest.mark.parametrize(
    ("base", "other", "outcome", "reason"),
    [
        (_count(1000), _count(1000), CountOutcome.IDENTICAL, "to the instruction"),
        (_count(1000), _count(1000, tree="u"), CountOutcome.IDENTICAL, "although tree changed"),
        (_count(1000), _count(1001, tree="u", initramfs="j"), CountOutcome.CHANGED, "^tree changed$"),
        (_count(1000), _count(1001), CountOutcome.UNSTABLE, "no recorded input differs.* 1 instructions"),
        (_count(*range(1, 6)), _count(*range(1, 6)), CountOutcome.IDENTICAL, "to the instruction"),
        (_count(*range(1, 6)), _count(1, 2, 3, 4, 6), CountOutcome.UNSTABLE, "differ by 1 instructions"),
        (_count(1000), once(_count(1000)), CountOutcome.CHANGED, "another number of runs"),
        (_count(1000), _count(1000, qemu="10.1"), CountOutcome.NOT_COMPARABLE, "clocks differ .qemu: 10.0 in A, 10.1"),
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
    base, other = (_count(1000).model_copy(update={"insides": (ticks,) * 5}) for ticks in (100, 150))
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
        ((_count(1000),), (_count(1000, 1010, 1020, 1001, 1001, tree="u"),), ExitCode.CANNOT_TELL),
        ((_count(1000),), (_count(1000, qemu="10.1"),), ExitCode.CANNOT_TELL),
    ],
)
def test_exit_code_of_a_comparison(base: tuple[Count, ...], other: tuple[Count, ...], code: ExitCode) -> None:
    left, right = (Instructions(scenario="hello", question="?", runs=1, counts=counts) for counts in (base, other))
    assert exit_code(compare_all(left, right), band=0.001) is code


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"waits": []}, "waits: must not be empty"),
        ({"waits": [50, 50]}, "clocks, waits and insides have different lengths"),
        ({"waits": [62]}, "a run that executed no instruction"),
        ({"waits": [-1]}, "a run that executed no instruction"),
        ({"clocks": [10**400]}, "clocks.0: must be less than"),
        ({"steps": [{"name": "ready", "at": 10**400}]}, "at: must be less than"),
    ],
)
def test_a_count_that_no_guest_can_have_is_no_count(tmp_path: Path, changes: dict[str, object], words: str) -> None:
    counted = Instructions(scenario="hello", question="?", runs=1, counts=(once(_count(12)),)).model_dump(mode="json")
    counted["counts"][0] |= changes
    (tmp_path / "instructions.json").write_text(json.dumps(counted), encoding="utf-8")
    with pytest.raises(CampaignError, match=words):
        read_instructions(tmp_path)


def test_counts_that_find_no_room_are_an_error(tmp_path: Path) -> None:
    counted = Instructions(scenario="hello", question="?", runs=1, counts=(_count(12),))
    (tmp_path / "instructions.json").symlink_to("/dev/full")
    with pytest.raises(ResultError, match=r"instructions\.json cannot be written: No space left on device"):
        write_files(tmp_path, counted)
    (tmp_path / "instructions.json").unlink()
    # A link would be replaced by the figure.
    (tmp_path / "instructions.svg").mkdir()
    with pytest.raises(ResultError, match="figure of the counts cannot be written") as caught:
        write_files(tmp_path, counted)
    assert "instructions.json" in caught.value.hint
    assert read_instructions(tmp_path) == counted


def test_files_are_read_as_they_were_written(tmp_path: Path) -> None:
    counted = Instructions(scenario="hello", question="?", runs=1, counts=(_count(12),))
    write_instructions(tmp_path / "instructions.json", counted)
    assert read_instructions(tmp_path) == counted
    (tmp_path / "instructions.json").write_bytes(b"\xff\xfe")
    with pytest.raises(CampaignError, match="is not a file of counts"):
        read_instructions(tmp_path)
    (tmp_path / "instructions.json").write_text('{"runs": 1}')
    with pytest.raises(CampaignError, match="scenario: is missing"):
        read_instructions(tmp_path)
    with pytest.raises(CampaignError, match="cannot be read") as caught:
        read_instructions(tmp_path / "nowhere")
    assert caught.value.exit_code is ExitCode.USAGE, "a file that the command line names is wrong"


def test_a_file_of_counts_that_the_user_names_may_be_a_link(tmp_path: Path) -> None:
    counted = Instructions(scenario="hello", question="?", runs=1, counts=(_count(12),))
    write_instructions(tmp_path / "stored", counted)
    (tmp_path / "latest").symlink_to("stored")
    assert read_instructions(tmp_path / "latest") == counted
