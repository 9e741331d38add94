"""wrk with ``--latency``: requests and bytes per second, latency percentiles. Error responses fail the exercise."""

from __future__ import annotations

import re
from typing import Final

from bench.run.exercise.parsers.text import duration_ns, first_number
from bench.run.exercise.result import Parsed

_BYTES: Final = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}
_PERCENTILE: Final = re.compile(r"^\s+(50|75|90|99)%\s+([0-9.]+\w+)\s*$", re.MULTILINE)
_TRANSFER: Final = re.compile(r"^Transfer/sec:\s+([0-9.]+)([KMG]?)B\s*$", re.MULTILINE)
_ERRORS: Final = re.compile(r"^\s+(Non-2xx or 3xx responses:.*|Socket errors:.*)$", re.MULTILINE)


def parse(text: str) -> Parsed:
    """Rates and latencies. Raises ValueError: requests have failed, so the rate would mislead."""
    wrong = _ERRORS.search(text)
    if wrong is not None:
        raise ValueError(f"not every request was answered: {wrong[1].strip()}")
    values = {"requests_per_s": first_number(r"^Requests/sec:\s+([0-9.]+)", text)}
    transfer = _TRANSFER.search(text)
    if transfer is not None:
        values["transfer_bytes_per_s"] = float(transfer[1]) * _BYTES[transfer[2]]
    values |= {f"p{percent}_ns": duration_ns(value) for percent, value in _PERCENTILE.findall(text)}
    return Parsed(values, first_number(r"^\s+(\d+) requests in ", text))
