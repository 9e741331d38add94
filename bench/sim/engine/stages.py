"""The instructions of a stage of a start, for storms of one target and for hosts that several targets share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bench.sim.engine.program import Program

STAGE: Final = 5
"""Values of a stage: delay, work, background, hold_work, hold_delay, in ns."""
ALL: Final = (True,) * STAGE


def add_stage(program: Program, number: int, *, growth: int, lock: int = 0, used: Sequence[bool] = ALL) -> None:
    """Append a stage to a program.

    Args:
        number: of the stage, from 0: the demands from ``number * STAGE`` on are its values.
        growth: the demand that holds the growth of the hold.
        used: (STAGE,) whether the value is above 0 in any job; instructions for the others are left out, which changes
            nothing, since a demand of 0 is no event.
    """
    delay, work, background, hold_work, hold_delay = range(number * STAGE, (number + 1) * STAGE)
    delays, works, backgrounds, hold_works, hold_delays = used
    if backgrounds:
        program.spawn(background)
    if delays:
        program.delay(delay)
    if hold_works or hold_delays:
        program.skip_if_zero(hold_work, hold_delay, program.here + 5)
        program.acquire(lock)
        program.work(hold_work, grows_by=growth)
        program.delay(hold_delay)
        program.release(lock)
    if works:
        program.work(work)
