"""Exercises: parsers on outputs that real tools wrote, what a scenario may say, hostile boxes, directions."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import pytest
from pydantic import ValidationError

from bench.agent.protocol import ExerciseEnd, ExerciseExit, ExerciseOutput, ExerciseStart, parse_message
from bench.agent.timeline import ExerciseLog, Timeline
from bench.analysis.analyse import analyse
from bench.analysis.compare import ratio_verdict
from bench.analysis.estimates import Interval
from bench.analysis.metrics import Metric
from bench.analysis.values import values_of
from bench.analysis.verdicts import RatioVerdict
from bench.records.manifest import Manifest
from bench.records.record import Record
from bench.render import html, markdown
from bench.render.figures import campaign_figures
from bench.render.text import quantity, with_interval
from bench.render.view import build_view
from bench.run.exercise.measure import _await_end, read_workload
from bench.run.exercise.parsers import MOST_VALUES, parse_output
from bench.run.exercise.result import Exercised, Parsed
from bench.scenario.exercise import MOST_OUTPUT_BYTES, Exercise, Pattern, Profile
from bench.scenario.model import LoadedScenario, Scenario, load_scenario, narrowed
from bench.targets.base import Output
from bench.util.clock import VirtualClock
from bench.util.errors import ExerciseError, ProtocolError, ScenarioError
from tests.factories import DOCKER, PROCESS, make_manifest, make_records

OUTPUTS: Final = Path(__file__).parents[2] / "outputs"
SCENARIOS: Final = Path(__file__).parents[3] / "scenarios"
COMMAND: Final = Profile(command=("true",))


def said(name: str) -> str:
    return (OUTPUTS / f"{name}.txt").read_text(encoding="utf-8")


def parsed(parser: str, text: str, **more: Any) -> Parsed:
    return parse_output(Exercise(parser=parser, quick=COMMAND, **more), text)  # type: ignore[arg-type]


# ---- parsers, on outputs captured from the tools in our own boxes ----


def test_sysbench_cpu() -> None:
    found = parsed("sysbench", said("sysbench-cpu"))
    events = 92983
    assert found.operations == events
    assert found.values["cpu.events_per_s"] == pytest.approx(30951, rel=0.001)
    # 0.03 ms with two decimals says nothing; 2.18 ms does.
    assert found.values.keys() == {"cpu.events_per_s", "cpu.max_ns"}
    assert found.values["cpu.max_ns"] == pytest.approx(2.18e6)


def test_sysbench_of_several_kinds_has_no_one_kind_of_operation() -> None:
    found = parsed("sysbench", said("sysbench-memory-threads"))
    assert found.operations is None
    assert found.values["memory.bandwidth_bytes_per_s"] == pytest.approx(2285.44 * 2**20)
    assert found.values["memory.events_per_s"] == pytest.approx(2097152 / 0.8952)
    assert found.values["threads.events_per_s"] == pytest.approx(467 / 1.001)
    assert found.values["threads.p95_ns"] == pytest.approx(3.55e6)


def test_stress_ng() -> None:
    found = parsed("stress-ng", said("stress-ng"))
    assert found.values == {
        "cpu.bogo_per_s": 569.32,
        "cpu.cpu_ns": pytest.approx(0.66e9),
        "switch.bogo_per_s": 47600.13,
        "switch.cpu_ns": pytest.approx(0.81e9),
    }


def test_fio() -> None:
    found = parsed("fio", said("fio"))
    jobs = {job["jobname"]: job for job in json.loads(said("fio"))["jobs"]}
    assert len(jobs) == 7
    read = jobs["randread-4k-qd1"]["read"]
    assert found.values["randread-4k-qd1.io_per_s"] == read["iops"] > 0
    assert found.values["randread-4k-qd1.p99_ns"] == read["clat_ns"]["percentile"]["99.000000"]
    assert found.values["write-1m.data_bytes_per_s"] == jobs["write-1m"]["write"]["bw_bytes"]
    assert found.values["fsync-4k.fsync-p50_ns"] == jobs["fsync-4k"]["sync"]["lat_ns"]["percentile"]["50.000000"]
    assert found.operations is None, "seven jobs do seven kinds of work"


def test_fio_that_failed_in_one_job_is_not_read() -> None:
    document = json.loads(said("fio"))
    document["jobs"][3]["error"] = 28
    with pytest.raises(ExerciseError, match="ended with error 28"):
        parsed("fio", json.dumps(document))


def test_redis_benchmark() -> None:
    found = parsed("redis-benchmark", said("redis-benchmark"))
    assert found.values["get_per_s"] == 36101.08
    assert found.values["set.p99_ns"] == pytest.approx(0.351e6)
    assert found.operations is None
    assert len(found.values) == 10


def test_wrk() -> None:
    found = parsed("wrk", said("wrk"))
    assert found.operations == 19088
    assert found.values == {
        "requests_per_s": 6342.19,
        "transfer_bytes_per_s": pytest.approx(2.33 * 2**20),
        "p50_ns": pytest.approx(633e3),
        "p75_ns": pytest.approx(2.45e6),
        "p90_ns": pytest.approx(3.51e6),
        "p99_ns": pytest.approx(6.61e6),
    }


@pytest.mark.parametrize(
    "line", ["  Non-2xx or 3xx responses: 12", "  Socket errors: connect 0, read 3, write 0, timeout 0"]
)
def test_wrk_with_errors_is_no_rate(line: str) -> None:
    with pytest.raises(ExerciseError, match="not every request was answered"):
        parsed("wrk", said("wrk").replace("Requests/sec", f"{line}\nRequests/sec"))


def test_pgbench() -> None:
    found = parsed("pgbench", said("pgbench"))
    assert found.operations == 2105
    assert found.values == {
        "transactions_per_s": 703.279051,
        "latency.mean_ns": pytest.approx(2.844e6),
        "latency.connect_ns": pytest.approx(11.7e6),
    }
    with pytest.raises(ExerciseError, match="3 transactions failed"):
        parsed("pgbench", said("pgbench").replace("failed transactions: 0", "failed transactions: 3"))


def test_key_value_is_what_our_own_programs_write() -> None:
    assert set(parsed("key-value", said("key-value")).values) == {
        f"{name}_per_s" for name in ("syscalls", "page-faults", "forks", "execs", "switches", "small-files")
    }
    found = parsed("key-value", "# a note = 3\nhello\n done_per_s = 2.5e3 \noperations=7\n")
    assert found == Parsed({"done_per_s": 2500.0}, 7.0)


def test_patterns_are_looked_for_line_by_line() -> None:
    patterns = {"done_per_s": Pattern(match=r"(\S+) ops/s"), "slow_ns": Pattern(match=r"max ([0-9.]+) ms", scale=1e6)}
    text = "x max 3.5 ms\n1,250.5 ops/s\n99 ops/s\n"
    assert parsed("patterns", text, patterns=patterns).values == {"done_per_s": 1250.5, "slow_ns": 3.5e6}
    with pytest.raises(ExerciseError, match=r"no line of the output matches exercise\.patterns\.slow_ns"):
        parsed("patterns", "5 ops/s", patterns=patterns)
    with pytest.raises(ExerciseError, match="'many', which is no number"):
        parsed("patterns", "many ops/s\nmax 1 ms", patterns=patterns)


@pytest.mark.parametrize("parser", ["fio", "key-value", "pgbench", "redis-benchmark", "stress-ng", "sysbench", "wrk"])
@pytest.mark.parametrize(
    "text", ["", "\x00\x1b[31m", "{", "[]", '"test"\n"x"', "a=b", "sysbench 1\n", "9" * 5000, "[" * 99999]
)
def test_what_is_no_output_of_the_tool_is_a_named_error(parser: str, text: str) -> None:
    with pytest.raises(ExerciseError, match=parser):
        parsed(parser, text)


@pytest.mark.parametrize(
    "line", ["x_per_s=nan", "x_per_s=inf", "x_per_s=-1", "x=1", "../../x_ns=1", "<b>_ns=1", "x_ns=1\nx_ns=2"]
)
def test_a_box_cannot_name_or_number_what_cannot_be(line: str) -> None:
    with pytest.raises(ExerciseError):
        parsed("key-value", line)


def test_a_box_cannot_make_a_report_of_any_length() -> None:
    lines = "\n".join(f"x{number}_ns=1" for number in range(MOST_VALUES + 1))
    with pytest.raises(ExerciseError, match="at most 200"):
        parsed("key-value", lines)


# ---- what a scenario may say ----

BASE: Final[dict[str, Any]] = {"question": "q", "name": "n", "ready": {"when": "first-line"}}


def scenario_with(exercise: dict[str, Any], **more: Any) -> Scenario:
    return Scenario.model_validate_json(json.dumps({**BASE, "exercise": exercise, **more}))


QUICK: Final = {"parser": "wrk", "quick": {"command": ["wrk"]}}


@pytest.mark.parametrize(
    ("exercise", "more", "why"),
    [
        ({"parser": "wrk"}, {}, "quick.command: is missing"),
        ({**QUICK, "run": "workload"}, {"ready": {"when": "exit"}}, "the workload's own command runs"),
        ({"parser": "wrk", "run": "workload"}, {}, "run: workload needs ready.when exit"),
        (QUICK, {"ready": {"when": "exit"}}, "the box has ended before a command could run"),
        (QUICK, {"factors": {"residents": [2]}}, "cannot be used with factors.residents"),
        ({**QUICK, "profile": "full"}, {}, "'full' is not defined"),
        ({**QUICK, "patterns": {"a_ns": {"match": "(1)"}}}, {}, "go with parser 'patterns', and only with it"),
        ({**QUICK, "parser": "patterns", "patterns": {"a_ns": {"match": "1"}}}, {}, "has 0 groups"),
        ({**QUICK, "parser": "patterns", "patterns": {"a_ns": {"match": "("}}}, {}, "not a regular expression"),
        ({**QUICK, "parser": "patterns", "patterns": {"a": {"match": "(1)"}}}, {}, "should match pattern"),
        ({"parser": "wrk", "quick": {"command": ["x" * 4000]}}, {}, "put the command into a file of the image"),
        ({"parser": "guess", "quick": {"command": ["x"]}}, {}, "Input should be 'fio'"),
    ],
)
def test_what_an_exercise_may_not_say(exercise: dict[str, Any], more: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        scenario_with(exercise, **more)


def test_a_profile_is_chosen_by_name() -> None:
    both = scenario_with({**QUICK, "full": {"command": ["wrk", "long"]}})
    loaded = LoadedScenario(scenario=both, directory=Path("/"), text="")
    chosen = narrowed(loaded, profile="full").scenario.exercise
    assert chosen is not None
    assert chosen.chosen.command == ("wrk", "long")
    only = loaded.model_copy(update={"scenario": scenario_with(QUICK)})
    with pytest.raises(ScenarioError, match="no profile 'full'"):
        narrowed(only, profile="full")


EXERCISED: Final = ("cpu", "fio", "kernel", "nginx", "node", "postgres", "python-web", "redis", "stream")


@pytest.mark.parametrize("name", EXERCISED)
def test_shipped_exercises_have_both_profiles_and_an_answer(name: str) -> None:
    exercise = load_scenario(SCENARIOS / name).scenario.exercise
    assert exercise is not None
    assert exercise.full is not None
    assert exercise.headline is not None
    assert Metric(f"exercise.{exercise.headline}").higher_is_better


# ---- outputs that mean harm ----


@pytest.mark.parametrize(
    ("parser", "text"),
    [
        ("redis-benchmark", '"test","rps"\n"' + "x" * 200_000 + '"\n'),
        ("fio", '{"jobs": [{"error": 1, "jobname": "\\ud800"}]}'),
        ("fio", "{" + '"a": ' + "[" * 100_000),
        ("key-value", "a_ns=1\noperations=inf"),
        ("key-value", "a_ns=1\noperations=nan"),
        ("key-value", "a_ns=1\noperations=-1"),
        ("key-value", "a_ns=1\noperations=1e-320"),
    ],
)
def test_no_output_does_more_than_fail_its_own_trial(parser: str, text: str) -> None:
    with pytest.raises(ExerciseError) as caught:
        parsed(parser, text)
    caught.value.message.encode("utf-8")


class EndedBox:
    """Of its whole life only its output is left."""

    def __init__(self, output: Output) -> None:
        self.output = lambda ended: output if ended else Output(b"", b"")


@pytest.mark.parametrize(
    "output",
    [
        Output(b"a_ns=1\n", b"", whole=False),
        Output(b"a_ns=1\n" * MOST_OUTPUT_BYTES, b""),
        Output(b"a_ns=1\n", b"x" * (MOST_OUTPUT_BYTES + 1)),
    ],
)
def test_a_workload_that_writes_too_much_is_not_read(output: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.run.exercise.measure.LAST_MESSAGE_S", 0.01)
    exercise = Exercise(parser="key-value", run="workload")
    box: Any = EndedBox(output)
    done = Exercised()
    with pytest.raises(ExerciseError, match=r"the workload wrote more than 1048576 bytes"):
        read_workload(box, Timeline(VirtualClock()), exercise, done)
    assert done.files["exercise.stdout"] == output.stdout
    box = EndedBox(Output(b"a_ns=1\n", b"x" * MOST_OUTPUT_BYTES))
    read_workload(box, Timeline(VirtualClock()), exercise, done)
    assert done.values == {"a_ns": 1.0}


# ---- the agent's words ----


def test_messages_of_an_exercise() -> None:
    assert parse_message(b"BB1 exercise-start 12") == ExerciseStart(12)
    assert parse_message(b"BB1 exercise-stdout a%0A%00%FF") == ExerciseOutput("stdout", b"a\n\x00\xff")
    assert parse_message(b"BB1 exercise-exit 137 9 1 2 3 1 44") == ExerciseExit(137, 9, 1, 2, 3, True, 44)
    assert parse_message(b"BB1 exercise-end 5 0") == ExerciseEnd(5, 0)


@pytest.mark.parametrize("line", [b"exercise-start", b"exercise-stdout a b", b"exercise-exit 1", b"exercise-end -1 0"])
def test_half_a_message_is_none(line: bytes) -> None:
    with pytest.raises(ProtocolError):
        parse_message(b"BB1 " + line)


def test_a_box_that_talks_on_fills_no_memory_and_changes_nothing() -> None:
    log = ExerciseLog()
    log.receive(ExerciseStart(1), 10)
    log.receive(ExerciseStart(2), 20)
    for _ in range(3):
        log.receive(ExerciseOutput("stdout", b"x" * MOST_OUTPUT_BYTES), 30)
    log.receive(ExerciseExit(0, 0, 1, 1, 1, False, 40), 40)
    log.receive(ExerciseExit(1, 0, 1, 1, 1, False, 50), 50)
    log.receive(ExerciseEnd(1, 0), 60)
    log.receive(ExerciseOutput("stderr", b"late"), 70)
    assert (log.start_ns, log.exit_ns) == (10, 40)
    assert log.exit is not None
    assert log.exit.code == 0
    assert len(log.output["stdout"]) == MOST_OUTPUT_BYTES
    assert not log.output["stderr"]


# ---- names, units, directions ----


@pytest.mark.parametrize(
    ("metric", "kind", "words", "shown"),
    [
        ("exercise.get_per_s", "per_s", "exercise, get per second", "28.5 k/s"),
        ("exercise.copy_bytes_per_s", "bytes_per_s", "exercise, copy", "27.8 KiB/s"),
        ("exercise.get.p99_ns", "ns", "exercise, get, p99", "28.5 µs"),
        ("exercise.cpu_per_operation_ns", "ns", "exercise, host CPU time per operation", "28.5 µs"),
    ],
)
def test_units_and_words(metric: str, kind: str, words: str, shown: str) -> None:
    assert Metric(metric).unit == kind
    assert Metric(metric).label == words
    assert Metric(metric).stem == metric.removesuffix(f"_{kind}")
    assert quantity(28490.0, Metric(metric).unit) == shown


def test_rates_are_shown_with_intervals_in_their_own_unit() -> None:
    assert with_interval(28490.0, Interval(25000, 31000, 0.95), "per_s") == "28.5 k/s [25.0, 31.0]"
    assert with_interval(12.0, Interval(9, 15, 0.95), "per_s") == "12.0 /s [9.00, 15.0]"


def test_a_lower_rate_is_slower_and_a_longer_latency_too() -> None:
    low, high = Interval(0.4, 0.6, 0.95), Interval(1.7, 2.5, 0.95)
    assert ratio_verdict("exercise.get_per_s", low, 0.05) is RatioVerdict.SLOWER
    assert ratio_verdict("exercise.get_per_s", high, 0.05) is RatioVerdict.FASTER
    assert ratio_verdict("exercise.get_per_s", Interval(0.99, 1.01, 0.95), 0.05) is RatioVerdict.SAME
    assert ratio_verdict("exercise.get_per_s", Interval(0.0, 1.1, 0.95), 0.05) is RatioVerdict.CANNOT_TELL
    assert ratio_verdict("exercise.get.p99_ns", low, 0.05) is RatioVerdict.FASTER
    assert ratio_verdict("exercise.get.p99_ns", high, 0.05) is RatioVerdict.SLOWER
    assert Metric("exercise.get.p99_ns").is_duration
    assert not Metric("exercise.cpu_per_operation_ns").is_duration, "what is used up is more or less, not slower"


BOXES: Final = (PROCESS, DOCKER)


def exercised_campaign() -> tuple[Manifest, list[Record]]:
    """In docker half the rate and twice the latency of the bare process, with a spread of a few in a hundred."""
    manifest = make_manifest(("hello",), BOXES, blocks=7, warmups=0)
    entry = manifest.scenarios["hello"]
    exercise = Exercise(parser="redis-benchmark", headline="get_per_s", quick=COMMAND)
    scenario = entry.scenario.model_copy(update={"exercise": exercise, "baseline": "process"})
    entry = entry.model_copy(update={"scenario": scenario})
    records = []
    for record in make_records(manifest, BOXES, troubles=False):
        slower = 2.0 if record.trial.cell.target == "docker" else 1.0
        spread = 1 + record.trial.block / 100
        values = {
            "get_per_s": 30_000 / slower * spread,
            "get.p99_ns": 300_000 * slower * spread,
            "cpu_per_operation_ns": 31_000 * slower * spread,
            "wall_ns": 1e9,
            "<b>evil</b>_ns": 5.0,
        }
        records.append(record.model_copy(update={"exercise": values, "exercise_facts": {"profile": "quick"}}))
    return manifest.model_copy(update={"scenarios": {"hello": entry}}), records


def test_a_report_says_which_way_is_better() -> None:
    analysis = analyse(*exercised_campaign())
    (section,) = build_view(analysis).sections
    assert section.answer.text.startswith(
        "hello: get per second, higher is better: 30.9 k/s in process, 15.4 k/s in docker."
    )
    assert " docker against process: 2.00× slower [" in section.answer.text
    assert section.answer.costs[0].value == "2.00×"
    assert section.answer.costs[0].of == "get per second, higher is better: slower"
    values, ratios = section.exercises
    assert values.title == "Exercise: redis-benchmark, profile quick, load generated in the box"
    assert [row[:2] for row in values.rows[:3]] == [
        ("get per second", "higher is better"),
        ("host CPU time per operation", "lower is better"),
        ("get, p99", "lower is better"),
    ]
    assert [(row[0], row[2], *row[3].split()[1:2], row[4]) for row in ratios.rows[:3]] == [
        ("get per second", "docker", "slower", "sure"),
        ("host CPU time per operation", "docker", "more", "sure"),
        ("get, p99", "docker", "slower", "sure"),
    ]


def test_every_form_of_the_report_has_the_exercise_and_escapes_its_names() -> None:
    analysis = analyse(*exercised_campaign())
    view = build_view(analysis)
    figures = {figure.name: figure for figure in campaign_figures(analysis)}
    figure = figures["hello-exercise"]
    assert "get per second: higher is better: docker 0.500×" in figure.alt
    page = html.render(view, tuple(figures.values()), {}, "")
    assert "load generated in the box" in page
    assert "<b>evil" not in page
    text = markdown.report(view)
    assert "| get per second | higher is better |" in text
    assert "<b>evil" not in text


def test_an_exercise_that_never_ended_well_is_said_first() -> None:
    manifest, records = exercised_campaign()
    (section,) = build_view(analyse(manifest, [r.model_copy(update={"exercise": {}}) for r in records])).sections
    assert section.answer.text.startswith("hello: no exercise has ended well. ")
    assert section.exercises == ()


def test_an_exercise_on_the_record_is_a_metric_and_old_records_have_none() -> None:
    record = make_records(make_manifest(("hello",), BOXES), BOXES, troubles=False)[0]
    assert not any(name.startswith("exercise.") for name in values_of(record, ()))
    changed = record.model_copy(update={"exercise": {"get_per_s": 5.0}})
    assert values_of(changed, ())["exercise.get_per_s"] == 5.0


def test_nobody_waits_for_the_end_of_an_exercise_that_can_no_longer_be_told() -> None:
    timeline = Timeline(VirtualClock())
    timeline.cut_short()
    subject: Any = SimpleNamespace(timeline=timeline, box=SimpleNamespace(main_pid=lambda: 1))
    with pytest.raises(ExerciseError, match="its messages could no longer be read"):
        _await_end(subject, Profile(command=("/bin/true",), timeout=60 * 10**9))
