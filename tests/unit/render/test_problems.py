"""Failures and doubts: one by one, and summed up so that a counter nobody can read does not drown the rest."""

from __future__ import annotations

from bench.render.sections.problems import (
    MOST_DOUBTS,
    disturbed,
    doubt_kinds,
    doubts_note,
    failures,
    grouped,
    problem_of,
)
from tests.factories import PROCESS, make_manifest, make_records

MANIFEST = make_manifest(("hello",), (PROCESS,), blocks=3, warmups=0)
RECORDS = make_records(MANIFEST, (PROCESS,), troubles=False)


def test_kinds_are_counted_with_their_range_and_meaning() -> None:
    marks = (("pressure:cpu:29.2%", "busy:4"), ("pressure:cpu:83.0%", "leftover: mount /x"), ("unknown:psi",))
    records = [record.model_copy(update={"doubts": doubts}) for record, doubts in zip(RECORDS, marks, strict=True)]
    assert doubt_kinds(record.doubts for record in records) == (
        "pressure:cpu in 2 of 3 trials (29.2% to 83.0%): tasks waited for a CPU",
        "busy in 1 of 3 trials (4): other tasks were runnable when the trial began",
        "leftover: mount /x in 1 of 3 trials",
        "psi could not be read in 1 of 3 trials",
    )
    assert [problem.text for problem in disturbed(records)[1]] == [
        "pressure:cpu:29.2%; busy:4",
        "pressure:cpu:83.0%; leftover: mount /x",
    ]


def test_sentences_that_differ_in_how_much_only_are_one() -> None:
    marks = (
        ("guest-cpu: the guest counts 4.19 times what its virtual CPUs ran", "leftover: process 12"),
        ("guest-cpu: the guest counts 10.5 times what its virtual CPUs ran", "leftover: process 7", "clock 1.5 or 2.5"),
        ("guest-cpu: the guest counts 4.05 times what its virtual CPUs ran", "clock 1.5 or 3.5"),
    )
    records = [record.model_copy(update={"doubts": doubts}) for record, doubts in zip(RECORDS, marks, strict=True)]
    assert doubt_kinds(record.doubts for record in records) == (
        "guest-cpu: the guest counts 4.05 to 10.5 times what its virtual CPUs ran in 3 of 3 trials",
        "leftover: process 12 in 1 of 3 trials",
        "leftover: process 7 in 1 of 3 trials",
        "clock 1.5 or 2.5 to 3.5 in 2 of 3 trials",
    )


def test_nothing_to_say_is_nothing() -> None:
    calm = [record.model_copy(update={"doubts": ()}) for record in RECORDS]
    assert (doubt_kinds(record.doubts for record in calm), disturbed(calm), failures(calm)) == ((), (0, ()), ())


def test_of_many_disturbed_trials_the_first_are_listed_and_it_is_said() -> None:
    one = RECORDS[0].model_copy(update={"doubts": ("busy:4",)})
    for count in (MOST_DOUBTS, MOST_DOUBTS + 1):
        total, listed = disturbed([one] * count)
        assert (total, len(listed)) == (count, MOST_DOUBTS)
    assert doubts_note(MOST_DOUBTS) == ""
    assert doubts_note(9_440) == "The first 1,000 of 9,440 disturbed trials are listed; records.jsonl has all."


def test_blocks_count_from_1() -> None:
    warm = make_manifest(("hello",), (PROCESS,), blocks=2, warmups=1)
    failed = [
        problem_of(record.model_copy(update={"doubts": ("busy:4",)}), "busy")
        for record in make_records(warm, (PROCESS,), troubles=False)
    ]
    assert [problem.block for problem in failed] == [0, 1, 2], "as in the records"
    assert [problem.shown_block for problem in failed] == ["1 (warm-up)", "2", "3"]
    assert grouped(failed)[0].blocks == "1 (warm-up), 2, 3"


def test_failures_name_what_was_kept() -> None:
    manifest = make_manifest(("hello",))
    lost = next(r for r in make_records(manifest) if r.outcome == "timeout")
    found = failures([lost.model_copy(update={"artefacts": {"stdout": "artefacts/t0018/stdout"}})])
    assert found[0].text == "timeout: NotReadyError: not ready within 120 s (look at the console output)"
    assert found[0].kept == ("artefacts/t0018/stdout",)
