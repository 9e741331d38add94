"""Where the engine keeps what: offsets into its flat arrays of 64-bit integers, and the instructions of programs.

A kernel gets ten arrays: ``cell`` (single values), ``code`` (program and laws), ``rates`` (of nodes), ``nodes``,
``pieces`` (of work, one heap a node), ``locks``, ``jobs``, ``events`` (a heap), ``source`` (arrivals), ``trace``.
Times are ns since the start of the simulation.
"""

from __future__ import annotations

from typing import Final

NEVER: Final = (1 << 63) - 1

# Single values.
NOW: Final = 0
STATUS: Final = 1
SERIAL: Final = 2
"""Number of the next entry of any heap."""
EVENTS: Final = 3
"""Entries of the heap of events."""
CURSOR: Final = 4
"""The next arrival in ``source``."""
ARRIVALS: Final = 5
"""How many arrivals ``source`` holds."""
MORE: Final = 6
"""1: further arrivals follow when these are used up."""
FRESH: Final = 7
"""Places for jobs that were used at least once."""
FREE_JOB: Final = 8
"""First of the places that are free again, linked by J_NEXT; -1: none."""
ROOM_JOBS: Final = 9
ROOM_PIECES: Final = 10
"""Places for pieces of work, per node."""
NODES: Final = 11
WIDTH: Final = 12
"""Demands of a job."""
JOB_STRIDE: Final = 13
LAWS_AT: Final = 14
"""Where laws begin in ``code``."""
SHIFT: Final = 15
"""A unit of work is 2**-SHIFT ns of CPU time."""
LIMIT: Final = 16
"""The most work, ns, that a piece may have."""
SEED: Final = 17
RESIDENTS: Final = 18
RECYCLE: Final = 19
"""1: the place of a job that has ended is used again."""
ALIVE: Final = 20
"""Jobs that have arrived and not ended."""
CHANGED: Final = 21
"""When ALIVE last changed."""
AREA_ALIVE: Final = 22
"""Integral of ALIVE over time."""
SOJOURN: Final = 23
"""Sum of the times that ended jobs were alive."""
ENDED: Final = 24
LAST_END: Final = 25
ARRIVED: Final = 26
TRACED: Final = 27
ROOM_TRACE: Final = 28
PEAK_ALIVE: Final = 29
STEPS: Final = 30
"""Events that were handled: completions of pieces, ends of delays and grants of locks, arrivals."""
CROWDED: Final = 31
"""1: a node's speed follows how many jobs are alive."""
CELLS: Final = 32

# Values of STATUS.
GOING: Final = 0
DONE: Final = 1
"""Nothing is left to happen."""
HUNGRY: Final = 2
"""All given arrivals have been used and more are to follow."""
FULL_JOBS: Final = 3
"""An arrival found no place. It has not been used; more room, and the run goes on."""
FULL_PIECES: Final = 4
TOO_MUCH_WORK: Final = 5
ENDLESS: Final = 6
"""A job has run MOST_INSTRUCTIONS without waiting."""
NOT_HELD: Final = 7
"""A job has given back a unit of a lock of which all were free."""

MOST_INSTRUCTIONS: Final = 1 << 24

MOST_SERVED: Final = 1 << 62
"""A node that has served more units stops the run, before the sum leaves 64 bits."""

# A node: CPUs that share their pieces of work.
COUNT: Final = 0
"""Pieces that run."""
VIRTUAL: Final = 1
"""Work that a piece has received since the node was last idle, in units."""
CARRY: Final = 2
"""Units that were served and are not yet given to the pieces: fewer than pieces."""
SINCE: Final = 3
"""Up to when the node's numbers are right."""
SPEED: Final = 4
"""Units that all pieces together receive per ns, as things are."""
SHARE: Final = 5
"""The fields of a node up to here are all that ``share`` knows. A host of a fleet has the same ones."""
DUE: Final = 5
"""When the first piece is complete."""
CPUS: Final = 6
RATES_AT: Final = 7
"""Where the node's speeds begin in ``rates``, when 0, 1, ... CPUS CPUs work; see ``speeds``."""
CROWD_AT: Final = 8
"""Where it begins what a crowd of 0, 1, ... jobs leaves of that; 0: all of it, always."""
BUSY: Final = 9
"""Integral of the CPUs that work over time: CPU time, ns."""
AREA_PIECES: Final = 10
"""Integral of COUNT over time."""
SERVED: Final = 11
"""Units served."""
RECEIVED: Final = 12
"""Units that completed pieces have received."""
PEAK_PIECES: Final = 13
BUSY_AT_END: Final = 14
"""BUSY at the moment when the last job ended so far."""
NODE: Final = 15

# A lock: a FIFO resource with so many units.
FREE: Final = 0
CAPACITY: Final = 1
FIRST: Final = 2
"""The first job that waits; -1: none."""
LAST: Final = 3
WAITING: Final = 4
LOCK_SINCE: Final = 5
AREA_WAITING: Final = 6
"""Integral of WAITING over time."""
AREA_HELD: Final = 7
"""Integral of the units in use over time."""
PEAK_WAITING: Final = 8
PEAK_HELD: Final = 9
WAITED: Final = 10
"""Sum of the waits that have ended."""
GRANTS: Final = 11
REFUSED: Final = 12
LOCK: Final = 13

# A job.
J_PC: Final = 0
"""The instruction with which it goes on."""
J_BEGAN: Final = 1
"""When its wait for a lock, or its work, began."""
J_BORN: Final = 2
J_NEXT: Final = 3
J_LOOPS: Final = 4
J_DRAWS: Final = 5
J_NUMBER: Final = 6
"""Its number in order of arrival, from 0: the entity of its draws."""
J_LOCK_WAIT: Final = 7
J_WORK_WALL: Final = 8
"""Time in foreground work, ns."""
J_RECEIVED: Final = 9
"""Units of foreground work."""
J_ASKED: Final = 10
"""Foreground work that it asked for, ns."""
J_ENDED: Final = 11
"""When it ended; -1: not yet."""
J_DEMANDS: Final = 12
"""Its demands, and after them its marks: ns since the start of the simulation, -1 where it was not."""

# An arrival: time, entry into the program, then the demands.
ARRIVAL: Final = 2

# A line of the trace.
TRACE: Final = 3
"""Time, number of the job, instruction with which it went on."""

# Instructions: four integers each.
CODE: Final = 4
LAW: Final = 3
"""A law: its kind and two parameters."""

DELAY: Final = 0
WORK: Final = 1
SPAWN: Final = 2
ACQUIRE: Final = 3
TRY_ACQUIRE: Final = 4
RELEASE: Final = 5
MARK: Final = 6
JUMP: Final = 7
REPEAT: Final = 8
SKIP: Final = 9
END: Final = 10

WAITS: Final = -1
"""What an instruction returns, instead of the next one, when the job cannot go on now."""

GROWTH_BITS: Final = 10
"""Growth is in 2**-10 ns of CPU time per box."""
PRIORITY: Final = 1 << 60
"""Orders of events: grants of locks are below it, ends of delays above."""
LAW_PURPOSE: Final = 1 << 8
"""Purpose of the draws of the first law; see ``rng``."""
