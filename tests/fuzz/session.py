"""A long run over many readers: work is divided into jobs, which a pool of processes takes one after another.

A job is one reader, some hundred inputs and a number. Its inputs depend on the seed and on that number alone. Most of
them are made by the reader's own ``mutate`` from a plain ``Random``, which is fast. One in twenty is drawn by
hypothesis, which makes a failing input small. Inputs with a new kind of outcome become seeds of the rest of the job.
"""

from __future__ import annotations

import multiprocessing
import resource
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

import hypothesis
from hypothesis import strategies as st

from tests.fuzz.reader import Reader, try_input
from tests.fuzz.registry import READERS
from tests.fuzz.replay import LONGEST, coded

JOB_SHARE: Final = 20
"""Every reader has about so many jobs."""
_MOST_JOB: Final = 2000
_BY_HYPOTHESIS: Final = 20
"""One input in so many is drawn by hypothesis."""
_MOST_SEEDS: Final = 300
_MOST_FINDINGS: Final = 5
"""Findings of one job that are kept with their inputs; all are counted."""
_MOST_ADDRESS_BYTES: Final = 6 * 2**30
_MOST_TRACE: Final = 4000


@dataclass(frozen=True)
class Job:
    """So many inputs of one reader. ``number`` makes its chance differ from that of the reader's other jobs."""

    reader: str
    number: int
    inputs: int
    seed: int


@dataclass(frozen=True)
class Finding:
    """One finding.

    Attributes:
        place: exception and line of code, by which findings are told apart.
        words: the end of a command line that shows it again.
    """

    reader: str
    place: str
    trace: str
    words: str


@dataclass
class Row:
    """Counts of one reader. ``kinds`` are its different outcomes."""

    reader: str
    inputs: int = 0
    accepted: int = 0
    refused: int = 0
    found: int = 0
    cpu_s: float = 0.0
    kinds: set[str] = field(default_factory=set)
    findings: list[Finding] = field(default_factory=list)

    def add(self, other: Row) -> None:
        """Add the counts of a job."""
        for name in ("inputs", "accepted", "refused", "found", "cpu_s"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.kinds |= other.kinds
        self.findings += other.findings


@dataclass(frozen=True)
class Report:
    """What a session did. ``left_out`` are readers that this host cannot run, each with the reason."""

    rows: tuple[Row, ...]
    left_out: tuple[tuple[str, str], ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The first finding of each kind."""
        kinds: dict[str, Finding] = {}
        for row in self.rows:
            for finding in row.findings:
                kinds.setdefault(f"{finding.reader} {finding.place}", finding)
        return tuple(kinds.values())


def run_session(readers: Sequence[Reader], inputs: int, *, seed: int, workers: int) -> Report:
    """Give ``inputs`` inputs to readers, by their shares."""
    reasons = [(reader.name, reader.why_not()) for reader in readers]
    left_out = tuple((name, why) for name, why in reasons if why is not None)
    able = [reader for reader in readers if reader.name not in dict(left_out)]
    rows = {reader.name: Row(reader.name) for reader in able}
    for reader in able:
        reader.seeds()  # once, before the processes start
    context = multiprocessing.get_context("fork")
    with tempfile.TemporaryDirectory(prefix="boxbench-fuzz-") as scratch:
        waiting = list(_jobs(able, inputs, seed))
        while waiting:
            with ProcessPoolExecutor(workers, mp_context=context) as pool:
                running = {pool.submit(run_job, job, scratch): job for job in waiting}
                waiting = []
                for future in as_completed(running):
                    job = running[future]
                    try:
                        rows[job.reader].add(future.result())
                    except BrokenProcessPool:
                        waiting.append(job)
            if waiting:
                waiting = _one_by_one(waiting, rows, scratch)
    return Report(tuple(rows.values()), left_out)


def _one_by_one(jobs: list[Job], rows: dict[str, Row], scratch: str) -> list[Job]:
    """Find the job whose process died, by running each in a process of its own; returns those not yet run."""
    context = multiprocessing.get_context("fork")
    for at, job in enumerate(jobs):
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            try:
                rows[job.reader].add(pool.submit(run_job, job, scratch).result())
            except BrokenProcessPool:
                words = f"--reader {job.reader} --seed {job.seed}"
                died = Finding(
                    job.reader, "died", f"the process died in job {job.number} of {job.inputs} inputs", words
                )
                rows[job.reader].add(Row(job.reader, inputs=job.inputs, found=1, findings=[died]))
                return jobs[at + 1 :]
    return []


def _jobs(readers: Sequence[Reader], inputs: int, seed: int) -> Iterator[Job]:
    shares = sum(reader.share for reader in readers)
    for reader in readers:
        left = max(1, round(inputs * reader.share / shares))
        size = max(1, min(_MOST_JOB, -(-left // JOB_SHARE)))
        number = 0
        while left > 0:
            yield Job(reader.name, number, min(size, left), seed)
            left -= size
            number += 1


def run_job(job: Job, scratch: str) -> Row:
    """Run the inputs of one job, in a directory of its own below ``scratch``."""
    reader = READERS[job.reader]
    # Programs that check themselves reserve terabytes of addresses.
    most = resource.RLIM_INFINITY if reader.host else _MOST_ADDRESS_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))
    row = Row(job.reader)
    begun = time.process_time()
    with tempfile.TemporaryDirectory(dir=scratch) as place:
        drawn = job.inputs // _BY_HYPOTHESIS
        _by_chance(reader, job, job.inputs - drawn, Path(place), row)
        if drawn:
            _by_hypothesis(reader, job, drawn, Path(place), row)
    row.cpu_s = time.process_time() - begun
    return row


def _by_chance(reader: Reader, job: Job, count: int, scratch: Path, row: Row) -> None:
    rng = Random(f"{job.seed} {job.reader} {job.number}")
    seeds = list(reader.seeds())
    for _ in range(count):
        data = reader.mutate(rng, seeds)
        known = len(row.kinds)
        _count(reader, data, scratch, row)
        if len(row.kinds) > known and len(seeds) < _MOST_SEEDS:
            seeds.append(data)


def _count(reader: Reader, data: bytes, scratch: Path, row: Row) -> None:
    row.inputs += 1
    try:
        outcome, kind = try_input(reader, data, scratch)
    except Exception as error:  # every exception is a finding
        row.found += 1
        if len(row.findings) < _MOST_FINDINGS:
            row.findings.append(_finding(reader, data, error))
        return
    row.kinds.add(kind)
    if outcome == "accepted":
        row.accepted += 1
    else:
        row.refused += 1


def _by_hypothesis(reader: Reader, job: Job, count: int, scratch: Path, row: Row) -> None:
    failing: list[bytes] = []

    @hypothesis.seed(f"{job.seed} {job.number}")
    @hypothesis.settings(
        max_examples=count,
        database=None,
        deadline=None,
        derandomize=False,
        phases=(hypothesis.Phase.generate, hypothesis.Phase.shrink),
        suppress_health_check=list(hypothesis.HealthCheck),
        report_multiple_bugs=False,
        verbosity=hypothesis.Verbosity.quiet,
    )
    @hypothesis.given(inputs_of(reader))
    def check(data: bytes) -> None:
        row.inputs += 1
        try:
            outcome, kind = try_input(reader, data, scratch)
        except Exception:
            failing.append(data)
            raise
        row.kinds.add(kind)
        row.accepted += outcome == "accepted"
        row.refused += outcome == "refused"

    try:
        check()
    except Exception as error:  # every exception is a finding
        row.found += 1
        # Hypothesis ends with the smallest input that it found.
        row.findings.append(_finding(reader, failing[-1] if failing else b"", error))


def inputs_of(reader: Reader) -> st.SearchStrategy[bytes]:
    """The reader's damaged inputs, and some of bytes and text alone, as a strategy of hypothesis."""
    damaged = st.randoms(use_true_random=False).map(lambda rng: reader.mutate(rng, reader.seeds()))
    return st.one_of(damaged, damaged, damaged, st.binary(max_size=300), st.text(max_size=100).map(_encoded))


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _finding(reader: Reader, data: bytes, error: BaseException) -> Finding:
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "/bench/" in frame.filename] or list(frames)
    last = ours[-1] if ours else None
    place = f"{type(error).__name__} {last.filename}:{last.lineno}" if last else type(error).__name__
    word = coded(data)
    words = f"--replay {reader.name} {word}" if len(word) <= LONGEST else f"a long input: {len(data)} bytes"
    trace = "".join(traceback.format_exception(error))
    return Finding(reader.name, place, trace[-_MOST_TRACE:], words)
