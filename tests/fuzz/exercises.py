"""Output of load tests. The first line of an input names the parser."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from random import Random
from typing import Final, get_args

from bench.run.exercise.parsers import parse_output
from bench.scenario.exercise import Exercise, ParserName, Pattern, Profile
from tests.fuzz import mutate
from tests.fuzz.reader import Reader

_OUTPUTS: Final = Path(__file__).parents[1] / "outputs"
_PARSERS: Final = {
    "fio": "fio",
    "key-value": "key-value",
    "pgbench": "pgbench",
    "redis-benchmark": "redis-benchmark",
    "stress-ng": "stress-ng",
    "sysbench-cpu": "sysbench",
    "sysbench-memory-threads": "sysbench",
    "wrk": "wrk",
}
_PATTERNS: Final = {"rate_per_s": Pattern(match=r"rate: ([0-9.,]+)"), "p99_ns": Pattern(match=r"p99=(\S+)", scale=1e6)}


@cache
def _seeds() -> tuple[bytes, ...]:
    files = [(parser, (_OUTPUTS / f"{name}.txt").read_bytes()) for name, parser in _PARSERS.items()]
    files.append(("patterns", b"starting\nrate: 1,234.5 per s\np99=7.25 ms\n"))
    return tuple(parser.encode() + b"\n" + content for parser, content in files)


def _damaged(rng: Random, seeds: Sequence[bytes]) -> bytes:
    """The parser's name stays."""
    name, _, content = rng.choice(seeds).partition(b"\n")
    way = rng.choice((mutate.text, mutate.lines, mutate.structure if name == b"fio" else mutate.text))
    try:
        return name + b"\n" + way(rng, [content])
    except (ValueError, RecursionError):
        return name + b"\n" + mutate.text(rng, [content])


def _check(data: bytes, _scratch: Path) -> None:
    name, _, content = data.partition(b"\n")
    parser = name.decode("ascii", "replace")
    exercise = Exercise.model_construct(
        parser=next((one for one in get_args(ParserName) if one == parser), "key-value"),
        quick=Profile(command=("/load",)),
        patterns=_PATTERNS,
    )
    parse_output(exercise, content.decode("utf-8", "replace"))


READERS: Final = (Reader("exercise.output", _seeds, _damaged, _check, share=100),)
