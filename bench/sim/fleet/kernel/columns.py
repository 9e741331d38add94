"""Where a fleet's state lies, and what it means: one array of integers and one of real numbers, for the step loop.

A table has rows of so many columns one after another; a kernel reads ``m[m[c.BOX_AT] + row * c.BOX_COLUMNS + column]``.
There is one array because numba counts references to each array of each call. All times are ns, all memory is pages.
"""

from __future__ import annotations

from typing import Final

from bench.sim.engine.arrays import Floats, Ints
from bench.sim.engine.layout import COUNT, SHARE, SPEED
from bench.sim.engine.layout import VIRTUAL as _VIRTUAL

Integers = Ints
Reals = Floats

PAGE_BYTES: Final = 4096
"""Memory is counted in whole pages, so that memory times time fits two integers."""
NEVER: Final = 2**62
NONE: Final = -1

# How a box, or a host, is.
FREE, STARTING, BUSY, IDLE = 0, 1, 2, 3
OFF, ON, BOOTING, DOWN = 0, 1, 2, 3

# Policies of placement.
FIRST_FIT, BEST_FIT, SPREAD, PACK = 0, 1, 2, 3

# Columns of `box`: one row per box that lives.
(
    STATE, HOST, FUNCTION, PAGES, STAGE, STEP, SINCE, ARRIVED, DURATION, NUMBER, BORN, STARTED, IDLE_SINCE, GENERATION,
    FUNCTION_BEFORE, FUNCTION_AFTER, IDLE_BEFORE, IDLE_AFTER, HOST_BEFORE, HOST_AFTER, LOCK_AFTER, LOCK_WAITED,
) = range(22)  # fmt: skip
BOX_COLUMNS: Final = 22
# SINCE: the instant from which the start delay counts: the arrival, or the loss of the former box.
# ARRIVED: of the invocation; NONE: the box is a refill of the pre-warmed pool.
# FUNCTION_BEFORE ...: neighbours in lists. A free row keeps the next free row in FUNCTION_AFTER.
# LOCK_WAITED: how long the start has waited for the lock of its host, over all of its stages, ns.

# Steps of a stage, in STEP: what the box does next.
TO_DELAY, TO_LOCK, TO_HOLD_WORK, TO_HOLD_DELAY, TO_RELEASE, TO_WORK, TO_END = range(7)

# Columns of `host`.
(
    HOST_STATE, FREE_PAGES, BOXES, ALIVE, ROOT, HOLDER, LOCK_FIRST, LOCK_LAST, BOX_FIRST, STARTS_NOW, IDLE_PAGES, BACK,
    BOOTS, TOGETHER_BOXES, PICKED_PAGES, PICKED_BOXES, SHARED_AT,
) = range(17)  # fmt: skip
HOST_COLUMNS: Final = SHARED_AT + SHARE
RUNNING: Final = SHARED_AT + COUNT
VIRTUAL: Final = SHARED_AT + _VIRTUAL
SPEED_NOW: Final = SHARED_AT + SPEED
# BOXES: all that take memory. ALIVE: those that are up. STARTS_NOW: those that are not up yet. IDLE_PAGES: of idle
# boxes. BACK: the state of a host that is down once it is repaired. BOOTS: how often it was switched on or has failed:
# a timer of an earlier boot means nothing. TOGETHER_BOXES: of all VMs of a real host, in the row of its first one.
# PICKED_PAGES, PICKED_BOXES: idle boxes that a search has picked to make room, 0 outside of it. SHARED_AT: here begins
# what ``bench.sim.engine.share`` knows of a host: the pieces of CPU work that are RUNNING, the work that each piece has
# received since the host was last without work (VIRTUAL), and the work that they get per ns (SPEED_NOW).

# Columns of `piece`: CPU work in progress; the rows of a host form a skew heap.
ENDS, PIECE_SERIAL, WORKER, LEFT, RIGHT = range(5)
PIECE_COLUMNS: Final = 5
# WORKER: the box that waits for it; NONE: background work. A free row keeps the next free row in LEFT.

# Columns of `function`.
FUNCTION_PAGES, IDLE_FIRST, IDLE_COUNT, REFILLING, PICKED = range(5)
FUNCTION_COLUMNS: Final = 5
# PICKED: idle boxes that a search has picked to make room, 0 outside of it.

# Columns of `queue`, a ring of invocations for which no host has room.
Q_ARRIVED, Q_SINCE, Q_FUNCTION, Q_DURATION, Q_NUMBER = range(5)
QUEUE_COLUMNS: Final = 5

# Kinds of timers.
GRANTED, BOX_GOES_ON, RUN_ENDS, HOST_IS_UP = range(4)
TIMER_KINDS: Final = 4

# Columns of `change`: what happens to hosts from outside, in order of time.
C_TIME, C_HOST, C_UP = range(3)
CHANGE_COLUMNS: Final = 3

# Columns of `stage`.
DELAY, WORK, BACKGROUND, HOLD_WORK, HOLD_DELAY = range(5)
STAGE_COLUMNS: Final = 5

# Everything below lies at the beginning of the one array of integers.

# Counters, and where things begin.
(
    NOW, SERIAL, BOX_FREE, BOX_USED, PIECE_FREE, PIECE_USED, TIMERS, QUEUE_FIRST, QUEUED_NOW, IDLE_OLDEST, IDLE_NEWEST,
    DRAIN, REFILL_AT, CURSOR, NEXT_CHANGE, SCALE_AT, SCALED_AT, IN_SYSTEM, HOSTS_USED, HOSTS_ON, HOSTS_BOOTING,
    PAGES_USED, BOXES_LIVE,
    ARRIVALS, COMPLETED, COLD, WARM, QUEUED, REJECTED, LOST, LOST_BOXES, STARTS, REFILLS, REFILLS_REFUSED, EXPIRED,
    EVICTED, STEPS, PEAK_HOSTS, PEAK_ON, PEAK_PAGES, PEAK_BOXES, PEAK_QUEUE, LEAST_FREE, PEAK_ON_HOST, PEAK_STARTS,
    OPEN_AT_FIRST,
) = range(46)  # fmt: skip

# OPEN_AT_FIRST: hosts that are on when the run begins; 0 once they are.

# Settings.
(
    CPUS, CAPACITY, BOX_LIMIT, QUEUE_LIMIT, KEEP_ALIVE, PREWARMED, POLICY, SEED, HORIZON, REST_ONLY,
    SCALE_EVERY, SCALE_DELAY, SCALE_COOLDOWN, SCALE_LEAST, SCALE_TARGET, SHIFT,
) = range(46, 62)  # fmt: skip
# QUEUE_LIMIT: 0 rejects at once. REST_ONLY: a lost invocation runs only for its rest. SCALE_EVERY: 0 without an
# autoscaler. SCALE_TARGET: wanted use of memory, in parts of 10,000.

# Sums that need two integers each, (billions, rest).
(
    SUM_SYSTEM, SUM_SOJOURN, SUM_HOSTS, SUM_HOSTS_ON, SUM_PAGES, SUM_LIVES, SUM_IDLE_PAGES, SUM_CPU, SUM_START_WORK,
    SUM_LOCK_WAIT, SUM_WAITING, SUM_ROOM_WAIT,
) = range(62, 86, 2)  # fmt: skip
# SUM_SYSTEM: invocations in the system times ns. SUM_SOJOURN: the same, summed over invocations. SUM_PAGES: pages in
# use times ns. SUM_LIVES: the same, summed over boxes. SUM_CPU: busy CPU time of starts. SUM_START_WORK: their work.

# Lengths of tables.
(
    BOX_ROWS, PIECE_ROWS, TIMER_ROWS, QUEUE_ROWS, FUNCTIONS, HOSTS, LEAVES, CHANGES, STAGES, BUCKETS,
) = range(86, 96)  # fmt: skip

# Where tables begin, in this array; FACTOR and HOST_FACTOR in the array of real numbers.
(
    BOX_AT, PIECE_AT, TIMER_AT, QUEUE_AT, FUNCTION_AT, HOST_AT, ROOM_AT, FINISH_AT, ORDER_AT, PLACE_AT, KEY_AT,
    CHANGE_AT, STAGE_AT, SPEED_AT, HISTOGRAM_AT, BOUND_AT, FACTOR_AT, HOST_FACTOR_AT,
) = range(96, 114)  # fmt: skip
# ROOM: a tree of the largest free memory, (2 * LEAVES,); a host that takes no box has -1. FINISH: a tree of the
# earliest end of work. ORDER: hosts in ascending order of the KEY and their index; PLACE: where each host is in it.
# SPEED: work that all pieces of a host together receive per ns when 0, 1, ... CPUS CPUs work, in units of work.

# What 0, 1, ... starts on a host leave of its speed: (CROWD_ROWS,); one row where that is all of it.
CROWD_AT, CROWD_ROWS = range(114, 116)

# How a run ends, when it stops to be looked at, and what cold starts have waited for.
HOSTS_DOWN, COLD_BEGUN, WAIT_LIMIT, WINDOW_AT = range(116, 120)
SUM_COLD_DELAY, SUM_COLD_START, SUM_COLD_LOCK = range(120, 126, 2)
REACH_AT, TOGETHER = range(126, 128)
SCALARS: Final = 128
# COLD_BEGUN: cold starts that have come so far that the invocation computes. WAIT_LIMIT: when a run ends at the latest
# that waits for hosts alone. WINDOW_AT: the next instant at which the step loop is looked at; NEVER: there is none.
# REACH: a tree as ROOM, of free memory with that of idle boxes. TOGETHER: so many hosts, one after another, are VMs on
# one real host. HOSTS_USED: real hosts with boxes.
# SUM_COLD_DELAY: start delays of invocations whose box was started for them. SUM_COLD_START: of these delays, the part
# from the making of the box on. SUM_COLD_LOCK: of these, waits for the lock. Each sum has two integers, as above.

# The array of real numbers: the growth of the hold, equally probable factors of a box, then factors of hosts and boxes.
GROWTH_AT: Final = 0
LUCK_AT: Final = 1
LUCKS: Final = 2**16

# Rows of the histogram.
H_DELAY, H_RESPONSE, H_RESTART = range(3)
HISTOGRAMS: Final = 3

# What `run` returns.
DONE, NEXT_CHUNK, MORE_ROOM, PAUSED, WINDOW = 0, 1, 2, 3, 4
