"""The certificate without a host: how facts are read and judged, what is refused, what reports say of it."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from bench.agent.boxconf import AGENT_IN_BOX, encode_word
from bench.agent.protocol import MAX_LINE_BYTES, ReportedFact, parse_message
from bench.analysis.analyse import analyse
from bench.analysis.certified import with_doubts
from bench.analysis.pool import Pool
from bench.certificate import facts as facts_module
from bench.certificate.facts import CUT, FACT, FACTS, IDLE, agrees, canonical_env, canonical_words
from bench.certificate.judge import judge, refuse_unequal
from bench.certificate.reasons import UNEXPLAINED, why
from bench.image.archive import digest_exclusions, read_index, tree_digest
from bench.plan.trials import Cell
from bench.records.certificate import Certificate, Inspection, Status
from bench.records.manifest import Manifest
from bench.records.record import Record
from bench.render.report import write_report
from bench.render.sections.certificate import certificate_view, certificates_report
from bench.render.terminal import view_report
from bench.run.certify import one_per_box
from bench.scenario.allowed_differences import FACT_NAMES, FactName
from bench.scenario.model import load_scenario
from bench.scenario.schema import scenario_schema
from bench.scenario.target_table import TARGETS, Kind
from bench.util.errors import NotEqualError, ScenarioError
from tests.factories import HOSTILE, make_manifest, make_records, write_campaign

MIB = 2**20
DIGEST = "ab" * 32
ENV = ("PATH=/bin", "HOME=/", "NOTE=two words")
ASKED: dict[FactName, str] = {
    "digest": DIGEST,
    "argv": canonical_words(("/bin/sh", "-c", "echo hi")),
    "env": canonical_env(ENV),
    "uid": "33",
    "gid": "33",
    "groups": "7 33",
    "cwd": "/srv",
    "cpus": "1",
    "memory": f"limit {128 * MIB}",
}
RAW = {
    "argv": "/.boxbench/boxinit idle /bin/sh -c echo%20hi",
    "env.PATH": "/bin",
    "env.HOME": "/",
    "env.NOTE": "two words",
    "uid": "33",
    "gid": "33",
    "groups": "33 7 33",
    "cwd": "/srv",
    "cpus": "1",
    "memory_limit_bytes": str(128 * MIB),
    "mem_total_bytes": str(8000 * MIB),
    "kernel": "6.18.5",
    "machine": "x86_64",
    "hostname": "boxbench",
    "cgroup_version": "1",
    "clocksource": "tsc",
    "mounts": "29",
    "cap_eff": "00000000a80425fb",
    "cap_bnd": "00000000a80425fb",
    "seccomp": "2",
    "no_new_privs": "0",
    "agent_uid": "0",
}
GUEST = {
    "memory_limit_bytes": None,
    "ram_bytes": str(128 * MIB - 500_000),
    "mem_total_bytes": str(87 * MIB),
    "kernel": "6.12.48",
    "cgroup_version": "2",
    "mounts": "7",
    "cap_eff": "000001ffffffffff",
    "cap_bnd": "000001ffffffffff",
    "seccomp": "0",
}


def inspection(box: str = "docker", changes: Mapping[str, str | None] | None = None, **more: Any) -> Inspection:
    raw = {key: value for key, value in {**RAW, **(changes or {})}.items() if value is not None}
    vm = {"kind": "vm"} if box.startswith("libvirt") else {"kind": "container"}
    return Inspection.model_validate(
        {"box": box, "inspected_at": "2031-01-01", "facts": raw, "digest": DIGEST, **vm, **more}
    )


def certificate(*inspections: Inspection, differs: Mapping[FactName, str] | None = None) -> Certificate:
    return judge("hello", inspections, ASKED, differs or {})


def status(found: Certificate, fact: FactName) -> Status:
    finding = found.finding(fact)
    assert finding is not None
    return finding.status


def test_a_container_and_a_vm_of_one_image_are_equal() -> None:
    found = certificate(inspection(), inspection("libvirt/tcg", GUEST))
    assert found.equal
    assert {finding.status for finding in found.findings if finding.must} == {"equal"}
    refuse_unequal([found])


def test_every_fact_has_a_name_a_scenario_can_declare() -> None:
    assert tuple(fact.name for fact in FACTS) == FACT_NAMES
    assert {fact.name for fact in FACTS if fact.must} == set(ASKED)


def test_the_idle_command_is_the_agent() -> None:
    assert IDLE[0] == AGENT_IN_BOX


ALTERED: dict[str, tuple[dict[str, str | None], dict[str, Any], FactName, str]] = {
    "one byte": ({}, {"digest": "ac" * 32}, "digest", "tree digest in docker is acacacacacac, asked for abababababab"),
    "a variable more": ({"env.EXTRA": "1"}, {}, "env", "environment in docker is EXTRA=1, asked for no such variable"),
    "a variable less": ({"env.NOTE": None}, {}, "env", "asked for NOTE=two%20words"),
    "another value": ({"env.HOME": "/root"}, {}, "env", "environment in docker is HOME=/root, asked for HOME=/"),
    "one more CPU": ({"cpus": "2"}, {}, "cpus", "CPUs in docker is 2, asked for 1"),
    "another word": ({"argv": "/.boxbench/boxinit idle /bin/sh -c"}, {}, "argv", "asked for /bin/sh -c 'echo hi'"),
    "root": ({"uid": "0"}, {}, "uid", "user in docker is 0, asked for 33"),
    "a group more": ({"groups": "33 7 0"}, {}, "groups", "groups in docker is 0 7 33, asked for 7 33"),
    "a page more": ({"memory_limit_bytes": str(128 * MIB + 4096)}, {}, "memory", "memory in docker is"),
    "elsewhere": ({"cwd": "/"}, {}, "cwd", "directory in docker is /, asked for /srv"),
}


@pytest.mark.parametrize("change", ALTERED)
def test_an_altered_box_is_refused_with_fact_values_and_box(change: str) -> None:
    changes, more, fact, words = ALTERED[change]
    found = certificate(inspection("process"), inspection("docker", changes, **more))
    assert [finding.fact for finding in found.findings if finding.status == "unequal"] == [fact]
    with pytest.raises(NotEqualError) as caught:
        refuse_unequal([found])
    assert words in caught.value.message
    assert "process" not in caught.value.message
    assert f"allowed_differences: {{{fact}: why}}" in caught.value.hint


@pytest.mark.parametrize("change", ALTERED)
def test_a_declared_difference_is_no_refusal(change: str) -> None:
    changes, more, fact, _ = ALTERED[change]
    found = certificate(inspection("process"), inspection("docker", changes, **more), differs={fact: "on purpose"})
    refuse_unequal([found])
    assert status(found, fact) == "declared"
    assert "on purpose" in certificate_view(found).sentence


def test_all_boxes_alike_and_not_as_asked_are_refused() -> None:
    with pytest.raises(NotEqualError):
        refuse_unequal([certificate(inspection("process", {"cpus": "2"}), inspection("docker", {"cpus": "2"}))])


@pytest.mark.parametrize(
    ("ram", "equal"),
    [(128 * MIB - 500_000, True), (128 * MIB, True), (128 * MIB + 4096, False), (120 * MIB, False), (136 * MIB, False)],
)
def test_a_guest_is_judged_by_its_size(ram: int, equal: bool) -> None:
    assert certificate(inspection("libvirt/tcg", {**GUEST, "ram_bytes": str(ram)})).equal == equal


def test_memory_that_a_kernel_has_left_proves_no_size() -> None:
    hidden = {"memory_limit_bytes": None, "mem_total_bytes": str(87 * MIB)}
    found = certificate(inspection("docker"), inspection("gvisor", hidden))
    assert status(found, "memory") == "unknown"
    refuse_unequal([found])
    assert "unknown: memory in gvisor." in certificate_view(found).sentence
    assert not certificate_view(found).ok


def test_a_kernel_that_shows_exactly_the_limit_proves_it() -> None:
    shown = {"memory_limit_bytes": None, "mem_total_bytes": str(128 * MIB)}
    assert status(certificate(inspection("docker"), inspection("gvisor", shown)), "memory") == "equal"


def test_an_unknown_value_hides_no_other_boxes_difference() -> None:
    found = certificate(inspection("gvisor", {"cpus": None}), inspection("docker", {"cpus": "2"}))
    assert status(found, "cpus") == "unequal"


def test_a_box_without_an_agent_says_so_and_is_not_compared() -> None:
    silent = Inspection(
        box="vmm/kvm", kind="vm", inspected_at="2031-01-01", silent="no agent inside: nothing to compare"
    )
    found = certificate(inspection(), silent)
    assert found.equal
    assert list(found.boxes) == ["docker"]
    assert "vmm/kvm: no agent inside: nothing to compare" in certificate_view(found).sentence
    assert "none of the boxes has an agent" in certificate_view(certificate(silent)).sentence


def test_a_value_that_the_agent_cut_is_compared_as_far_as_it_goes() -> None:
    long = "x" * 9000
    asked = {**ASKED, "env": canonical_env((*ENV, f"LONG={long}"))}
    good = inspection(changes={"env.LONG.cut": "x" * 3000})
    bad = inspection(changes={"env.LONG.cut": "x" * 2999 + "y"})
    assert judge("hello", [good], asked, {}).equal
    assert not judge("hello", [bad], asked, {}).equal


WORD = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=20)


@given(st.lists(st.tuples(st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,9}", fullmatch=True), WORD), min_size=1, max_size=8))
def test_an_environment_is_read_back_whatever_is_in_it(pairs: list[tuple[str, str]]) -> None:
    entries = dict(pairs)
    raw = {f"env.{encode_word(name)}": value for name, value in entries.items()}
    seen = FACT["env"].read(raw)
    assert seen is not None
    assert agrees("env", canonical_env(tuple(f"{name}={value}" for name, value in entries.items())), seen)
    other = canonical_env((*(f"{name}={value}" for name, value in entries.items()), "_ONE_MORE_="))
    assert not agrees("env", other, seen)


@given(st.lists(WORD, min_size=1, max_size=8))
def test_a_command_is_read_back_whatever_is_in_it(words: list[str]) -> None:
    raw = {"argv": " ".join([*IDLE, *map(encode_word, words)])}
    seen = FACT["argv"].read(raw)
    assert seen is not None
    assert agrees("argv", canonical_words(tuple(words)), seen)


@given(st.dictionaries(st.sampled_from([*RAW, "ram_bytes", "argv.cut", "env.X.cut"]), st.text(max_size=40)))
def test_no_answer_of_a_box_breaks_the_judge_or_the_report(raw: dict[str, str]) -> None:
    found = certificate(inspection().model_copy(update={"facts": raw}))
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(certificates_report([found]))
    assert "\x1b]" not in console.export_text()


def test_every_kind_of_target_is_explained_where_it_differs() -> None:
    reported = [fact.name for fact in FACTS if not fact.must and fact.name != "machine"]
    kinds = {info.kind for info in TARGETS.values()}
    assert kinds == set(get_args(Kind))
    missing = [
        (fact, kind)
        for fact in reported
        for kind in sorted(kinds)
        if why(fact, kind) == UNEXPLAINED and (fact, kind) != ("clocksource", "gvisor")
    ]
    assert missing == []


def test_ways_to_show_values() -> None:
    assert FACT["memory"].show(f"limit {128 * MIB}") == "128 MiB limit"
    assert FACT["argv"].show("sh -c echo%20hi" + CUT) == "sh -c 'echo hi'" + CUT
    assert FACT["cap_eff"].show("00000000a80425fb") == "14 (a80425fb)"
    assert FACT["seccomp"].show("2") == "filter"
    assert facts_module.FACT["cap_eff"].show("none") == "none"


SCENARIO = """\
question: Is it the same?
name: same
ready: {when: first-line}
"""


def scenario(tmp_path: Path, extra: str) -> Path:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n", encoding="utf-8")
    file = tmp_path / "scenario.yaml"
    file.write_text(SCENARIO + extra, encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("text", "differs"),
    [
        ("", {}),
        ("allowed_differences: [cap_eff, memory]\n", {"cap_eff": "", "memory": ""}),
        ("allowed_differences: {memory: gVisor hides it}\n", {"memory": "gVisor hides it"}),
    ],
)
def test_a_scenario_declares_differences(tmp_path: Path, text: str, differs: dict[str, str]) -> None:
    assert load_scenario(scenario(tmp_path, text)).scenario.allowed_differences == differs


@pytest.mark.parametrize(
    "text",
    [
        "allowed_differences: [memroy]\n",
        "allowed_differences: {memroy: why}\n",
        "allowed_differences: all\n",
        "allowed_differences: [1]\n",
    ],
)
def test_an_unknown_fact_cannot_be_declared(tmp_path: Path, text: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        load_scenario(scenario(tmp_path, text))
    assert "allowed_differences" in caught.value.message


def test_the_schema_knows_the_facts() -> None:
    assert "memory" in json.dumps(scenario_schema()["properties"]["allowed_differences"])


def certified(manifest: Manifest) -> Manifest:
    """With a certificate of every scenario that says what the factory's boxes show."""
    asked = {**ASKED, "uid": "0", "gid": "0", "memory": f"limit {256 * MIB}"}
    changes: dict[str, str | None] = {"uid": "0", "gid": "0", "memory_limit_bytes": str(256 * MIB), "hostname": "box"}
    kernels = {"process": "6.18.5", "docker": "6.18.5", "libvirt/tcg": "6.12.48"}
    inspections = [inspection(box, {**changes, "kernel": kernel}) for box, kernel in kernels.items()]
    found = {name: judge(name, inspections, asked, {}) for name in manifest.scenarios}
    assert all(one.equal for one in found.values())
    return manifest.model_copy(update={"certificates": found})


def altered(records: tuple[Record, ...], box: str | None, **inside: str) -> tuple[Record, ...]:
    return tuple(
        record.model_copy(update={"inside": {**record.inside, **inside}})
        if record.inside and box in (None, record.trial.cell.box) and record.trial.cell.scenario == "hello"
        else record
        for record in records
    )


def deviating(record: Record) -> list[str]:
    return [mark for mark in record.doubts if mark.startswith("inside: ")]


def test_trials_like_their_certificate_carry_no_doubt() -> None:
    manifest = certified(make_manifest())
    records = make_records(manifest, troubles=False)
    assert with_doubts(manifest, records) == records


def test_a_trial_with_another_cpu_is_a_doubt_in_every_report(tmp_path: Path) -> None:
    manifest = certified(make_manifest())
    records = altered(make_records(manifest, troubles=False), "docker", cpus="2")
    marks = {r.trial.cell.key: deviating(r) for r in with_doubts(manifest, records) if deviating(r)}
    assert marks == {"hello/docker": ["inside: CPUs is 2, and was 1 when certified"]}
    report = write_report(write_campaign(tmp_path / "c", manifest, records), png=False)
    assert "CPUs is 2, and was 1 when certified" in report.text.read_text(encoding="utf-8")
    assert sum(sample.doubts for sample in report.analysis.samples) > 0


def test_a_level_of_a_factor_is_held_against_what_was_asked_for() -> None:
    """The certificate is of one level; the trials of another show what they were given."""
    manifest = certified(make_manifest())
    record = next(r for r in make_records(manifest, troubles=False) if r.trial.cell.box == "docker")

    def doubts_at(**levels: str) -> list[str]:
        cell = record.trial.cell.model_copy(update={"factors": levels})
        at = record.model_copy(update={"trial": record.trial.model_copy(update={"cell": cell})})
        return deviating(with_doubts(manifest, [at])[0])

    assert doubts_at(memory="256MiB", cpus="1", cache="cold") == []
    assert doubts_at(memory="3MiB") == ["inside: memory is 256 MiB limit, and 3.00 MiB limit was asked for"]
    assert doubts_at(cpus="2") == ["inside: CPUs is 1, and 2 was asked for"]


def test_a_first_start_is_held_against_its_own_inspection() -> None:
    """What it boots came over a link."""
    manifest = certified(make_manifest())
    record = next(r for r in make_records(manifest, troubles=False) if r.trial.cell.key == "hello/docker")
    first = record.trial.cell.model_copy(update={"factors": {"cache": "absent"}})
    there = inspection(first.certified_as, {**record.inside, "cpus": "2"})
    manifest = manifest.model_copy(update={"certificates": {"hello": certificate(inspection("docker"), there)}})

    def doubts(cell: Cell) -> list[str]:
        changed = record.trial.model_copy(update={"cell": cell})
        return deviating(with_doubts(manifest, [record.model_copy(update={"trial": changed})])[0])

    assert first.certified_as == "docker, first start"
    assert "inside: CPUs is 1, and was 2 when certified" in doubts(first)
    assert "inside: CPUs is 1, and was 2 when certified" not in doubts(record.trial.cell)
    # Earlier campaigns have one inspection for all levels.
    manifest = manifest.model_copy(update={"certificates": {"hello": certificate(inspection("docker", {"cpus": "3"}))}})
    assert "inside: CPUs is 1, and was 3 when certified" in doubts(first)


def test_every_box_that_boots_something_else_is_inspected() -> None:
    def cell(target: str, **factors: str) -> Cell:
        return Cell(scenario="web", target=target, accel="native", factors=factors)

    cells = [cell("docker", cache=level, cpus=cpus) for level in ("absent", "warm", "cold") for cpus in ("1", "2")]
    cells += [cell("runc", cache="cold"), Cell(scenario="other", target="runc", accel="native")]
    chosen = one_per_box(dict.fromkeys(cells, cast("Any", None)), "web")
    assert [(one.certified_as, one.factors) for one in chosen] == [
        ("docker, first start", {"cache": "absent", "cpus": "1"}),
        ("docker", {"cache": "warm", "cpus": "1"}),
        ("runc", {"cache": "cold"}),
    ]


def test_a_workload_that_drops_root_in_every_box_is_no_doubt() -> None:
    manifest = certified(make_manifest())
    records = altered(make_records(manifest, troubles=False), None, uid="33")
    assert with_doubts(manifest, records) == records
    one = altered(make_records(manifest, troubles=False), "docker", uid="33")
    assert any(deviating(record) for record in with_doubts(manifest, one))


@pytest.mark.parametrize("inside", [{"uid": "33"}, {"cpus": "2"}])
@pytest.mark.parametrize("box", ["docker", None])
def test_records_that_two_pools_took_have_the_doubts_of_one(box: str | None, inside: dict[str, str]) -> None:
    manifest = certified(make_manifest())
    records = altered(make_records(manifest, troubles=False), box, **inside)
    for cut in (1, len(records) // 2, len(records) - 1):
        joined = Pool(manifest)
        for some in (records[:cut], records[cut:]):
            pool = Pool(manifest)
            for record in some:
                pool.add(record)
            joined.join(pool.part())
        assert joined.records() == with_doubts(manifest, records)


def test_a_cpu_more_in_every_box_is_a_doubt_all_the_same() -> None:
    manifest = certified(make_manifest())
    records = altered(make_records(manifest, troubles=False), None, cpus="2")
    assert all(deviating(r) for r in with_doubts(manifest, records) if r.trial.cell.scenario == "hello")


def test_a_campaign_without_a_certificate_says_so(tmp_path: Path) -> None:
    manifest = make_manifest()
    report = write_report(write_campaign(tmp_path / "c", manifest, make_records(manifest)), png=False)
    for text in (report.text.read_text(encoding="utf-8"), report.page.read_text(encoding="utf-8")):
        assert "No certificate: nothing on record proves that the boxes ran the same." in text


def test_every_report_prints_the_certificate(tmp_path: Path) -> None:
    manifest = certified(make_manifest())
    report = write_report(write_campaign(tmp_path / "c", manifest, make_records(manifest)), png=False)
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(view_report(report.view))
    words = "process, docker and libvirt/tcg agree in 9 of 9 facts that must be equal (tree digest abababababab)"
    assert words in console.export_text()
    assert words in report.page.read_text(encoding="utf-8")
    assert words in report.text.read_text(encoding="utf-8")
    assert "| tree digest | abababababab | = | = | = | equal |" in report.text.read_text(encoding="utf-8")


def test_a_hostile_box_cannot_write_into_reports(tmp_path: Path) -> None:
    manifest = make_manifest()
    found = certificate(
        inspection(changes={"hostname": HOSTILE, "kernel": HOSTILE, "clocksource": HOSTILE}), inspection("b")
    )
    manifest = manifest.model_copy(update={"certificates": dict.fromkeys(manifest.scenarios, found)})
    report = write_report(write_campaign(tmp_path / "c", manifest, make_records(manifest)), png=False)
    page = report.page.read_text(encoding="utf-8")
    assert "&lt;script&gt;alert" in page
    assert "<script>alert" not in page
    assert "\x1b" not in page + report.text.read_text(encoding="utf-8")


def test_old_manifests_still_load(tmp_path: Path) -> None:
    data = json.loads(make_manifest().model_dump_json())
    del data["certificates"]
    assert Manifest.model_validate(data, strict=False).certificates == {}


def test_the_certificate_survives_the_manifest() -> None:
    manifest = certified(make_manifest())
    again = Manifest.model_validate_json(manifest.model_dump_json())
    assert again.certificates == manifest.certificates
    assert analyse(again, make_records(again)).manifest.certificates == manifest.certificates


def tree(tmp_path: Path, *paths: str) -> str:
    """The digest of a tree of files, and of directories where a path ends in a slash."""
    tar = tmp_path / "tree.tar"
    with tarfile.open(tar, "w") as out:
        for path in paths:
            info = tarfile.TarInfo(path.rstrip("/"))
            info.type = tarfile.DIRTYPE if path.endswith("/") else tarfile.REGTYPE
            out.addfile(info)
    return tree_digest(read_index(tar))


def test_what_engines_add_to_a_running_box_is_not_in_the_digest(tmp_path: Path) -> None:
    plain = tree(tmp_path, "srv/", "srv/file")
    added = ("tmp/", "usr/", "var/", "root/", "run/", "run/.containerenv", "run/systemd/", "etc/hosts", ".dockerenv")
    assert tree(tmp_path, "srv/", "srv/file", *added) == plain


@pytest.mark.parametrize("path", ["tmp/file", "usr/bin/", "root/.profile", "tmpfile", "run2/", "etc/hosts2"])
def test_what_an_image_has_itself_is_in_the_digest(tmp_path: Path, path: str) -> None:
    above = [f"{path.partition('/')[0]}/"] if path.rstrip("/").count("/") else []
    assert tree(tmp_path, "srv/", *above, path) != tree(tmp_path, "srv/")


def test_the_agent_is_told_what_is_left_out() -> None:
    assert {"proc", "run", "tmp/"} <= set(digest_exclusions())
    assert len(" ".join(["digest", *digest_exclusions()])) < MAX_LINE_BYTES


def test_a_long_value_that_was_cut_within_a_character_is_equal_and_can_be_kept() -> None:
    """As the agent cuts: at a byte, whatever it belongs to."""
    value = "é" * 700
    told = parse_message(b"BB1 fact env.X.cut " + encode_word(value).encode()[: 3 * 1193])
    assert isinstance(told, ReportedFact)
    seen = inspection("docker", {told.key: told.value})
    assert Inspection.model_validate_json(seen.model_dump_json()) == seen
    found = judge("hello", [seen], {**ASKED, "env": canonical_env((*ENV, f"X={value}"))}, {})
    assert found.equal
    found = judge("hello", [seen], {**ASKED, "env": canonical_env((*ENV, f"X={value[:-200]}ä"))}, {})
    assert not found.equal


@pytest.mark.parametrize(
    "changes", [{"memory_limit_bytes": "²"}, {"memory_limit_bytes": "9" * 5000}, {"groups": "7 ²"}]
)
def test_what_looks_like_a_number_and_is_none_is_unequal(changes: dict[str, str | None]) -> None:
    found = certificate(inspection("docker", changes))
    assert not found.equal
    with pytest.raises(NotEqualError):
        refuse_unequal([found])


@pytest.mark.parametrize("value", ["²", "9" * 20])
def test_a_size_that_is_none_is_shown_as_it_is(value: str) -> None:
    assert FACT["memory_usable"].show(value) == value


def test_a_first_start_in_a_list_of_boxes_is_no_two_boxes() -> None:
    view = certificate_view(
        certificate(inspection("docker, first start"), inspection(), inspection("libvirt/tcg", GUEST))
    )
    assert "docker (first start), docker and libvirt/tcg agree" in view.sentence
    assert view.tables[0].head[2:4] == ("docker (first start)", "docker")
    assert all("docker, first start" not in cell for table in view.tables for row in table.rows for cell in row)
