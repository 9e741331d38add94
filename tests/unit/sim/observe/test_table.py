"""Published tables of storms: what is read, and every mistake with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.records.record import Endpoint
from bench.sim.limits import MOST_NS, MOST_TABLE_NS
from bench.sim.observe.table import observe_table, row_digest
from bench.sim.observe.trials import NOT_STATED, same_workload
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
        ("# cpus: 65537\n", ":1: cpus: '65537' is not a number of CPUs from 1 to 65536"),
        ("# cpus: 4\n# cpus: 8\n", ":2: cpus is '8' here, and '4' in line 1"),
        ("# workload:\n" + HEAD + "runc,1,2,2,2\n", ":1: workload is empty"),
        ("# workload: a\x1b[31m\n" + HEAD + "runc,1,2,2,2\n", ":1: workload: 'a' has control or invisible"),
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
        (HEAD + "a\0b,1,2,2,2\n", ":3: runtime: 'a b' has control or invisible characters"),
        (HEAD + "a\u200bb,1,2,2,2\n", ":3: runtime: 'a b' has control or invisible characters"),
        (HEAD + f"{'x' * 201},1,2,2,2\n", ":3: runtime has more than 200 characters"),
        (HEAD + "runc,1_0,2,2,2\n", ":3: n: '1_0' is not a number of boxes"),
        (HEAD + "runc,\uff11,2,2,2\n", "is not a number of boxes"),
        (HEAD + "runc,20001,2,2,2\n", ":3: n: 20001 is above 20000, the most boxes that a fit can hold"),
        (HEAD + "runc,12000,2,2,2\nrunc,8001,2,2,2\n", ":4: the rows of runc up to here have 20001 boxes together"),
        (HEAD + "runc,1,1_0,2,2\n", ":3: last: '1_0' is not a time"),
        (HEAD + "runc,1,1e300,2,2\n", ":3: last: 1e300 ms is above 5e+07 ms"),
        (
            HEAD + "runc,10,80,9,1\nrunc,1,100,99,9\n",
            ":3: runc: last is 80 ms with n = 10, and 100 ms with n = 1 in line 4",
        ),
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


def test_the_name_of_the_file_is_no_workload(tmp_path: Path) -> None:
    rows = "# cpus: 4\nruntime,n,last\nrunc,1,2\n"
    found = observe_table(_table(tmp_path, rows))
    assert found.workload == NOT_STATED
    named = observe_table(_table(tmp_path, f"# workload: hello, world\n{rows}"))
    assert named.workload == "hello, world"
    assert same_workload(found.workload, named.workload)
    assert same_workload(named.workload, "hello, world")
    assert not same_workload(named.workload, "redis")


def test_rows_of_two_files_are_the_same_rows(tmp_path: Path) -> None:
    """What identifies a row is its content, so a copy under another name cannot be scored as new."""
    shipped = find_table("rund-2022")
    copy = tmp_path / "other.csv"
    copy.write_text(f"# copied\n{shipped.read_text(encoding='utf-8')}", encoding="utf-8")
    one, other = observe_table(shipped), observe_table(copy)
    assert one.workload == other.workload
    assert one.sources[0].digest != other.sources[0].digest
    digests = [
        {row_digest(label, row) for label, target in found.targets.items() for row in target.rows}
        for found in (one, other)
    ]
    assert digests[0] == digests[1]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        # A little scatter of the last box.
        ("runc,1,100,100,9\nrunc,2,98,98,9\n", "Line 4: last is 98 ms with n = 2, and 100 ms with n = 1 in line 3"),
        (
            "runc,1,100,100,200\nrunc,10,110,105,1\n",
            "Lines 3 and 4: the CPU time of a start with n = 1 and with n = 10",
        ),
        ("runc,1,100,100,9\nrunc,10,110,105,1300\n", "more than 104 CPUs have in 110 ms"),
    ],
)
def test_rows_that_look_odd_are_used_and_said(tmp_path: Path, rows: str, said: str) -> None:
    runc = observe_table(_table(tmp_path, HEAD + rows)).targets["runc"]
    assert len(runc.rows) == 2
    assert any(said in note for note in runc.notes)


def test_cpu_time_may_grow_slowly(tmp_path: Path) -> None:
    """CPU time of kata-qemu grows four times from 1 to 400 boxes, and nowhere three times within a factor of ten."""
    assert {target.notes for target in observe_table(find_table("rund-2022")).targets.values()} == {()}
    # The line numbers are those of an editor, whatever the text holds.
    text = "# a\x0bb\x1cc\n# cpus: 4\r\nruntime,n,last\r\nrunc,1,x\r\n"
    with pytest.raises(UsageError, match=r":4: last: 'x' is not a time"):
        observe_table(_table(tmp_path, text))


def test_only_some_runtimes(tmp_path: Path) -> None:
    file = _table(tmp_path, HEAD + "runc,1,2,2,2\ndocker,1,3,3,3\ngvisor,1,4,4,4\n")
    assert list(observe_table(file, targets=["gvisor", "runc"]).targets) == ["runc", "gvisor"]
    with pytest.raises(UsageError, match=r"storms.csv has no runtime 'podman'") as caught:
        observe_table(file, targets=["podman"])
    assert caught.value.hint == "it has runc, docker, gvisor"


def test_what_a_model_cannot_hold_is_refused_with_its_line(tmp_path: Path) -> None:
    """A time that a table takes is one that the model of its fit takes, with room for what a fit draws around it."""
    assert 1.5 * MOST_TABLE_NS < MOST_NS
    assert observe_table(_table(tmp_path, HEAD + "runc,1,5e7,5e7,2\n")).targets["runc"].rows[0].last_ns == 5e13
    with pytest.raises(UsageError, match=r":4: last: 5.1e7 ms is above 5e\+07 ms"):
        observe_table(_table(tmp_path, HEAD + "runc,1,2,2,2\nrunc,2,5.1e7,2,2\n"))


def test_two_rows_may_scatter_by_five_percent_each(tmp_path: Path) -> None:
    (note,) = observe_table(_table(tmp_path, HEAD + "runc,1,100,99,9\nrunc,10,87,9,1\n")).targets["runc"].notes[:1]
    assert "which only scatter explains" in note
