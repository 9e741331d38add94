"""A trace as people name it: a file or directory, a shipped sample, or a law with its numbers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.sim.traces.azure_2019 import INVOCATIONS_HEAD, is_file_of_2019, read_azure_2019
from bench.sim.traces.azure_2021 import HEAD, read_azure_2021
from bench.sim.traces.azure_packing import Early, read_azure_packing
from bench.sim.traces.cold import Durations
from bench.sim.traces.kept import Kept
from bench.sim.traces.law import LAWS, is_law, read_law
from bench.sim.traces.text import check_regular, read_head
from bench.sim.traces.trace import TraceError, TraceSource
from bench.sim.traces.within import Within
from bench.util.cache import content_key, file_digest

SAMPLES: Final = Path(__file__).parent / "samples"
"""Small synthetic traces in each format, made by ``bench.sim.traces.synthesize``."""
_SAMPLE: Final = "sample:"
_SQLITE: Final = b"SQLite format 3\x00"


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
    """The trace of a name. It keeps the invocations of the latest seed, unless they are too many.

    Args:
        text: ``FILE``, ``DIR``, ``sample:azure-2021``, or a law such as ``poisson:rate=10,duration=200ms,length=60min``
            (rate per second of all functions together).

    Raises:
        TraceError: there is no such file or sample, it is of no known format, or a law's numbers are wrong.
    """
    options = options or TraceOptions()
    return Kept(read_law(text) if is_law(text) else _opened(text, options))


def _opened(text: str, options: TraceOptions) -> TraceSource:
    path = _path(text)
    if path.is_dir():
        _only_checked(options, "counts per minute of 2019", text)
        return read_azure_2019(path, within=options.within)
    if _is_sqlite(path):
        if options.host_memory_bytes is None:
            raise TraceError(
                f"{text}: its VMs take shares of a host, and the host's memory is not known", hint="state the memory"
            )
        return read_azure_packing(
            path, host_memory_bytes=options.host_memory_bytes, machine=options.machine, early=options.early
        )
    return _invocations(path, options)


def is_random(text: str) -> bool:
    """Whether another seed gives other invocations: a law, or counts per minute. Raises TraceError."""
    return is_law(text) or _path(text).is_dir()


def takes_shares(text: str) -> bool:
    """Whether the trace's memory is shares of a host's, so that another host makes another trace. Raises TraceError."""
    return not is_law(text) and not _path(text).is_dir() and _is_sqlite(_path(text))


def trace_digest(text: str) -> str:
    """A digest of the content of all files that a name stands for; empty for a law. Raises TraceError: no such file."""
    if is_law(text):
        return ""
    path = _path(text)
    try:
        files = sorted(file for file in path.iterdir() if is_file_of_2019(file.name)) if path.is_dir() else [path]
        for file in files:
            check_regular(file)
        return content_key(*(part for file in files for part in (file.name, file_digest(file))))
    except OSError as error:
        raise TraceError(f"{text}: {error.strerror}", hint="name a trace file that can be read") from None


def samples() -> tuple[str, ...]:
    """Names of the shipped samples."""
    return tuple(sorted(entry.name.partition(".")[0] for entry in SAMPLES.iterdir()))


def sample(name: str) -> Path:
    """The place of a shipped sample. Raises TraceError: there is none of this name."""
    found = [entry for entry in SAMPLES.iterdir() if entry.name.partition(".")[0] == name]
    if not found:
        raise TraceError(f"there is no sample trace {name!r}", hint=f"name one of {', '.join(samples())}")
    return found[0]


def _path(text: str) -> Path:
    """Of a file, a directory, or a sample. Raises TraceError: a path that cannot be, or no such sample."""
    if "\0" in text:
        raise TraceError("the trace's name has a NUL character", hint="name a file")
    return sample(text.removeprefix(_SAMPLE)) if text.startswith(_SAMPLE) else Path(text)


def _invocations(path: Path, options: TraceOptions) -> TraceSource:
    head = read_head(path)
    if tuple(head[:3]) == INVOCATIONS_HEAD[:3]:
        raise TraceError(
            f"{path}: counts per minute without their durations", hint="name the directory of the trace's files"
        )
    if head[:1] != list(HEAD[:1]):
        raise TraceError(
            f"{path}:1: the first column is {head[0][:60]!r}; known are {','.join(HEAD)} (2021) and a directory of "
            "the files of 2019",
            hint="docs/how-to/sweeps.md lists the formats",
        )
    return read_azure_2021(path, durations=options.durations)


def _only_checked(options: TraceOptions, what: str, text: str) -> None:
    if options.durations == "cold":
        raise TraceError(
            f"{text}: cold starts cannot be taken out of {what}: there are no single invocations",
            hint="leave --durations out if the durations are without cold starts",
        )


def _is_sqlite(path: Path) -> bool:
    hint = f"name a trace, a sample ({', '.join(samples())}), or a law such as {LAWS['poisson']}"
    check_regular(path, hint=hint)
    try:
        with path.open("rb") as stream:
            return stream.read(len(_SQLITE)) == _SQLITE
    except OSError as error:
        raise TraceError(f"{path}: {error.strerror}", hint=hint) from None
