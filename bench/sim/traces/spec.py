"""A trace as people name it: a file or directory, a shipped sample, or a law with its numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from bench.sim.traces.azure_2019 import INVOCATIONS_HEAD, read_azure_2019
from bench.sim.traces.azure_2021 import HEAD, read_azure_2021
from bench.sim.traces.azure_packing import Early, read_azure_packing
from bench.sim.traces.cold import Durations
from bench.sim.traces.generate import Bursts, Diurnal, Generated, Poisson, Rate, zipf_rates
from bench.sim.traces.text import opened_text
from bench.sim.traces.trace import TraceError, TraceSource
from bench.sim.traces.within import Within
from bench.util.units import parse_bytes, parse_duration_ns

SAMPLES: Final = Path(__file__).parent / "samples"
"""Small synthetic traces in each format, made by ``bench.sim.traces.synthesize``."""
_SAMPLE: Final = "sample:"
_SQLITE: Final = b"SQLite format 3\x00"
_LAWS: Final = ("poisson", "bursts", "diurnal")
_KEYS: Final[Mapping[str, str]] = {
    "rate": "10",
    "functions": "1",
    "zipf": "0",
    "duration": "",
    "duration_sd": "0",
    "length": "60min",
    "memory": "",
    "on": "",
    "off": "",
    "swing": "",
}
"""With the values that hold when a key is not given; an empty one is no value."""
_ONLY: Final = {"on": "bursts", "off": "bursts", "swing": "diurnal"}
_EXAMPLE: Final = "poisson:rate=10,duration=200ms,length=60min"
_MOST_FUNCTIONS: Final = 100_000

Number = TypeVar("Number", int, float)


@dataclass(frozen=True, kw_only=True)
class TraceOptions:
    """What a file does not say.

    Attributes:
        within: rule for times within a minute, of counts per minute.
        durations: whether durations contain cold starts.
        host_memory_bytes: the host that shares of memory are taken of; None: unknown.
        machine: the machine of the trace for packing; None: its first.
        early: what becomes of VMs that started before the trace.
    """

    within: Within = "uniform"
    durations: Durations = "check"
    host_memory_bytes: int | None = None
    machine: int | None = None
    early: Early = "leave-out"


def open_trace(text: str, options: TraceOptions | None = None) -> TraceSource:
    """The trace of a name.

    Args:
        text: ``FILE``, ``DIR``, ``sample:azure-2021``, or a law such as ``poisson:rate=10,duration=200ms,length=60min``
            (rate per second of all functions together).

    Raises:
        TraceError: there is no such file or sample, it is of no known format, or a law's numbers are wrong.
    """
    options = options or TraceOptions()
    law, _, values = text.partition(":")
    if law in _LAWS:
        return _generated(law, _values(text, values))
    path = sample(text.removeprefix(_SAMPLE)) if text.startswith(_SAMPLE) else Path(text)
    if path.is_dir():
        _only_checked(options, "counts per minute of 2019", text)
        return read_azure_2019(path, within=options.within)
    if _begins(path, _SQLITE):
        if options.host_memory_bytes is None:
            raise TraceError(
                f"{text}: its VMs take shares of a host, and the host's memory is not known", hint="state the memory"
            )
        return read_azure_packing(
            path, host_memory_bytes=options.host_memory_bytes, machine=options.machine, early=options.early
        )
    return _invocations(path, options)


def trace_files(text: str) -> tuple[Path, ...]:
    """The files that a name stands for; none of a law. Raises TraceError: there is no such sample."""
    if text.partition(":")[0] in _LAWS:
        return ()
    path = sample(text.removeprefix(_SAMPLE)) if text.startswith(_SAMPLE) else Path(text)
    if path.is_dir():
        return tuple(sorted(file for file in path.iterdir() if file.is_file()))
    return (path,) if path.is_file() else ()


def samples() -> tuple[str, ...]:
    """Names of the shipped samples."""
    return tuple(sorted(entry.name.partition(".")[0] for entry in SAMPLES.iterdir()))


def sample(name: str) -> Path:
    """The place of a shipped sample. Raises TraceError: there is none of this name."""
    found = [entry for entry in SAMPLES.iterdir() if entry.name.partition(".")[0] == name]
    if not found:
        raise TraceError(f"there is no sample trace {name!r}", hint=f"name one of {', '.join(samples())}")
    return found[0]


def _invocations(path: Path, options: TraceOptions) -> TraceSource:
    with opened_text(path) as stream:
        head = next(stream, "").rstrip("\r\n").split(",")
    if tuple(head[:3]) == INVOCATIONS_HEAD[:3]:
        raise TraceError(
            f"{path}: counts per minute without their durations", hint="name the directory of the trace's files"
        )
    if head[:1] != list(HEAD[:1]):
        raise TraceError(
            f"{path}:1: the first column is {head[0][:60]!r}; known are {','.join(HEAD)} (2021) and a directory of "
            "the files of 2019",
            hint="docs/sweeps.md lists the formats",
        )
    return read_azure_2021(path, durations=options.durations)


def _only_checked(options: TraceOptions, what: str, text: str) -> None:
    if options.durations == "cold":
        raise TraceError(
            f"{text}: cold starts cannot be taken out of {what}: there are no single invocations",
            hint="leave --durations out if the durations are without cold starts",
        )


def _begins(path: Path, magic: bytes) -> bool:
    try:
        with path.open("rb") as stream:
            return stream.read(len(magic)) == magic
    except OSError as error:
        raise TraceError(
            f"{path}: {error.strerror}", hint=f"name a trace, a sample ({', '.join(samples())}), or {_EXAMPLE}"
        ) from None


def _values(text: str, values: str) -> dict[str, str]:
    found: dict[str, str] = {}
    law = text.partition(":")[0]
    for item in filter(None, values.split(",")):
        key, equals, value = item.partition("=")
        if key not in _KEYS or not equals or key in found or _ONLY.get(key, law) != law:
            known = [key for key in _KEYS if _ONLY.get(key, law) == law]
            raise TraceError(f"{text}: {item!r} is not one of {', '.join(known)} with a value", hint=_EXAMPLE)
        found[key] = value
    return {**_KEYS, **found}


def _generated(law: str, values: Mapping[str, str]) -> Generated:
    functions = _number(law, values, "functions", int, least=1, most=_MOST_FUNCTIONS)
    length_ns = _number(law, values, "length", parse_duration_ns, least=1)
    rate_per_s = _number(law, values, "rate", float, least=0)
    duration_ns = _number(law, values, "duration", parse_duration_ns, least=0)
    memory = _number(law, values, "memory", parse_bytes, least=0) if values["memory"] else None
    return Generated(
        rate=_rate(law, values, length_ns),
        rates_per_s=zipf_rates(rate_per_s, functions, exponent=_number(law, values, "zipf", float, least=0, most=10)),
        duration_ns=(duration_ns,) * functions,
        duration_sd=_number(law, values, "duration_sd", float, least=0, most=10),
        length_ns=length_ns,
        function_memory_bytes=None if memory is None else (memory,) * functions,
    )


def _rate(law: str, values: Mapping[str, str], length_ns: int) -> Rate:
    if law == "bursts":
        on_ns, off_ns = (_number(law, values, key, parse_duration_ns, least=1) for key in ("on", "off"))
        return Bursts(on_ns=on_ns, off_ns=off_ns, length_ns=length_ns)
    if law == "diurnal":
        return Diurnal(swing=_number(law, values, "swing", float, least=0, most=1))
    return Poisson()


def _number(
    law: str,
    values: Mapping[str, str],
    key: str,
    parse: Callable[[str], Number],
    *,
    least: float,
    most: float = math.inf,
) -> Number:
    text = values[key]
    value: Number | None = None
    with suppress(ValueError):
        value = parse(text)
    if value is None or not least <= value <= most or not math.isfinite(value):
        wanted = f"from {least:g}" + (f" to {most:g}" if most < math.inf else " on")
        given = repr(text) if text else "missing"
        raise TraceError(f"{law}: {key} is {given}; expected a value {wanted}", hint=f"write it like {_EXAMPLE}")
    return value
