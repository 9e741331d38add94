"""Published tables of storms: what is read, and every mistake with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.records.record import Endpoint
from bench.sim.observe.table import observe_table, row_digest
from bench.util.errors import UsageError
from bench.util.package_data import find_table, shipped_tables

HEAD = "# cpus: 104\nruntime,n,last,median,cpu_per_start\n"


def _table(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "storms.csv"
    file.write_text(text, encoding="utf-8")
    return file


def test_the_shipped_table() -> None:
    assert "rund-2022" in shipped_tables()
    found = observe_table(find_table("rund-2022"))
    assert set(found.targets) == {"kata-qemu", "kata-fc-dm"}
    [source] = found.sources
    assert (source.name, source.cpus, source.host) == ("rund-2022.csv", 104, None)
    kata = found.targets["kata-qemu"]
    assert kata.goal is Endpoint.READY
    assert [row.boxes for row in kata.rows] == [1, 10, 20, 50, 100, 200, 300, 400]
    assert kata.rows[-1].last_ns == 15_749_000_000
    assert kata.rows[-1].cpu_per_start_ns == 2_852_000_000
    assert kata.rows[0].first_ns is None
    assert len({row_digest(label, row) for label, one in found.targets.items() for row in one.rows}) == 16


def test_columns_may_be_absent_and_fields_empty(tmp_path: Path) -> None:
    text = "# a comment\n# cpus: 8\n\nn,runtime,last,first\n2,runc, 30.5 ,\n1,runc,20,19\n"
    runc = observe_table(_table(tmp_path, text)).targets["runc"]
    assert [(row.boxes, row.first_ns, row.median_ns, row.last_ns) for row in runc.rows] == [
        (1, 19e6, None, 20e6),
        (2, None, None, 30.5e6),
    ]
    assert observe_table(_table(tmp_path, text), cpus=4).sources[0].cpus == 4


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "does not say how many CPUs"),
        ("runtime,n,last\nrunc,1,2\n", "does not say how many CPUs"),
        ("# cpus: many\n", ":1: cpus: 'many' is not a number of CPUs"),
        ("# cpus: 0\n", ":1: cpus: '0' is not a number of CPUs"),
        ("# cpus: 4\n", "has no columns and no rows"),
        (HEAD, ":2: there is no row below the columns"),
        ("# cpus: 4\nruntime,last\nrunc,1\n", ":2: the column n is missing"),
        ("# cpus: 4\nruntime,n,first\nrunc,1,1\n", ":2: the column median or last is missing"),
        ("# cpus: 4\nruntime,n,last,p99\nrunc,1,1,1\n", ":2: there is no column 'p99'"),
        ("# cpus: 4\nruntime,n,last,last\nrunc,1,1,1\n", ":2: the column last is there twice"),
        (HEAD + "runc,1,2\n", ":3: 3 fields for 5 columns"),
        (HEAD + ",1,2,2,2\n", ":3: runtime is empty"),
        (HEAD + "runc,-1,2,2,2\n", ":3: n: '-1' is not a number of boxes"),
        (HEAD + "runc,0,2,2,2\n", ":3: n: '0' is not a number of boxes"),
        (HEAD + "runc,1.5,2,2,2\n", ":3: n: '1.5' is not a number of boxes"),
        (HEAD + "runc,1,0,0,2\n", ":3: median: '0' is not a time"),
        (HEAD + "runc,1,2,x,2\n", ":3: median: 'x' is not a time"),
        (HEAD + "runc,1,nan,2,2\n", ":3: last: 'nan' is not a time"),
        (HEAD + "runc,1,inf,2,2\n", ":3: last: 'inf' is not a time"),
        (HEAD + "runc,1,,,2\n", ":3: neither first, median nor last is given"),
        (HEAD + "runc,4,2,3,2\n", ":3: median is 3 ms and last is 2 ms"),
        (HEAD + "runc,1,2,2,2\nruncx,1,2,2,2\nrunc,1,2,2,2\n", ":5: runc with n = 1 is in line 3 already"),
    ],
)
def test_every_mistake_has_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        observe_table(_table(tmp_path, text))
    assert said in caught.value.message
    assert caught.value.hint


def test_files_that_are_no_tables(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a file"):
        observe_table(tmp_path)
    file = tmp_path / "x.csv"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="is not UTF-8"):
        observe_table(file)
    with file.open("wb") as stream:
        stream.truncate(2**24 + 1)
    with pytest.raises(UsageError, match="larger than 16 MiB"):
        observe_table(file)
