"""Programs: the instructions that the jobs of a network run."""

from __future__ import annotations

import math
from typing import Final

from bench.sim.engine import layout as at


def law(number: int) -> int:
    """The operand that draws from a network's law with this number; other operands are a job's demands."""
    return -number - 1


class Program:
    """Instructions for jobs. Each method appends one; targets of jumps are positions, see ``here``.

    Operands are the number of a demand of the job, or ``law(number)``. A job begins at the entry that its arrival
    names, runs until ``end``, and must release what it has acquired.
    """

    def __init__(self) -> None:
        self.code: list[int] = []

    @property
    def here(self) -> int:
        """The position of the next instruction."""
        return len(self.code) // at.CODE

    @property
    def rows(self) -> list[list[int]]:
        """The instructions."""
        return [self.code[first : first + at.CODE] for first in range(0, len(self.code), at.CODE)]

    def _add(self, kind: int, a: int = 0, b: int = 0, c: int = 0) -> Program:
        self.code += [kind, a, b, c]
        return self

    def delay(self, operand: int) -> Program:
        """Let time pass without a resource."""
        return self._add(at.DELAY, operand)

    def work(self, operand: int, node: int = 0, *, grows_by: int | None = None) -> Program:
        """Work on a node, which all its pieces of work share, each on at most one CPU.

        Args:
            grows_by: the demand that holds, in 2**-GROWTH_BITS ns, by how much the work grows with each job that has
                ended and each resident.
        """
        return self._add(at.WORK, operand, node, 0 if grows_by is None else grows_by + 1)

    def spawn(self, operand: int, node: int = 0) -> Program:
        """Begin work on a node that the job does not wait for."""
        return self._add(at.SPAWN, operand, node)

    def acquire(self, lock: int = 0) -> Program:
        """Take one unit of a lock, after all that asked before."""
        return self._add(at.ACQUIRE, lock)

    def try_acquire(self, lock: int, otherwise: int) -> Program:
        """Take one unit of a lock if one is free, else go to ``otherwise``."""
        return self._add(at.TRY_ACQUIRE, lock, otherwise)

    def release(self, lock: int = 0) -> Program:
        """Give one unit of a lock back."""
        return self._add(at.RELEASE, lock)

    def mark(self, number: int) -> Program:
        """Note the time."""
        return self._add(at.MARK, number)

    def jump(self, target: int) -> Program:
        """Go to another instruction."""
        return self._add(at.JUMP, target)

    def repeat(self, times: int, target: int) -> Program:
        """Go to ``target`` until this instruction was reached ``times`` times. One such loop at a time per job."""
        return self._add(at.REPEAT, times, target)

    def skip_if_zero(self, first: int, second: int, target: int) -> Program:
        """Go to ``target`` if both demands are 0."""
        return self._add(at.SKIP, first, second, target)

    def end(self) -> Program:
        """The job leaves."""
        return self._add(at.END)

    @property
    def spawns(self) -> int:
        """How often a job can begin background work, unless it jumps back."""
        rows = self.rows
        total = 0
        for place, row in enumerate(rows):
            if row[0] == at.SPAWN:
                loops = [times for kind, times, to, _ in rows[place:] if kind == at.REPEAT and to <= place]
                total += math.prod(loops)
        return total


OPERANDS: Final = {
    at.DELAY: ("amount",),
    at.WORK: ("amount", "node", "growth"),
    at.SPAWN: ("amount", "node"),
    at.ACQUIRE: ("lock",),
    at.TRY_ACQUIRE: ("lock", "target"),
    at.RELEASE: ("lock",),
    at.MARK: ("mark",),
    at.JUMP: ("target",),
    at.REPEAT: ("times", "target"),
    at.SKIP: ("demand", "demand", "target"),
    at.END: (),
}
"""What the operands of an instruction name."""
