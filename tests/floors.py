"""Results of searches for memory floors."""

from __future__ import annotations

from bench.floor.model import Floors, Level, TargetFloor, Terms

MIB = 2**20


def floors_of(*found: TargetFloor) -> Floors:
    """The result of a search on hello."""
    return Floors(
        id="abcdef12",
        created_at="2031-02-03T04:05:06+00:00",
        boxbench="0.1.0",
        command=("boxbench", "floor", "hello"),
        scenario="hello",
        text="name: hello\n",
        goal="ready",
        image_digest="ab" * 32,
        terms=Terms(lowest_bytes=MIB, highest_bytes=128 * MIB, step_bytes=MIB, confirmations=3),
        host={"fingerprint": "f"},
        floors=found,
    )


def found_floor(**changes: object) -> TargetFloor:
    """Docker's floor, 6 MiB, with changes."""
    values: dict[str, object] = {
        "box": "docker",
        "outcome": "found",
        "floor_bytes": 6 * MIB,
        "success_at_least": 0.37,
        "limit_ns": 10**10,
        "levels": (
            Level(memory_bytes=5 * MIB, tried=3, worked=1, why_not="evil | \x1b[31m<b>"),
            Level(memory_bytes=6 * MIB, tried=3, worked=3),
        ),
    }
    return TargetFloor.model_validate(values | changes)
