"""The largest numbers that simulations take: one place for model files, tables, options and the engine."""

from __future__ import annotations

from typing import Final

MOST_CPUS: Final = 1 << 16
"""Of a host."""
MOST_BOXES: Final = 1_000_000
"""On one host."""
MOST_BYTES: Final = 1 << 60
"""Of a host's memory, and of a box's."""
MOST_NS: Final = 1e14
"""28 hours: a start that takes longer is a mistake in a number, and sums of such times leave 64 bits."""
MOST_TABLE_NS: Final = MOST_NS / 2
"""Of a time in a table. A fit draws parameters around it, and none of them may be above ``MOST_NS``."""
MOST_SCATTER: Final = 2.0
"""The largest standard deviation of the logarithm of single starts: a factor of 7 up or down is no scatter."""
MOST_FACTOR: Final = 1e6
"""The largest factor of a box's times: luck beyond it is cut there."""
MOST_LOG_SD: Final = 3.0
"""The largest standard deviation of a logarithm of errors."""
MOST_TRIALS: Final = 1 << 20
"""Of one question: each has luck of its own."""
MOST_SEED: Final = (1 << 43) - 1
"""The largest seed of a question: no two trials of two seeds have the same luck (``host.luck.trial_seed``)."""
