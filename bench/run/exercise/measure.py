"""Run a scenario's exercise in a ready box: times on both clocks, its own and the host's CPU time, its output."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from functools import partial
from typing import Final

from bench.agent.boxconf import encode_word
from bench.agent.channel import Channel
from bench.agent.timeline import Timeline
from bench.probes.cpu import cpu_between
from bench.probes.observer import Observation, Observer
from bench.records.record import Endpoint
from bench.run.exercise.parsers import parse_output
from bench.run.exercise.result import Exercised
from bench.scenario.exercise import MOST_OUTPUT_BYTES, Exercise, Profile
from bench.targets.base import Box
from bench.util.errors import ExerciseError
from bench.util.proc import tail
from bench.util.units import format_ns

# How often a silent box is checked for having ended. Its messages wake us at once, so this limits no measurement.
LIVENESS_S: Final = 1.0
LAST_MESSAGE_S: Final = 1.0
# The agent itself kills the exercise at its limit; an emulated guest may take this long to report it.
PATIENCE_NS: Final = 20 * 10**9
_MOST_QUOTED: Final = 400


@dataclass(frozen=True)
class Subject:
    """A ready box, and what observes it."""

    box: Box
    channel: Channel
    timeline: Timeline
    observer: Observer
    seen: Observation


def run_exercise(subject: Subject, exercise: Exercise, done: Exercised) -> None:
    """Run the command in the ready box; ``done`` and ``subject.seen`` get all values, also of a failed exercise.

    Raises:
        ExerciseError: it failed, was killed, wrote too much, or its output lacks what it should have.
    """
    timeline, seen, profile = subject.timeline, subject.seen, exercise.chosen
    done.facts.update(_facts(exercise, profile))
    words = ("exercise", str(profile.timeout // 10**6), *map(encode_word, profile.command or ()))
    before = subject.observer.reading()
    try:
        subject.channel.send(" ".join(words))
        _await_end(subject, profile)
    finally:
        spent = cpu_between(before, subject.observer.reading())
        seen.cpu_ns.update({f"exercise.{name}": value for name, value in spent.items()})
        done.files.update({f"exercise.{name}": bytes(data) for name, data in timeline.exercise.output.items()})
    _times(timeline, done)
    _check_end(timeline, profile)
    _read(exercise, done, bytes(timeline.exercise.output["stdout"]), spent.get("total"))


def read_workload(box: Box, timeline: Timeline, exercise: Exercise, done: Exercised) -> None:
    """As ``run_exercise``, for a workload that is itself the exercise and has ended. Raises ExerciseError."""
    done.facts.update(_facts(exercise, exercise.chosen))
    # The kernel reports the box's end, perhaps before its last message has been received.
    timeline.wait_for(lambda: timeline.exit is not None, timeout_s=LAST_MESSAGE_S)
    output = box.output(ended=True)
    done.files.update({"exercise.stdout": output.stdout, "exercise.stderr": output.stderr})
    if not output.whole or max(len(output.stdout), len(output.stderr)) > MOST_OUTPUT_BYTES:
        raise ExerciseError(
            f"the workload wrote more than {MOST_OUTPUT_BYTES} bytes", hint="let it write a summary only"
        )
    at, ended = timeline.relative_ns(), timeline.exit
    if Endpoint.EXEC in at and Endpoint.STOPPED in at:
        done.values["wall_ns"] = at[Endpoint.STOPPED] - at[Endpoint.EXEC]
    if ended is not None:
        _own_cpu(done, ended.user_us, ended.system_us, ended.max_rss_kib)
    _read(exercise, done, output.stdout, None)


def _facts(exercise: Exercise, profile: Profile) -> dict[str, str]:
    return {
        "profile": exercise.profile,
        "parser": exercise.parser,
        "command": "(the workload)" if profile.command is None else shlex.join(profile.command),
        "timeout_ns": str(profile.timeout),
    }


def _over(timeline: Timeline, errors_before: int) -> bool:
    told = timeline.exercise.end is not None or timeline.exit is not None
    return told or len(timeline.errors) > errors_before or timeline.cut_off


def _await_end(subject: Subject, profile: Profile) -> None:
    timeline = subject.timeline
    over = partial(_over, timeline, len(timeline.errors))
    deadline_ns = timeline.clock.now_ns() + profile.timeout + PATIENCE_NS
    while not timeline.wait_for(over, timeout_s=LIVENESS_S):
        if timeline.clock.now_ns() > deadline_ns:
            raise ExerciseError(
                f"the exercise neither ended nor was ended by the agent within {format_ns(profile.timeout)}",
                hint="the box hangs; look at the kept output of the trial",
            )
        if subject.box.main_pid() is None and not timeline.wait_for(over, timeout_s=0.1):
            raise ExerciseError(
                "the box ended during the exercise, without a message from its agent",
                hint="look at the kept output of the trial",
            )
    if timeline.exercise.end is not None:
        return
    if timeline.exit is not None:
        raise ExerciseError(
            f"the workload ended with status {timeline.exit.status} during the exercise",
            hint="look at the kept output of the trial: the server may have crashed",
        )
    reason = f"the agent reported: {timeline.errors[-1]}" if timeline.errors else "its messages could no longer be read"
    raise ExerciseError(reason, hint="look at the kept output of the trial")


def _times(timeline: Timeline, done: Exercised) -> None:
    log = timeline.exercise
    if log.start_ns is not None and log.exit_ns is not None:
        done.values["wall_ns"] = log.exit_ns - log.start_ns
    if log.exit is not None:
        _own_cpu(done, log.exit.user_us, log.exit.system_us, log.exit.max_rss_kib)
    if log.start is not None and log.exit is not None:
        done.values["guest_wall_ns"] = log.exit.guest_ns - log.start.guest_ns


def _own_cpu(done: Exercised, user_us: int, system_us: int, max_rss_kib: int) -> None:
    done.values["own_user_ns"] = user_us * 1000
    done.values["own_system_ns"] = system_us * 1000
    done.values["own_cpu_ns"] = (user_us + system_us) * 1000
    done.values["own_max_rss_bytes"] = max_rss_kib * 1024


def _check_end(timeline: Timeline, profile: Profile) -> None:
    log = timeline.exercise
    written_last = tail(bytes(log.output["stderr"]) or bytes(log.output["stdout"]))[-_MOST_QUOTED:]
    if log.exit is None or log.end is None:
        raise ExerciseError(
            "the exercise ended without an exit code",
            hint="another program in the box sends messages as the agent does",
        )
    if log.exit.limit_passed:
        raise ExerciseError(
            f"the exercise was not done within {format_ns(profile.timeout)} and was killed; its last output: "
            f"{written_last}",
            hint="give it more time (exercise.quick.timeout), or less to do",
        )
    if log.exit.code != 0:
        raise ExerciseError(
            f"the exercise ended with status {log.exit.code}: {written_last}",
            hint="its whole output is kept with the trial; run the command by hand in the image",
        )
    written = max(log.end.stdout_bytes, log.end.stderr_bytes)
    if written > MOST_OUTPUT_BYTES:
        raise ExerciseError(
            f"the exercise wrote {written} bytes, more than {MOST_OUTPUT_BYTES}", hint="let it write a summary only"
        )


def _read(exercise: Exercise, done: Exercised, stdout: bytes, spent_ns: int | None) -> None:
    parsed = parse_output(exercise, stdout.decode("utf-8", "replace"))
    clash = sorted(done.values.keys() & parsed.values.keys())
    if clash:
        raise ExerciseError(
            f"the output names {', '.join(clash)}, which boxbench measures itself", hint="give it another name"
        )
    done.values.update(parsed.values)
    if exercise.headline is not None and exercise.headline not in parsed.values:
        raise ExerciseError(
            f"the output has no {exercise.headline}; it has {', '.join(sorted(parsed.values)) or 'nothing'}",
            hint="name one of these as exercise.headline",
        )
    operations = parsed.operations if exercise.chosen.operations is None else exercise.chosen.operations
    if operations and operations > 0:
        done.values["operations"] = operations
        if spent_ns is not None:
            done.values["cpu_per_operation_ns"] = spent_ns / operations
