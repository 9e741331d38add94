"""What the random numbers of traces are for; each purpose has numbers of its own."""

from __future__ import annotations

from enum import IntEnum


class Purpose(IntEnum):
    """The purpose of ``bench.sim.engine.rng.uniforms``. The entity is always the function."""

    WITHIN = 0x5400
    """The place of an invocation in its minute or slot."""
    PHASE = 0x5401
    """The place of a function's equidistant invocations."""
    DURATION = 0x5402
    """The duration of an invocation."""
    COUNT = 0x5403
    """How many invocations a slot has."""
    TURN = 0x5404
    """How long a burst or a pause is."""
    SAMPLE = 0x5405
    """Numbers of the shipped synthetic traces."""
