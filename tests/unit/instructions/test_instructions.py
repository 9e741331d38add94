"""The instruction clock: what a guest says, what two counts may be said to be, and archives that never vary."""

from __future__ import annotations

import io
import json
import re
import tarfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.agent.boxconf import BoxConfig
from bench.image.archive import read_index
from bench.image.vm.initramfs import newc
from bench.instructions.boot import parse_report
from bench.instructions.grpc import start_calls
from bench.instructions.model import STARTS, Count, Instant, Instructions, read_instructions, write_instructions
from bench.instructions.recipe import CountedImage
from bench.instructions.scripts import container_recipe, vm_recipe
from bench.instructions.tree import image_archive, tree_entries
from bench.instructions.verdict import Outcome, compare_all, compare_counts
from bench.plan.trials import Cell
from bench.render.commands.instructions import exit_code
from bench.util.errors import ExitCode, LaunchError, NotReadyError, ProtocolError, RecordError
from bench.util.units import grouped

SAID = """\
mark init 1000
clock 1100 100
request first
mark requested 5000
mark start_returned 7000
waited 40
agent BB1 mark init 4500
agent BB1 fact env.PATH /bin
agent BB1 mark ready 5500
clock 9000 8010
ready
finished
""".splitlines()
CONFIG = BoxConfig(("/bin/x",), ("PATH=/bin",), "/", 0, 0, (0,), "", 15)


def test_a_start_is_counted_from_its_request_on_one_clock() -> None:
    (started,) = parse_report("runc", SAID)
    # The agent's clock is 1000 behind the counter.
    assert [(step.name, step.at) for step in started.steps] == [
        ("init", 500),
        ("ready", 1500),
        ("start_returned", 2000),
    ]
    assert (started.clock, started.waited) == (1500, 40)


def test_a_vm_is_counted_from_power_on() -> None:
    said = [
        "mark init 900",
        "clock 910 10",
        "request first",
        "mark requested 0",
        "agent BB1 mark ready 300",
        "finished",
    ]
    (started,) = parse_report("microvm", said)
    assert [(step.name, step.at) for step in started.steps] == [("system", 900), ("ready", 1200)]


def test_a_clock_that_goes_its_own_way_is_refused() -> None:
    with pytest.raises(ProtocolError, match="drifted apart by 5000"):
        parse_report("runc", [line.replace("clock 9000 8010", "clock 14000 8000") for line in SAID])


def _started(instructions: int, target: str, start: str, **inputs: str) -> Count:
    count = _count(instructions, **inputs)
    cell = count.cell.model_copy(update={"target": target, "factors": {"start": start}})
    return count.model_copy(update={"cell": cell})


@pytest.mark.parametrize(
    ("target", "start", "slack"), [("docker", "first", 0), ("docker", "second", 0.05), ("runc", "second", 0)]
)
def test_what_daemons_do_between_two_starts_is_no_regression(target: str, start: str, slack: float) -> None:
    base, more, far = (
        _started(count, target, start, tree=tree) for count, tree in ((100_000, "t"), (102_000, "u"), (105_100, "u"))
    )
    assert compare_counts(base, more).limit(0.001) == max(0.001, slack)
    assert compare_counts(base, more).regressed(band=0.001) == (not slack)
    assert compare_counts(base, far).regressed(band=0.001)


@pytest.mark.parametrize(
    ("said", "kind", "words"),
    [
        (
            [*SAID[:-2], "log no such\x1b[31m file", "error /usr/sbin/runc: status 256"],
            LaunchError,
            "status 256.*no such",
        ),
        ([*SAID[:-2], "error the box ended without being ready"], NotReadyError, "without being ready"),
        (SAID[:-1], LaunchError, "ended before its script"),
        ([], LaunchError, "ended before its script"),
    ],
)
def test_a_guest_that_fails_says_why(said: list[str], kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words) as caught:
        parse_report("runc", said)
    assert "\x1b" not in str(caught.value)


def test_a_line_that_is_none_of_ours_is_an_error() -> None:
    with pytest.raises(ProtocolError, match="mark requested later"):
        parse_report("runc", ["request first", "mark requested later"])


def _count(total: int, *more: int, key: str = "runc", **inputs: str) -> Count:
    return Count(
        cell=Cell(scenario="hello", target=key, accel="icount", factors={"start": "first"}),
        clocks=tuple(number + 50 for number in (total, *more)),
        waits=(50,) * (1 + len(more)),
        steps=(Instant(name="ready", at=total),),
        inputs={"qemu": "10.0", "machine": "microvm", "firmware a": "1", "tree": "t", "initramfs": "i"} | inputs,
    )


@pytest.mark.parametrize(
    ("base", "other", "outcome", "reason"),
    [
        (_count(1000), _count(1000), Outcome.IDENTICAL, "to the instruction"),
        (_count(1000), _count(1000, tree="u"), Outcome.IDENTICAL, "although tree changed"),
        (_count(1000), _count(1001, tree="u", initramfs="j"), Outcome.CHANGED, "^tree changed$"),
        (_count(1000), _count(1001), Outcome.UNSTABLE, "no recorded input differs.* 1 instructions"),
        (_count(1000, 1002), _count(1000), Outcome.UNSTABLE, "A's 2 runs differ by up to 2"),
        (_count(1000), _count(1000, qemu="10.1"), Outcome.NOT_COMPARABLE, "clocks differ .qemu: 10.0 and 10.1"),
        (_count(1000), _count(1000, **{"firmware a": "2"}), Outcome.NOT_COMPARABLE, "firmware a"),
        (_count(1000, agent="a"), _count(1001, agent="b"), Outcome.NOT_COMPARABLE, "own agent changed"),
        (_count(1000), _count(1000, key="docker"), Outcome.NOT_COMPARABLE, "different cells"),
    ],
)
def test_two_counts_side_by_side(base: Count, other: Count, outcome: Outcome, reason: str) -> None:
    verdict = compare_counts(base, other)
    assert verdict.outcome is outcome
    assert re.search(reason, verdict.reason), verdict.reason
    comparable = outcome in (Outcome.IDENTICAL, Outcome.CHANGED)
    assert verdict.difference == ((other.instructions - base.instructions) if comparable else None)


def test_what_was_not_counted_again_is_left_alone() -> None:
    base = Instructions(scenario="hello", question="?", runs=1, counts=(_count(1000), _count(5, key="docker")))
    other = Instructions(scenario="hello", question="?", runs=1, counts=(_count(1000),))
    assert [verdict.key for verdict in compare_all(base, other)] == ["hello/runc/icount{start=first}"]
    (alone,) = compare_all(
        other, Instructions(scenario="hello", question="?", runs=1, counts=(_count(5, key="docker"),))
    )
    assert (alone.outcome, alone.instructions_a, alone.reason) == (Outcome.NOT_COMPARABLE, None, "A has no count of it")


def test_a_workload_that_got_longer_is_told_from_its_engine() -> None:
    base, other = (
        _count(1000).model_copy(update={"steps": (Instant(name="exec", at=at), Instant(name="ready", at=ready))})
        for at, ready in ((900, 1000), (880, 1030))
    )
    assert compare_counts(base, other).inside == 50
    assert compare_counts(base, _count(1000)).inside is None


def test_a_regression_is_more_than_the_band() -> None:
    verdict = compare_counts(_count(100_000), _count(100_100, tree="u"))
    assert verdict.regressed()
    assert verdict.regressed(band=0.0009)
    assert not verdict.regressed(band=0.001)
    assert not compare_counts(_count(100_000), _count(90_000, tree="u")).regressed()


@pytest.mark.parametrize(
    ("base", "other", "code"),
    [
        ((_count(1000),), (_count(1000),), ExitCode.OK),
        ((_count(1000),), (_count(1002, tree="u"),), ExitCode.REGRESSION),
        ((_count(1000),), (_count(1000), _count(5, key="docker")), ExitCode.CANNOT_TELL),
        ((_count(1000), _count(5, key="docker")), (_count(1000),), ExitCode.OK),
        ((_count(1000),), (_count(1000, 1001),), ExitCode.CANNOT_TELL),
    ],
)
def test_what_ci_is_told(base: tuple[Count, ...], other: tuple[Count, ...], code: ExitCode) -> None:
    left, right = (Instructions(scenario="hello", question="?", runs=1, counts=counts) for counts in (base, other))
    assert exit_code(right, compare_all(left, right), band=0.001) is code


def test_files_are_read_as_they_were_written(tmp_path: Path) -> None:
    counted = Instructions(scenario="hello", question="?", runs=1, counts=(_count(12),))
    write_instructions(tmp_path / "instructions.json", counted)
    assert read_instructions(tmp_path) == counted
    (tmp_path / "instructions.json").write_text('{"runs": 1}')
    with pytest.raises(RecordError, match="scenario: is missing"):
        read_instructions(tmp_path)
    with pytest.raises(RecordError, match="cannot be read"):
        read_instructions(tmp_path / "nowhere")


def _tar(path: Path, members: list[tuple[str, bytes | None, dict[str, Any]]]) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, content, fields in members:
            member = tarfile.TarInfo(name)
            member.size = len(content or b"")
            for field, value in fields.items():
                setattr(member, field, value)
            archive.addfile(member, io.BytesIO(content) if content else None)
    return path


_DIR = {"type": tarfile.DIRTYPE, "mode": 0o755}
_TREE: list[tuple[str, bytes | None, dict[str, Any]]] = [
    ("bin", None, _DIR),
    ("bin/b", b"text", {"mode": 0o755, "uid": 7, "gid": 8}),
    ("bin/a", None, {"type": tarfile.LNKTYPE, "linkname": "bin/b"}),
    ("bin/l", None, {"type": tarfile.SYMTYPE, "linkname": "b"}),
    ("etc/deep/file", b"x", {"mode": 0o600}),
]


@given(st.permutations(_TREE[1:]), st.integers(0, 2**31))
def test_neither_order_nor_times_of_a_tree_matter(
    tmp_path_factory: pytest.TempPathFactory, members: list[tuple[str, bytes | None, dict[str, Any]]], mtime: int
) -> None:
    directory = tmp_path_factory.mktemp("tree")
    plain = read_index(_tar(directory / "a.tar", _TREE))
    # A link comes after what it names, as in every tar.
    ordered = sorted(members, key=lambda member: member[2].get("type") == tarfile.LNKTYPE)
    shuffled = [_TREE[0], *((name, content, fields | {"mtime": mtime}) for name, content, fields in ordered)]
    other = read_index(_tar(directory / "b.tar", shuffled))
    assert newc(tree_entries(plain, "box/")) == newc(tree_entries(other, "box/"))
    assert image_archive(plain, CONFIG, "x:y") == image_archive(other, CONFIG, "x:y")


def test_links_of_one_file_stay_one_file(tmp_path: Path) -> None:
    entries = {entry.name: entry for entry in tree_entries(read_index(_tar(tmp_path / "a.tar", _TREE)))}
    assert (entries["bin/a"].content, entries["bin/b"].content) == (b"text", b"")
    assert entries["bin/a"].inode == entries["bin/b"].inode > 0
    assert entries["bin/a"].links == 2
    assert entries["bin/b"].owner == (7, 8)
    # Nobody listed these two.
    assert list(entries).index("etc") < list(entries).index("etc/deep") < list(entries).index("etc/deep/file")


def test_an_archive_is_what_engines_load(tmp_path: Path) -> None:
    archive, layer = image_archive(read_index(_tar(tmp_path / "a.tar", _TREE)), CONFIG, "x:y")
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        files = {member.name: opened.extractfile(member) for member in opened}
        contents = {name: stream.read() for name, stream in files.items() if stream is not None}
    (manifest,) = json.loads(contents["manifest.json"])
    config = json.loads(contents[manifest["Config"]])
    assert manifest["RepoTags"] == ["x:y"]
    assert config["rootfs"]["diff_ids"] == [layer]
    with tarfile.open(fileobj=io.BytesIO(contents["layer.tar"])) as opened:
        names = opened.getnames()
    assert names.index("bin/b") < names.index("bin/a"), "a link must come after its file"


@pytest.mark.parametrize("target", ["process", "namespaces", "runc", "containerd", "docker", "docker-cli"])
def test_a_box_is_requested_and_awaited_as_often_as_there_are_starts(target: str) -> None:
    recipe = container_recipe(target, CountedImage(CONFIG, 2**27, "sha256:0"))
    verbs = [line.partition(" ")[0] for line in recipe.lines]
    assert verbs.count("request") == verbs.count("ready") == verbs.count("stop") == len(STARTS)
    for start in STARTS:
        at = recipe.lines.index(f"request {start}")
        # The guest settles immediately before the request, and nothing but the start comes after it.
        assert verbs[at - 1] == "sleep"
        assert set(verbs[at + 1 : verbs.index("ready", at)]) <= {"mount", "call", "go", "grpc", "http"}
    assert verbs[-1] == "finish"


def test_a_vm_is_requested_by_its_power() -> None:
    verbs = [line.partition(" ")[0] for line in vm_recipe().lines]
    assert verbs[-4:] == ["poweron", "daemon", "ready", "finish"]


def test_a_header_block_is_what_http2_reads() -> None:
    hpack = pytest.importorskip("hpack")
    calls = start_calls("first", image="i", parent="p", spec=b"{}", output="/out")
    assert [call.name for call in calls] == ["snapshot", "container", "task", "start"]
    decoded = dict(hpack.Decoder().decode(calls[0].head))
    assert decoded[":path"] == "/containerd.services.snapshots.v1.Snapshots/Prepare"
    assert decoded["containerd-namespace"] == "boxbench"


def test_every_digit_is_shown() -> None:
    assert grouped(4082221610).split("\u202f") == ["4", "082", "221", "610"]
