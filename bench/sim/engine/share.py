"""Processor sharing by virtual time: what the pieces of work on a node receive, and when the first of them is complete.

``n`` pieces share the node's total speed, in units of work (of 2**-SHIFT ns) per ns. In ``t`` ns each piece receives
``(t * speed + carry) // n`` units and the remainder is carried: no work is lost or made. A piece of work ``w`` that
begins at the node's virtual time V is complete at V + w: one heap per node, O(log n) per change. It completes at the
first whole ns at which it has received its work, so an event is late by less than 1 ns, and what it received beyond its
work (less than 1 ns of work) is counted as received.

Whoever changes the pieces or the speed of a node brings it up to now before, and plans its next completion after. To
do it more often changes nothing. A node is the fields of ``layout`` before SHARE, anywhere in an array: networks and
storms have them in ``nodes``, fleets in the rows of their hosts.
"""

from __future__ import annotations

from bench.sim.engine.arrays import Ints
from bench.sim.engine.jit import inlined
from bench.sim.engine.layout import CARRY, COUNT, NEVER, SINCE, SPEED, VIRTUAL


@inlined
def advance(nodes: Ints, at: int, now: int) -> int:
    """Give the pieces of the node at ``at`` what they have received until now.

    Returns for how long they received it, ns; 0 where no piece runs.
    """
    elapsed = now - nodes[at + SINCE]
    nodes[at + SINCE] = now
    count = nodes[at + COUNT]
    if elapsed == 0 or count == 0:
        return 0
    given = nodes[at + SPEED] * elapsed + nodes[at + CARRY]
    each = given // count
    nodes[at + VIRTUAL] += each
    nodes[at + CARRY] = given - each * count
    return elapsed


@inlined
def due(nodes: Ints, at: int, first: int) -> int:
    """When the first piece of a node that is up to date is complete, if nothing changes.

    Args:
        first: the virtual time at which it is. Without meaning where no piece runs, which is never complete.
    """
    count = nodes[at + COUNT]
    if count == 0:
        return NEVER
    missing = (first - nodes[at + VIRTUAL]) * count - nodes[at + CARRY]
    if missing <= 0:
        return nodes[at + SINCE]
    speed = nodes[at + SPEED]
    return nodes[at + SINCE] + (missing + speed - 1) // speed
