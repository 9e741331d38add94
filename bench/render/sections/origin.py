"""Where the numbers of a report come from when no box ran for them: the sentences at its top."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from bench.analysis.sources import NOT_MEASURED, source_word
from bench.records.manifest import Manifest, OriginEntry
from bench.records.record import Record
from bench.render.text import clean, quantity


def origin_text(manifest: Manifest, records: Sequence[Record]) -> str:
    """What the numbers are, of which host, and how to measure one's own; empty when boxes gave all of them."""
    word = source_word(records)
    if not word:
        return ""
    origin = manifest.origin
    if origin is None or word != origin.source:
        return f"Not all measured: these numbers are {word}."
    lead = f"{word.capitalize()}: these numbers are {NOT_MEASURED[word]}."
    return f"{lead} {_whence(manifest, origin)} Measure your own: `{measure_command(manifest)}`."


def _whence(manifest: Manifest, origin: OriginEntry) -> str:
    host = _host(manifest.host)
    if origin.source == "replayed":
        return (
            f"Campaign {clean(origin.name)} measured them on {host}, on {clean(manifest.created_at[:10])}, with "
            f"boxbench {clean(origin.boxbench)}."
        )
    draw = "the centre of its parameters" if origin.draw is None else f"draw {origin.draw} of its parameters"
    return (
        f"The model is {clean(origin.name)} ({clean(origin.digest[:19])}…), {draw}, fitted to measurements on {host} "
        f"with boxbench {clean(origin.boxbench)}."
    )


def _host(facts: Mapping[str, object]) -> str:
    """``a host with Intel(R) Xeon(R) Processor, 2 CPUs, 23.5 GiB, debian 13 (fingerprint 5f1d0c2ab877)``."""
    memory = facts.get("memory_bytes")
    parts = [
        facts.get("description") or facts.get("cpu_model"),
        None if (cpus := facts.get("cpus_online")) is None else f"{cpus} CPU{'' if cpus == 1 else 's'}",
        quantity(memory, "bytes") if isinstance(memory, int) else None,
        facts.get("distribution"),
    ]
    known = ", ".join(clean(str(part)) for part in parts if part)
    mark = facts.get("fingerprint")
    name = f"a host with {known}" if known else "a host of which nothing is known"
    return f"{name} (fingerprint {clean(str(mark))})" if mark else name


def measure_command(manifest: Manifest) -> str:
    """The command that measures these scenarios and targets on the reader's host."""
    if manifest.origin is not None and not manifest.origin.given:
        return "boxbench quickstart"
    names = list(manifest.scenarios)
    labels = dict.fromkeys(spec.label for entry in manifest.scenarios.values() for spec in entry.scenario.targets)
    return clean(shlex.join(["boxbench", "run", *names, "-t", ",".join(labels)]))
