"""One traced start as a Chrome trace (JSON): opens in Perfetto and in chrome://tracing.

Format: "Trace Event Format", complete events (X), instants (i) and metadata (M); ``ts`` and ``dur`` in microseconds
since the request. On every thread the slices are nested: none begins in one and ends in the next.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Any, Final, Protocol

from bench.anatomy.activity import Activity, Seen
from bench.anatomy.model import StartAnatomy
from bench.anatomy.processes import Life
from bench.anatomy.steps import step_named
from bench.render.text import clean

# Linux pids are at most 2**22, so no process has these.
ATTRIBUTION_PID: Final = 2**22 + 1
CPUS_PID: Final = 2**22 + 2
_NAME_LIMIT: Final = 80

Json = dict[str, Any]


class Traced(Protocol):
    """A traced start with its events."""

    @property
    def anatomy(self) -> StartAnatomy: ...
    @property
    def seen(self) -> Seen: ...
    @property
    def requested_ns(self) -> int: ...


def chrome_trace(start: StartAnatomy, seen: Seen, *, requested_ns: int, title: str) -> Json:
    """The whole trace as one JSON value.

    Args:
        requested_ns: the request on the clock of ``seen``; everything is cut to the time from it to ready.
        title: shown by viewers.
    """
    span = (requested_ns, requested_ns + start.total_ns)
    lives = {pid: life for pid, life in seen.lives.items() if _lived(life, seen.activities, seen.main, span)}
    events = [
        *_attribution(start),
        *_cpus(seen, span),
        *(event for life in lives.values() for event in _process(life, span)),
        *_calls(seen.activities, seen.main, lives, span),
    ]
    return {
        "displayTimeUnit": "ms",
        "otherData": {"title": clean(title), "clock": "CLOCK_MONOTONIC since the request"},
        "traceEvents": events,
    }


def start_trace(start: Traced, *, title: str) -> str:
    """The trace of a start as compact JSON, in ASCII so that no viewer has to guess an encoding."""
    trace = chrome_trace(start.anatomy, start.seen, requested_ns=start.requested_ns, title=title)
    return json.dumps(trace, separators=(",", ":"), ensure_ascii=True) + "\n"


def _lived(life: Life, activities: Iterable[Activity], main: Mapping[int, int], span: tuple[int, int]) -> bool:
    if (life.begin_ns or 0) >= span[1] or (life.end_ns is not None and life.end_ns <= span[0]):
        return False
    return any(main.get(a.tid) == life.pid and a.begin_ns < span[1] and a.end_ns > span[0] for a in activities)


def _name(life: Life) -> str:
    """The program's name, which is untrusted text, and its layer."""
    program = PurePosixPath(life.programs[-1][1]).name if life.programs else ""
    return clean(f"{program or 'child'} ({life.layer})", limit=_NAME_LIMIT)


def _attribution(start: StartAnatomy) -> Iterator[Json]:
    yield _meta("process_name", ATTRIBUTION_PID, 0, "where the time goes")
    yield _sort(ATTRIBUTION_PID, -2)
    yield _meta("thread_name", ATTRIBUTION_PID, 1, "steps")
    for stretch in start.stretches:
        label = step_named(stretch.step).label
        args = {"share": step_named(stretch.step).share}
        yield _slice(label, ATTRIBUTION_PID, 1, (stretch.begin_ns, stretch.end_ns), args)
    for mark, at_ns in start.marks_ns.items():
        yield {
            "name": str(mark),
            "ph": "i",
            "s": "g",
            "ts": at_ns / 1e3,
            "pid": ATTRIBUTION_PID,
            "tid": 1,
            "cat": "mark",
        }


def _cpus(seen: Seen, span: tuple[int, int]) -> Iterator[Json]:
    running = [a for a in seen.activities if a.kind == "cpu" and _cut(a.begin_ns, a.end_ns, span)]
    if running:
        yield _meta("process_name", CPUS_PID, 0, "CPUs, as far as this start used them")
        yield _sort(CPUS_PID, -1)
    for cpu in sorted({activity.cpu for activity in running}):
        yield _meta("thread_name", CPUS_PID, cpu + 1, f"CPU {cpu}")
    for activity in running:
        clipped = _clipped(activity.begin_ns, activity.end_ns, span)
        args = {"tid": activity.tid, "pid": seen.main.get(activity.tid, activity.tid)}
        yield _slice(activity.step, CPUS_PID, activity.cpu + 1, clipped, args)


def _process(life: Life, span: tuple[int, int]) -> Iterator[Json]:
    yield _meta("process_name", life.pid, life.pid, _name(life))
    end = span[1] if life.end_ns is None else life.end_ns
    changes = [*life.layers, (end, "")]
    programs = dict(life.programs)
    for (begin, layer), (until, _) in pairwise(changes):
        if _cut(begin, until, span):
            clipped = _clipped(begin, until, span)
            program = clean(programs.get(begin, "forked"), limit=_NAME_LIMIT)
            yield _slice(layer, life.pid, life.pid, clipped, {"program": program})


def _calls(
    activities: Sequence[Activity], main: Mapping[int, int], lives: Mapping[int, Life], span: tuple[int, int]
) -> Iterator[Json]:
    for activity in activities:
        pid = main.get(activity.tid, activity.tid)
        if activity.kind == "call" and pid in lives and _cut(activity.begin_ns, activity.end_ns, span):
            clipped = _clipped(activity.begin_ns, activity.end_ns, span)
            yield _slice(activity.call, pid, activity.tid, clipped, {"step": activity.step})


def _cut(begin: int, end: int, span: tuple[int, int]) -> bool:
    return max(begin, span[0]) < min(end, span[1])


def _clipped(begin: int, end: int, span: tuple[int, int]) -> tuple[int, int]:
    return max(begin, span[0]) - span[0], min(end, span[1]) - span[0]


def _slice(name: str, pid: int, tid: int, span: tuple[int, int], args: Mapping[str, object]) -> Json:
    return {
        "name": name,
        "cat": "step",
        "ph": "X",
        "ts": span[0] / 1e3,
        "dur": (span[1] - span[0]) / 1e3,
        "pid": pid,
        "tid": tid,
        "args": dict(args),
    }


def _meta(kind: str, pid: int, tid: int, name: str) -> Json:
    return {"name": kind, "ph": "M", "ts": 0, "pid": pid, "tid": tid, "args": {"name": name}}


def _sort(pid: int, index: int) -> Json:
    return {"name": "process_sort_index", "ph": "M", "ts": 0, "pid": pid, "tid": 0, "args": {"sort_index": index}}
