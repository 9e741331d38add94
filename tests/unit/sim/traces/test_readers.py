"""Readers of trace formats: what they read, what they draw, and what they refuse."""

from __future__ import annotations

import gzip
import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.sim.traces import synthesize
from bench.sim.traces.azure_2019 import INVOCATIONS_HEAD, MEMORY_HEAD, MINUTES, read_azure_2019
from bench.sim.traces.azure_2021 import HEAD, read_azure_2021
from bench.sim.traces.azure_packing import read_azure_packing
from bench.sim.traces.durations_2019 import DURATIONS_HEAD
from bench.sim.traces.spec import SAMPLES, TraceOptions, open_trace, sample, samples, trace_digest
from bench.sim.traces.trace import MemoryTrace, Trace, TraceError, TraceSource, check_trace, joined, whole
from bench.sim.traces.within import MINUTE_NS, SENTENCES, Within

GIB = 2**30
RULES: tuple[Within, ...] = ("uniform", "equidistant", "exponential")


def day(
    directory: Path,
    counts: dict[str, list[int]],
    *,
    number: int = 1,
    durations: dict[str, list[float]] | None = None,
    memory: list[str] | None = None,
    packed: bool = False,
) -> Path:
    """The files of one day; counts and percentiles of durations (ms) by function, all of one app."""
    directory.mkdir(exist_ok=True)
    usual = {name: [10.0, 11, 20, 30, 40, 90, 100] for name in counts}
    rows: list[list[object]] = [
        ["o", "a", name, "http", *values, *[0] * (MINUTES - len(values))] for name, values in counts.items()
    ]
    write(directory / f"invocations_per_function_md.anon.d{number:02}.csv", INVOCATIONS_HEAD, rows, packed=packed)
    lengths: list[list[object]] = [
        ["o", "a", name, values[3], 5, values[0], values[-1], *values] for name, values in (durations or usual).items()
    ]
    write(directory / f"function_durations_percentiles.anon.d{number:02}.csv", DURATIONS_HEAD, lengths)
    if memory is not None:
        write(directory / f"app_memory_percentiles.anon.d{number:02}.csv", MEMORY_HEAD, [[*memory]])
    return directory


def write(file: Path, head: tuple[str, ...], rows: Sequence[Sequence[object]], *, packed: bool = False) -> Path:
    text = "".join(",".join(map(str, row)) + "\r\n" for row in (list(head), *rows))
    if packed:
        Path(f"{file}.gz").write_bytes(gzip.compress(text.encode()))
    else:
        file.write_text(text, encoding="utf-8")
    return file


def counts_of(trace: Trace, function: int) -> list[int]:
    """How many invocations of a function each minute has."""
    minutes = trace.at_ns[trace.function == function] // MINUTE_NS
    return list(map(int, np.bincount(minutes)))


@pytest.mark.parametrize("rule", RULES)
def test_counts_per_minute_become_times(tmp_path: Path, rule: Within) -> None:
    source = read_azure_2019(day(tmp_path, {"f": [3, 0, 40], "g": [0, 2]}, packed=True), within=rule)
    trace = whole(source, seed=5)
    check_trace(trace)
    assert source.names == ("o/a/f", "o/a/g")
    assert len(trace) == 45
    if rule != "exponential":
        assert counts_of(trace, 0) == [3, 0, 40]
        assert counts_of(trace, 1) == [0, 2]
    assert trace.duration_ns.min() >= 10 * 10**6
    assert trace.duration_ns.max() <= 100 * 10**6
    # Not one artificial storm at the beginning of a minute.
    assert np.unique(trace.at_ns).size == 45
    assert SENTENCES[rule] in source.rules


def test_equidistant_times_have_equal_gaps(tmp_path: Path) -> None:
    trace = whole(read_azure_2019(day(tmp_path, {"f": [6, 6]}), within="equidistant"), seed=1)
    assert set(np.diff(trace.at_ns)) <= {10 * 10**9 - 1, 10 * 10**9, 10 * 10**9 + 1}


def test_exponential_gaps_have_the_mean_of_the_count(tmp_path: Path) -> None:
    trace = whole(read_azure_2019(day(tmp_path, {"f": [2000]}), within="exponential"), seed=1)
    gaps = np.diff(trace.at_ns)
    # 2,000 gaps with a mean of 30 ms: the mean is within 10 % but in 1 of 10^5 seeds, and the seed is fixed.
    assert gaps.mean() == pytest.approx(MINUTE_NS / 2000, rel=0.1)
    assert gaps.std() == pytest.approx(gaps.mean(), rel=0.15)


def test_durations_follow_the_percentiles(tmp_path: Path) -> None:
    trace = whole(read_azure_2019(day(tmp_path, {"f": [4000]})), seed=3)
    found = np.quantile(trace.duration_ns / 1e6, [0.25, 0.5, 0.75])
    assert found == pytest.approx([20, 30, 40], rel=0.06)


@pytest.mark.parametrize("rule", RULES)
def test_chunks_and_seeds(tmp_path: Path, rule: Within) -> None:
    directory = day(tmp_path, {"f": [3, 5, 40], "g": [7, 2]})
    day(tmp_path, {"g": [4], "h": [1, 1]}, number=2)
    source = read_azure_2019(directory, within=rule)
    once = whole(source, seed=1)
    parts = list(source.chunks(seed=1, most=7))
    assert [len(part) for part in parts] == [7] * 9
    again = joined(parts, source.names, source.memory_bytes)
    assert np.array_equal(again.at_ns, once.at_ns)
    assert np.array_equal(again.duration_ns, once.duration_ns)
    assert not np.array_equal(whole(source, seed=2).duration_ns, once.duration_ns)
    assert once.at_ns[once.function == 2].min() >= MINUTES * MINUTE_NS
    assert source.length_ns == 2 * MINUTES * MINUTE_NS


def test_what_is_missing_is_counted(tmp_path: Path) -> None:
    counts = {"f": [3], "g": [5]}
    source = read_azure_2019(
        day(tmp_path, counts, durations={"f": [1.0] * 7}, memory=["o", "other", *["7", "120", *["1"] * 8]])
    )
    assert len(whole(source, seed=1)) == 3
    assert any("1 of 2 functions with 5 invocations are left out" in line for line in source.rules)
    assert any("1 of 1 functions have no memory samples: they take the median, 120 MiB." in one for one in source.rules)
    assert source.memory_bytes is not None
    assert source.memory_bytes.tolist() == [120 * 2**20]


def test_memory_that_functions_of_an_app_share_is_said_to_count_for_each(tmp_path: Path) -> None:
    memory = ["o", "a", "1", "100", *["1"] * 8]
    source = read_azure_2019(day(tmp_path, {"f": [1], "g": [1]}, memory=memory))
    assert any(line.endswith("which are 2 per app on average.") for line in source.rules)
    assert source.memory_bytes is not None
    assert source.memory_bytes.tolist() == [100 * 2**20] * 2
    alone = read_azure_2019(day(tmp_path, {"f": [1]}, memory=memory))
    assert not any("per app on average" in line for line in alone.rules)


def test_memory_is_the_average_over_days_by_samples(tmp_path: Path) -> None:
    day(tmp_path, {"f": [1]}, memory=["o", "a", "1", "100", *["1"] * 8])
    day(tmp_path, {"f": [1]}, number=2, memory=["o", "a", "3", "200", *["1"] * 8])
    memory = read_azure_2019(tmp_path).memory_bytes
    assert memory is not None
    assert memory.tolist() == [175 * 2**20]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("HashOwner,HashApp", "HashApp,HashOwner", "column 1 is 'HashApp', expected 'HashOwner'"),
        (",1440\r", "\r", "column 1444 is no such column, expected '1440'"),
        ("http,3", "http,-3", r"d01.csv:2: minute 1 is -3, less than 0"),
        ("http,3", "http,nan", r"d01.csv:2: minute 1 is 'nan', not a number"),
        ("http,3", "http,2.5", r"d01.csv:2: minute 1 is 2.5, not a whole number"),
        ("http,3", "http", r"d01.csv:2: 1443 columns, the head has 1444"),
        ("http,3", "http,0", "all counts are zero"),
        ("http,3", "http,99999999999", r"d01.csv:2: minute 1 is 99999999999, more than 16777216"),
        ("http,3", "http," + "9" * 5000, r"d01.csv:2: minute 1 is '9+…', not a number"),
        ("http,3", "http,1_0", r"d01.csv:2: minute 1 is '1_0', not a number"),
    ],
)
def test_wrong_counts_are_refused(tmp_path: Path, old: str, new: str, words: str) -> None:
    file = day(tmp_path, {"f": [3]}) / "invocations_per_function_md.anon.d01.csv"
    text = file.read_bytes().decode()
    assert old in text
    file.write_bytes(text.replace(old, new, 1).encode())
    with pytest.raises(TraceError, match=words):
        read_azure_2019(tmp_path)


def test_a_float_that_is_whole_is_a_count(tmp_path: Path) -> None:
    file = day(tmp_path, {"f": [3]}) / "invocations_per_function_md.anon.d01.csv"
    file.write_bytes(file.read_bytes().replace(b"http,3", b"http,3.0", 1))
    assert len(whole(read_azure_2019(tmp_path), seed=1)) == 3


def test_wrong_durations_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="percentile_Average_50 is 4, less than percentile_Average_25 with 5"):
        read_azure_2019(day(tmp_path / "falls", {"f": [3]}, durations={"f": [1.0, 2, 5, 4, 6, 7, 8]}))
    with pytest.raises(TraceError, match=r"Minimum is -1.0, less than 0"):
        read_azure_2019(day(tmp_path / "below", {"f": [3]}, durations={"f": [-1.0, 2, 3, 4, 6, 7, 8]}))
    with pytest.raises(TraceError, match="no function of the invocations has durations"):
        read_azure_2019(day(tmp_path / "others", {"f": [3]}, durations={"g": [1.0] * 7}))


def test_wrong_directories_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match=r"no file invocations_per_function_md.anon.d01.csv"):
        read_azure_2019(tmp_path)
    day(tmp_path, {"f": [1]}, number=1)
    day(tmp_path, {"f": [1]}, number=3)
    with pytest.raises(TraceError, match=r"invocations_per_function_md.anon.d02.csv, function_dur.*d02.csv is missing"):
        read_azure_2019(tmp_path)
    with pytest.raises(TraceError, match="cold starts cannot be taken out of counts per minute"):
        open_trace(str(tmp_path), TraceOptions(durations="cold"))


def invocations(tmp_path: Path, rows: list[list[object]], head: tuple[str, ...] = HEAD) -> Path:
    return write(tmp_path / "trace.csv", head, rows)


def test_an_invocation_arrives_when_it_ended_less_its_duration(tmp_path: Path) -> None:
    file = invocations(tmp_path, [["a", "f", 1.5, 0.5], ["b", "f", 2, 1.75], ["a", "f", 2, 3], ["a", "g", 9, 0]])
    source = read_azure_2021(file)
    trace = whole(source, seed=1)
    check_trace(trace)
    assert trace.at_ns.tolist() == [250_000_000, 1_000_000_000, 9_000_000_000]
    assert [source.names[one] for one in trace.function] == ["b/f", "a/f", "a/g"]
    assert trace.duration_ns.tolist() == [1_750_000_000, 500_000_000, 0]
    assert any("1 of 4 invocations are left out: they began before the trace" in line for line in source.rules)
    assert source.memory_bytes is None


@pytest.mark.parametrize(
    ("rows", "head", "words"),
    [
        ([["a", "f", 1, 0.5]], ("app", "func", "end", "duration"), "column 3 is 'end', expected 'end_timestamp'"),
        ([["a", "f", 2, 0.5], ["a", "f", 1, 0.5]], HEAD, r":3: end_timestamp 1 is before 2 in the line in front"),
        ([["a", "f", "9e12", 1]], HEAD, ":2: end_timestamp is 9e12, more than 10000000000"),
        ([["a", "f", 2, "9e9"]], HEAD, ":2: duration is 9e9, more than 100000000"),
        ([["a", "f", 2, 1], ["a", "f", "9e9", 1]], HEAD, r"the trace lasts from 1 to 9000000000 s, more than"),
        ([["a", "f", 2, "1_0"]], HEAD, ":2: duration is '1_0', not a number"),
        ([["a", "f", "٣", 1]], HEAD, ":2: end_timestamp is '٣', not a number"),
        ([["a", "f\0", 2, 1]], HEAD, ":2: the line has a NUL character"),
        ([["a", "f" * 2**17, 2, 1]], HEAD, ":2: the line has more than 131072 characters"),
        ([["a", "f", 2, "nan"]], HEAD, r":2: duration is 'nan', not a number"),
        ([["a", "f", 2, "inf"]], HEAD, r":2: duration is 'inf', not a number"),
        ([["a", "f", 2, -1]], HEAD, r":2: duration is -1, less than 0"),
        ([["a", "f", 2]], HEAD, r":2: 3 columns, the head has 4"),
        ([], HEAD, "no line behind the head"),
        ([["a", "f", 2, 3]], HEAD, "every invocation began before the trace"),
    ],
)
def test_wrong_invocations_are_refused(
    tmp_path: Path, rows: list[list[object]], head: tuple[str, ...], words: str
) -> None:
    with pytest.raises(TraceError, match=words):
        read_azure_2021(invocations(tmp_path, rows, head))


def test_unreadable_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match=r"none.csv: No such file"):
        read_azure_2021(tmp_path / "none.csv")
    file = tmp_path / "torn.csv.gz"
    file.write_bytes(gzip.compress((",".join(HEAD) + "\n" + "a,b,1,1\n" * 1000).encode())[:-20])
    with pytest.raises(TraceError, match="cannot be unpacked"):
        read_azure_2021(file)
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(TraceError, match="not UTF-8 text"):
        read_azure_2021(file)


def cold_rows(first: float, *, functions: int = 10) -> list[list[object]]:
    """Functions that are invoked three times within a minute, every hour; the first invocation takes ``first`` s."""
    rows = []
    for hour in range(4):
        for function in range(functions):
            start = 3600 * (hour + 1) + function
            for place in range(3):
                # Warm durations of a function vary by some per cent, in no order.
                warm = 0.2 + 0.001 * ((function * 7 + hour * 3 + place * 5) % 11)
                length = first if place == 0 and first else warm
                rows.append(["a", f"f{function}", start + 20 * place + length, length])
    return sorted(rows, key=lambda row: float(str(row[2])))


def test_durations_with_cold_starts_are_found(tmp_path: Path) -> None:
    file = invocations(tmp_path, cold_rows(0.9))
    with pytest.raises(TraceError, match=r"contain cold starts: in 10 of 10 functions .* typically 4.4 times as long"):
        read_azure_2021(file)
    kept = read_azure_2021(file, durations="warm")
    assert whole(kept, seed=1).duration_ns.max() == 900_000_000
    out = read_azure_2021(file, durations="cold")
    assert whole(out, seed=1).duration_ns.max() < 250_000_000
    assert any("taken out of 40 durations" in line for line in out.rules)


def test_durations_without_cold_starts_pass(tmp_path: Path) -> None:
    source = read_azure_2021(invocations(tmp_path, cold_rows(0)))
    assert any("first invocations take" in line for line in source.rules)
    few = read_azure_2021(invocations(tmp_path, cold_rows(0.9, functions=3)))
    assert any("too few functions" in line for line in few.rules)


def packing(tmp_path: Path, vms: list[tuple[object, ...]], shares: list[tuple[object, ...]] | None = None) -> Path:
    file = tmp_path / "packing.sqlite"
    file.unlink(missing_ok=True)
    with closing(sqlite3.connect(file)) as base, base:
        base.execute("CREATE TABLE vm (vmId, tenantId, vmTypeId, priority, starttime, endtime)")
        base.execute("CREATE TABLE vmType (id, vmTypeId, machineId, core, memory, hdd, ssd, nic)")
        base.executemany("INSERT INTO vm VALUES (?, 1, ?, 0, ?, ?)", vms)
        base.executemany(
            "INSERT INTO vmType VALUES (0, ?, ?, 0.1, ?, 0, 0, 0)", shares or [(7, 0, 0.25), (8, 0, 0.5), (7, 1, 0.125)]
        )
    return file


def test_vms_of_the_packing_trace(tmp_path: Path) -> None:
    file = packing(tmp_path, [(1, 7, 0.5, 1.0), (2, 8, -0.5, 2.0), (3, 8, 1.0, None), (4, 7, -2, -1)])
    day_ns = 86400 * 10**9
    source = read_azure_packing(file, host_memory_bytes=64 * GIB)
    trace = whole(source, seed=1)
    assert source.names == ("7", "8")
    assert trace.memory_bytes is not None
    assert trace.memory_bytes.tolist() == [16 * GIB, 32 * GIB]
    assert trace.at_ns.tolist() == [day_ns // 2, day_ns]
    assert trace.duration_ns.tolist() == [day_ns // 2, day_ns]
    assert any("2 of 4 VMs are left out" in line for line in source.rules)
    assert any("1 VMs were alive when the trace ended" in line for line in source.rules)
    early = whole(read_azure_packing(file, host_memory_bytes=64 * GIB, early="at-start"), seed=1)
    assert early.at_ns.tolist() == [0, day_ns // 2, day_ns]
    assert early.duration_ns[0] == 2 * day_ns


def test_the_machine_is_the_one_that_can_run_most_vms(tmp_path: Path) -> None:
    """Machines of the published trace run some types each."""
    vms: list[tuple[object, ...]] = [(1, 7, 0.0, 1.0), (2, 8, 0.0, 1.0), (3, 9, 0.0, 1.0), (4, 9, 0.5, 1.0)]
    file = packing(tmp_path, vms, [(7, 0, 0.25), (8, 1, 0.5), (9, 1, 0.125), (7, 2, 0.25), (9, 2, 0.5)])
    source = read_azure_packing(file, host_memory_bytes=64 * GIB)
    assert source.names == ("8", "9")
    assert len(whole(source, seed=1)) == 3
    assert "1 of 4 VMs are left out: machine 1 cannot run their types." in source.rules
    other = read_azure_packing(file, host_memory_bytes=64 * GIB, machine=0)
    assert len(whole(other, seed=1)) == 1


def test_wrong_packing_traces_are_refused(tmp_path: Path) -> None:
    memory: dict[str, Any] = {"host_memory_bytes": GIB}
    with pytest.raises(TraceError, match=r"VM 1 ends at 1.0, before its start at 2.0"):
        read_azure_packing(packing(tmp_path, [(1, 7, 2.0, 1.0)]), **memory)
    with pytest.raises(TraceError, match="machine 0 can run none of the 1 VMs"):
        read_azure_packing(packing(tmp_path, [(1, 9, 1.0, 2.0)]), **memory)
    with pytest.raises(TraceError, match=r"type 7 takes 1.5 of the memory"):
        read_azure_packing(packing(tmp_path, [(1, 7, 1.0, 2.0)], [(7, 0, 1.5)]), **memory)
    with pytest.raises(TraceError, match="there is no machineId 5"):
        read_azure_packing(packing(tmp_path, [(1, 7, 1.0, 2.0)]), machine=5, **memory)
    with pytest.raises(TraceError, match="no VM starts within the trace"):
        read_azure_packing(packing(tmp_path, [(1, 7, -1.0, 2.0)]), **memory)
    with pytest.raises(TraceError, match="the host's memory is not known"):
        open_trace(str(packing(tmp_path, [(1, 7, 1.0, 2.0)])))
    other = tmp_path / "other.sqlite"
    with closing(sqlite3.connect(other)) as base, base:
        base.execute("CREATE TABLE vm (vmId, starttime)")
    with pytest.raises(TraceError, match="column 2 is 'starttime', expected 'tenantId'"):
        read_azure_packing(other, **memory)
    other.write_bytes(b"SQLite format 3\x00 and then nothing")
    with pytest.raises(TraceError, match="not a SQLite file that can be read"):
        read_azure_packing(other, **memory)


def test_the_samples_can_be_read() -> None:
    assert samples() == ("azure-2019", "azure-2021", "azure-packing-2020")
    options = TraceOptions(host_memory_bytes=64 * GIB)
    found = {name: open_trace(f"sample:{name}", options) for name in samples()}
    for source in found.values():
        trace = whole(source, seed=1)
        check_trace(trace)
        assert len(trace) > 300
        assert trace.at_ns[-1] < source.length_ns
    with pytest.raises(TraceError, match="there is no sample trace 'azure-2030'"):
        open_trace("sample:azure-2030")


def test_the_samples_are_what_their_seed_makes(tmp_path: Path) -> None:
    synthesize.write_samples(tmp_path)
    for file in sorted(SAMPLES.rglob("*")):
        made = tmp_path / file.relative_to(SAMPLES)
        if file.suffix == ".sqlite":
            # The bytes of a database depend on the version of SQLite, its rows do not.
            assert rows_of(made) == rows_of(file)
        elif file.is_file():
            assert made.read_bytes() == file.read_bytes()


def rows_of(file: Path) -> list[list[tuple[object, ...]]]:
    with closing(sqlite3.connect(file)) as base:
        return [base.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall() for table in ("vm", "vmType")]


def test_a_trace_is_recognised_by_its_content(tmp_path: Path) -> None:
    assert open_trace(str(sample("azure-2021"))).names[0].startswith("app")
    counts = sample("azure-2019") / "invocations_per_function_md.anon.d01.csv"
    with pytest.raises(TraceError, match="counts per minute without their durations"):
        open_trace(str(counts))
    other = tmp_path / "other.csv"
    other.write_text("time,name\n1,a\n", encoding="utf-8")
    with pytest.raises(TraceError, match="the first column is 'time'; known are app,func,end_timestamp,duration"):
        open_trace(str(other))
    with pytest.raises(TraceError, match="No such file"):
        open_trace(str(tmp_path / "none"))


def test_a_trace_in_memory() -> None:
    ints = [np.array(values, dtype=np.int64) for values in ([1, 5, 5], [0, 1, 0], [7, 7, 7])]
    trace = Trace(at_ns=ints[0], function=ints[1], duration_ns=ints[2], names=("a", "b"))
    source: TraceSource = MemoryTrace(trace=trace, length_ns=10)
    assert [len(part) for part in source.chunks(seed=1, most=2)] == [2, 1]
    check_trace(trace)
    for changed, words in (
        ({"at_ns": ints[0][::-1].copy()}, "invocation 3 arrives at 1 ns, before the one in front of it at 5 ns"),
        ({"function": ints[1] + 1}, "invocation 2 has the function 2; the trace has 2 functions"),
        ({"duration_ns": ints[2] - 8}, "invocation 1 has the duration -1"),
        ({"duration_ns": ints[2][:2]}, "3 arrivals, 3 functions and 2 durations"),
    ):
        fields = {"at_ns": ints[0], "function": ints[1], "duration_ns": ints[2], "names": ("a", "b")} | changed
        with pytest.raises(TraceError, match=words):
            check_trace(Trace(**fields))  # type: ignore[arg-type]


def test_a_minute_that_does_not_fit_in_memory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="minute 2 has 20000000 invocations of all functions, more than 16777216"):
        read_azure_2019(day(tmp_path, {"f": [1, 10_000_000], "g": [0, 10_000_000]}))


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (["o", "a", "7", "1e300", *["1"] * 8], r"d01.csv:2: AverageAllocatedMb is 1e300, more than 16777216"),
        (["o", "a", "1e300", "7", *["1"] * 8], r"d01.csv:2: SampleCount is 1e300, more than"),
    ],
)
def test_memory_beyond_all_hosts_is_refused(tmp_path: Path, row: list[str], words: str) -> None:
    with pytest.raises(TraceError, match=words):
        read_azure_2019(day(tmp_path, {"f": [1]}, memory=row))


def test_a_day_has_one_file_of_a_kind(tmp_path: Path) -> None:
    day(tmp_path, {"f": [1]})
    day(tmp_path, {"f": [2]}, packed=True)
    with pytest.raises(TraceError, match=r"d01.csv.gz and invocations.*d01.csv are of one day"):
        read_azure_2019(tmp_path)


def test_only_regular_files_are_traces(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "directory").mkdir()
    for name, words in (("/dev/zero", "device"), (str(tmp_path / "pipe"), "pipe")):
        with pytest.raises(TraceError, match=f"{name} is a {words}, not a file"):
            open_trace(name)
    with pytest.raises(TraceError, match="directory is a directory, not a file"):
        read_azure_2021(tmp_path / "directory")
    with pytest.raises(TraceError, match="NUL"):
        open_trace("a\0b")


def test_a_packed_file_without_end_is_read_no_further_than_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.sim.traces.text.MOST_TEXT", 2**20)
    file = tmp_path / "bomb.csv.gz"
    file.write_bytes(gzip.compress(b"app,func,end_timestamp,duration\n" + b"\n" * 2**21))
    with pytest.raises(TraceError, match=r"bomb.csv.gz: more than 1.00 MiB of text"):
        read_azure_2021(file)


@pytest.mark.parametrize("begin", [1_700_000_000.25, 12_345.0])
def test_a_trace_begins_with_its_first_invocation_where_the_time_before_is_longer_than_itself(
    tmp_path: Path, begin: float
) -> None:
    rows: list[list[object]] = [["a", "f", f"{begin + at:.6f}", length] for at, length in ((1, 0.5), (3, 2.75), (9, 1))]
    source = read_azure_2021(invocations(tmp_path, rows))
    trace = whole(source, seed=1)
    check_trace(trace)
    # The second one began first. Floats of today have steps of 240 ns.
    assert trace.at_ns == pytest.approx([0, 250_000_000, 7_750_000_000], abs=500)
    assert trace.at_ns[0] == 0
    assert source.length_ns == pytest.approx(8_750_000_000, abs=500)
    assert any(
        f"The file's times begin at {begin + 0.25:.12g} s, and all of it lasts 8.75 s" in one for one in source.rules
    )


def test_a_trace_that_begins_late_keeps_its_times(tmp_path: Path) -> None:
    source = read_azure_2021(invocations(tmp_path, [["a", "f", 5, 0.5], ["a", "f", 12, 0.5]]))
    assert whole(source, seed=1).at_ns.tolist() == [4_500_000_000, 11_500_000_000]
    assert not any("begin at" in line for line in source.rules)


def test_impossible_numbers_of_a_packing_trace_are_refused(tmp_path: Path) -> None:
    memory: dict[str, Any] = {"host_memory_bytes": GIB}
    for vm in ((1, 7, 1.0, 1e300), (1, 7, float("inf"), None), (1, 7, 5000.0, None)):
        with pytest.raises(TraceError, match=r"VM 1 runs from .* no trace has more than 1200 days"):
            read_azure_packing(packing(tmp_path, [vm]), **memory)
    for share in (("x", 0, 0.25), (None, 0, 0.25), (7, "m", 0.25)):
        with pytest.raises(TraceError, match=r"vmType has the vmTypeId or machineId .*, not a whole number"):
            read_azure_packing(packing(tmp_path, [(1, 7, 1.0, 2.0)], [(8, 0, 0.5), share]), **memory)


def test_the_digest_of_a_trace_is_that_of_its_content(tmp_path: Path) -> None:
    file = invocations(tmp_path, [["a", "f", 5, 0.5]])
    before = trace_digest(str(file))
    file.write_bytes(file.read_bytes().replace(b"5,0.5", b"6,0.5"))
    assert trace_digest(str(file)) != before
    directory = day(tmp_path / "days", {"f": [3]})
    one = trace_digest(str(directory))
    (directory / "notes.txt").write_text("mine", encoding="utf-8")
    assert trace_digest(str(directory)) == one
    day(directory, {"f": [4]})
    assert trace_digest(str(directory)) != one
    assert trace_digest("poisson:rate=1,duration=1s") == ""
    assert trace_digest("sample:azure-2021")
    with pytest.raises(TraceError, match="No such file"):
        trace_digest(str(tmp_path / "none"))
