"""pgbench: transactions per second and mean latency; its summary has no percentiles."""

from __future__ import annotations

from bench.run.exercise.parsers.text import first_number
from bench.run.exercise.result import Parsed


def parse(text: str) -> Parsed:
    """Rate and latency. Raises ValueError: a transaction has failed, so the rate would mislead."""
    failed = first_number(r"^number of failed transactions: (\d+)", text) if "failed transactions" in text else 0
    if failed:
        raise ValueError(f"{failed:.0f} transactions failed")
    values = {
        "transactions_per_s": first_number(r"^tps = ([0-9.]+)", text),
        "latency.mean_ns": first_number(r"^latency average = ([0-9.]+) ms", text) * 1e6,
    }
    for line, name in (("latency stddev", "stddev"), ("initial connection time", "connect")):
        if line in text:
            values[f"latency.{name}_ns"] = first_number(rf"^{line} = ([0-9.]+) ms", text) * 1e6
    return Parsed(values, first_number(r"^number of transactions actually processed: (\d+)", text))
