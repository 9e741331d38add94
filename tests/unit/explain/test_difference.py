"""Why one is slower: names of cells, parts and their intervals, and what must not be compared."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest
from rich.console import Console

from bench.analysis.results import NotComparableError
from bench.anatomy.model import Anatomy, CellAnatomy, Overhead, StartAnatomy, write_anatomy
from bench.explain.cells import CampaignCell, pairs, split_name
from bench.explain.difference import Explanation, common_chain, explain_difference, is_doubt
from bench.records.campaign import read_records
from bench.records.manifest import Manifest, read_manifest
from bench.records.record import Endpoint, Record
from bench.render.commands.explain import explanation_json, view_explanation, write_explanations
from bench.util.errors import UsageError
from tests.factories import DOCKER, LIBVIRT, PROCESS, Box, make_manifest, make_records, write_campaign

MS = 10**6
STEADY = (replace(PROCESS, spread=0.001), replace(DOCKER, spread=0.001), replace(LIBVIRT, spread=0.001))
SLOW = replace(DOCKER, spread=0.001, instants_ms={**DOCKER.instants_ms, Endpoint.CREATED: 114.0, Endpoint.INIT: 268.0,
                                                  Endpoint.EXEC: 271.0, Endpoint.START_RETURNED: 282.0,
                                                  Endpoint.READY: 329.0})  # fmt: skip


def campaign(
    path: Path,
    boxes: tuple[Box, ...] = STEADY,
    *,
    blocks: int = 7,
    identity: str = "c0ffee42",
    seed: int = 1,
    change: Mapping[str, object] | None = None,
) -> Path:
    manifest: Manifest = make_manifest(["hello"], boxes, blocks=blocks).model_copy(
        update={"id": identity, **(change or {})}
    )
    records = [
        record.model_copy(update={"campaign": identity})
        for record in make_records(manifest, boxes, seed=seed, troubles=False)
    ]
    return write_campaign(path, manifest, records)


def the_only(base: str, other: str) -> tuple[CampaignCell, CampaignCell]:
    (pair,) = pairs(base, other)
    return pair


def explained(base: str, other: str, *, force: bool = False) -> Explanation:
    return explain_difference(*the_only(base, other), force=force)


def test_names_are_split_at_the_last_colon_unless_the_whole_is_a_directory(tmp_path: Path) -> None:
    assert split_name("a/b:web/docker") == ("a/b", "web/docker")
    assert split_name(":web/docker") == ("", "web/docker")
    (tmp_path / "12:30").mkdir()
    assert split_name(str(tmp_path / "12:30")) == (str(tmp_path / "12:30"), "")


def test_a_short_name_of_a_cell_is_enough_if_only_one_matches(tmp_path: Path) -> None:
    path = campaign(tmp_path / "a")
    for name in ("hello/libvirt/tcg", "hello/libvirt", "libvirt/tcg", "libvirt"):
        _, other = the_only(f"{path}:hello/docker", f":{name}")
        assert other.cell.key == "hello/libvirt/tcg"


@pytest.mark.parametrize(
    ("base", "other", "words"),
    [
        (":docker", ":nothing", "has no cell 'nothing'"),
        (":docker", ":docker", "are the same"),
        ("", "", "are the same"),
    ],
)
def test_unknown_and_equal_cells_are_refused(tmp_path: Path, base: str, other: str, words: str) -> None:
    path = campaign(tmp_path / "a")
    with pytest.raises(UsageError, match=words):
        pairs(f"{path}{base}", other or str(path))


def test_a_wrong_name_of_a_cell_is_answered_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        pairs(f"{campaign(tmp_path / 'a')}:hello/dokcer", ":libvirt")
    assert caught.value.hint.startswith("did you mean 'hello/docker'? its cells: ")


@pytest.mark.parametrize(("base", "words"), [(":web/docker", "DIR:web/docker"), ("", "DIR:SCENARIO/BOX")])
def test_the_first_name_needs_a_directory(base: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        pairs(base, "somewhere")
    assert caught.value.message == f'A needs a directory: {words} (only B may begin with ":")'


def test_two_campaigns_give_all_cells_that_both_have(tmp_path: Path) -> None:
    left, right = campaign(tmp_path / "a"), campaign(tmp_path / "b", STEADY[:2], identity="beef0001", seed=2)
    found = pairs(str(left), str(right))
    assert {base.cell.key for base, _ in found} == {"hello/process", "hello/docker"}
    assert all(base.cell.key == other.cell.key for base, other in found)


def test_a_side_without_a_good_boot_is_refused(tmp_path: Path) -> None:
    path = campaign(tmp_path / "a")
    lines = (path / "records.jsonl").read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if '"target":"docker"' not in line]
    (path / "records.jsonl").write_text("\n".join(kept) + "\n", encoding="utf-8")
    with pytest.raises(NotComparableError, match="none of its 0 boots"):
        pairs(f"{path}:process", ":docker")


def test_within_a_campaign_blocks_are_paired_and_the_largest_part_comes_first(tmp_path: Path) -> None:
    path = campaign(tmp_path / "a", (STEADY[0], STEADY[1]))
    found = explained(f"{path}:hello/process", ":hello/docker")
    assert found.paired
    assert found.total.verdict == "slower"
    assert found.total.change_ns == pytest.approx(220.8 * MS, rel=0.05)
    assert found.total.interval is not None
    assert found.total.interval.low <= found.total.change_ns <= found.total.interval.high
    sizes = [abs(part.change_ns) for part in found.phases]
    assert sizes == sorted(sizes, reverse=True)
    assert found.phases[0].name == "requested-init"
    assert sum(part.change_ns for part in found.phases) == pytest.approx(found.total.change_ns, rel=0.02)
    assert sum(part.share or 0 for part in found.phases) == pytest.approx(1, rel=0.02)


def test_two_campaigns_find_the_phase_that_grew(tmp_path: Path) -> None:
    left = campaign(tmp_path / "a", (STEADY[1],))
    right = campaign(tmp_path / "b", (SLOW,), identity="beef0001", seed=2)
    found = explained(f"{left}:hello/docker", f"{right}:hello/docker")
    assert not found.paired
    top, *rest = found.phases
    assert (top.name, top.verdict) == ("requested-created", "slower")
    assert top.share == pytest.approx(1, abs=0.1)
    assert all(abs(part.change_ns) < 0.1 * top.change_ns for part in rest)


def test_a_cell_of_two_sittings_shows_their_range_and_its_difference_allows_for_both(tmp_path: Path) -> None:
    """As its report does. Boots of the second sitting take a fifth longer."""
    left, right = (
        campaign(tmp_path / name, (STEADY[1],), blocks=20, identity=identity, seed=seed)
        for name, identity, seed in (("a", "c0ffee42", 1), ("b", "beef0001", 2))
    )
    records = [
        record.model_copy(
            update={"sitting": 1, "endpoints_ns": {end: at * 12 // 10 for end, at in record.endpoints_ns.items()}}
        )
        if record.trial.block > 10
        else record
        for record in read_records(right)
    ]
    write_campaign(right, read_manifest(right), records)
    found = explained(f"{left}:docker", f"{right}:docker").total
    assert found.a.spread is None
    assert found.b.spread is not None
    assert found.b.spread.of == "sittings"
    assert found.interval is not None
    assert found.b.interval is not None
    assert found.interval.high >= found.b.interval.high - found.b.value
    assert found.verdict == "cannot tell", "the first sitting of B was as fast as A"


def test_equal_cells_cannot_be_told_from_noise(tmp_path: Path) -> None:
    noisy = replace(DOCKER, spread=0.1)
    left = campaign(tmp_path / "a", (noisy,), seed=3)
    right = campaign(tmp_path / "b", (noisy,), identity="beef0001", seed=4)
    found = explained(f"{left}:docker", f"{right}:docker")
    assert found.total.verdict == "cannot tell"
    assert all(part.share is None for part in found.phases)


def test_too_few_boots_have_no_interval_and_no_verdict(tmp_path: Path) -> None:
    path = campaign(tmp_path / "a", blocks=3)
    found = explained(f"{path}:process", ":docker")
    assert found.total.interval is None
    assert found.total.verdict == "cannot tell"
    assert found.total.n == 3


def test_other_hosts_limits_and_sources_need_force_and_become_notes(tmp_path: Path) -> None:
    left = campaign(tmp_path / "a", (STEADY[1],))
    manifest = make_manifest(["hello"], (STEADY[1],))
    entry = manifest.scenarios["hello"]
    resources = entry.scenario.resources.model_copy(update={"cpus": 2, "memory": 128 * 2**20})
    scenario = entry.scenario.model_copy(update={"resources": resources})
    change = {
        "host": {**manifest.host, "fingerprint": "another"},
        "scenarios": {"hello": entry.model_copy(update={"scenario": scenario})},
    }
    right = campaign(tmp_path / "b", (STEADY[1],), identity="beef0001", change=change)
    with pytest.raises(NotComparableError, match="different hosts") as caught:
        explained(f"{left}:docker", f"{right}:docker")
    assert "different limits: cpus 1 and 2; different limits: memory 256 MiB and 128 MiB" in caught.value.message
    assert "--force" in caught.value.hint
    found = explained(f"{left}:docker", f"{right}:docker", force=True).notes
    assert sum(map(is_doubt, found)) == 3, "a deck shows these beside its numbers"
    notes = " ".join(found)
    assert "different hosts" in notes
    assert "different limits" in notes


def test_other_accelerators_and_versions_become_notes(tmp_path: Path) -> None:
    left = campaign(tmp_path / "a")
    doubts = [note for note in explained(f"{left}:docker", ":libvirt").notes if is_doubt(note)]
    assert "different accelerators: native and tcg" in doubts
    right = campaign(tmp_path / "b", identity="beef0001", change={"targets": {"docker": {"engine": "Docker 99"}}})
    notes = explained(f"{left}:docker", f"{right}:docker").notes
    assert "engine: Docker Engine 26.1.5 → Docker 99" in notes


def test_other_endpoints_are_refused_even_by_force(tmp_path: Path) -> None:
    left = campaign(tmp_path / "a")
    manifest = make_manifest(["hello"], STEADY)
    entry = manifest.scenarios["hello"]
    scenario = entry.scenario.model_copy(update={"headline": "exec"})
    change = {"scenarios": {"hello": entry.model_copy(update={"scenario": scenario})}}
    right = campaign(tmp_path / "b", identity="beef0001", change=change)
    with pytest.raises(NotComparableError, match="ends at ready"):
        explained(f"{left}:docker", f"{right}:docker", force=True)


def _boots(*instants: dict[Endpoint, int]) -> list[Record]:
    template = make_records(make_manifest(["hello"], (DOCKER,)), (DOCKER,), troubles=False)[0]
    return [template.model_copy(update={"endpoints_ns": {Endpoint.REQUESTED: 0, **one}}) for one in instants]


def test_endpoints_in_another_order_are_left_out_of_the_common_chain() -> None:
    left = _boots({Endpoint.START_RETURNED: 5, Endpoint.INIT: 10, Endpoint.READY: 20})
    right = _boots({Endpoint.INIT: 5, Endpoint.START_RETURNED: 10, Endpoint.READY: 20, Endpoint.CREATED: 1})
    assert common_chain(left, right, Endpoint.READY) == (Endpoint.REQUESTED, Endpoint.INIT, Endpoint.READY)


def test_marks_after_the_goal_are_not_phases() -> None:
    late = _boots({Endpoint.INIT: 10, Endpoint.READY: 20, Endpoint.START_RETURNED: 30})
    assert common_chain(late, late, Endpoint.READY) == (Endpoint.REQUESTED, Endpoint.INIT, Endpoint.READY)


def _anatomy(manifest_id: str, *, engine: int) -> Anatomy:
    starts = tuple(
        StartAnatomy(
            trial=f"t{block:04d}",
            block=block,
            total_ns=30 * MS + engine + block,
            segments=((0, engine, "engine"), (engine, 30 * MS + engine + block, "runtime")),
            steps_ns={"engine": engine, "runtime": 30 * MS + block},
            marks_ns={},
            events=1,
            trace_bytes=1,
        )
        for block in range(1, 8)
    )
    overhead = Overhead(ratio=None, interval=None, blocks=0, untraced_ns=(), note="none")
    cell = CellAnatomy(
        cell="hello/docker", scenario="hello", box="docker", accel="native", description={}, starts=starts,
        overhead=overhead,
    )  # fmt: skip
    return Anatomy(
        campaign=manifest_id, fingerprint="x", scenario="hello", goal=Endpoint.READY, resolution_ns=None,
        missing_events=(), cells=(cell,),
    )  # fmt: skip


def test_two_anatomies_give_steps(tmp_path: Path) -> None:
    left = campaign(tmp_path / "a", (STEADY[1],))
    right = campaign(tmp_path / "b", (SLOW,), identity="beef0001")
    write_anatomy(left, _anatomy("c0ffee42", engine=10 * MS))
    assert explained(f"{left}:docker", f"{right}:docker").steps == ()
    write_anatomy(right, _anatomy("beef0001", engine=110 * MS))
    engine, runtime = explained(f"{left}:docker", f"{right}:docker").steps
    assert (engine.name, engine.change_ns, engine.verdict) == ("engine", 100 * MS, "slower")
    assert engine.share == pytest.approx(1)
    assert (runtime.verdict, runtime.change_ns) == ("cannot tell", 0)


@pytest.mark.parametrize("width", [80, 120])
def test_the_terminal_report_marks_noise_and_fits(tmp_path: Path, width: int) -> None:
    path = campaign(tmp_path / "a")
    console = Console(width=width, record=True, file=open("/dev/null", "w", encoding="utf-8"))  # noqa: PTH123, SIM115
    with console.file:
        console.print(view_explanation(explained(f"{path}:docker", ":libvirt")))
    text = console.export_text()
    assert max(map(len, text.splitlines())) <= width
    for words in ("a:hello/libvirt/tcg against a:hello/docker", "slower", "paired by block", "accelerators", "share"):
        assert words in text


def test_a_difference_in_a_sentence_has_no_sign_beside_its_direction(tmp_path: Path) -> None:
    path = campaign(tmp_path / "a", (STEADY[0], STEADY[1]))
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(view_explanation(explained(f"{path}:hello/docker", ":hello/process")))
    (sentence,) = re.findall(r"faster by ([^\n]*)", console.export_text())
    assert re.fullmatch(r"2\d\d ms \[2\d\d ms, 2\d\d ms\]", sentence.strip())


def test_json_holds_no_infinity_and_every_number(tmp_path: Path) -> None:
    path = campaign(tmp_path / "a")
    value = explanation_json(explained(f"{path}:docker", ":libvirt"))
    text = json.dumps(value, allow_nan=False)
    assert json.loads(text)["total"]["verdict"] == "slower"
    assert value["phases"][0]["interval_ns"].keys() == {"low", "high", "level"}


def test_the_page_ranks_steps_and_phases_and_says_what_a_step_is(tmp_path: Path) -> None:
    left = campaign(tmp_path / "a", (STEADY[1],))
    right = campaign(tmp_path / "b", (SLOW,), identity="beef0001")
    write_anatomy(left, _anatomy("c0ffee42", engine=10 * MS))
    write_anatomy(right, _anatomy("beef0001", engine=110 * MS))
    found = explained(f"{left}:docker", f"{right}:docker")

    page = write_explanations([found], tmp_path / "out", command="boxbench explain A B -o out")
    text = unescape(page.read_text(encoding="utf-8")).replace("<wbr>", "")
    assert "<h1>b:hello/docker against a:hello/docker: 3" in text
    assert "slower by " in text
    assert ": the engine's own work" in text
    assert json.loads((tmp_path / "out" / "explain.json").read_text())[0]["total"]["verdict"] == "slower"
    assert write_explanations([found], tmp_path / "out", command="boxbench explain A B -o out") == page
