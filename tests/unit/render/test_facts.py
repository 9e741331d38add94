"""What boxes see of themselves, what daemons take, and every endpoint side by side."""

from __future__ import annotations

from typing import Any, ClassVar

from bench.agent.protocol import CUT as CUT_KEY
from bench.analysis.analyse import analyse
from bench.analysis.results import Analysis
from bench.certificate.facts import FACTS, RAW_KEYS
from bench.plan.trials import Cell
from bench.records.certificate import Certificate
from bench.records.manifest import ImageOrigin
from bench.render.sections.facts import daemon_table, endpoint_table, host_pairs, inside_table
from bench.render.sections.resources import cpu_table, disk_table, origin_table
from bench.render.text import MISSING, cell_label
from tests.factories import DOCKER, LIBVIRT, PROCESS, Box, make_manifest, make_records


def analysed(*boxes: Box) -> Analysis:
    manifest = make_manifest(("hello",), boxes)
    return analyse(manifest, make_records(manifest, boxes, troubles=False))


def named(analysis: Analysis) -> list[tuple[Cell, str]]:
    return [(cell, cell_label(cell)) for cell in analysis.cells("hello")]


def test_daemons_stand_beside_the_memory_of_one_box() -> None:
    analysis = analysed(PROCESS, DOCKER)
    table = daemon_table(analysis, "hello", named(analysis))
    assert table is not None
    assert table.head == ("box", "one box, PSS", "daemons, once per host")
    rows = {row[0]: row for row in table.rows}
    assert rows["docker"][2] == "containerd 41.0 MiB, dockerd 92.0 MiB"
    assert rows["process"][2] == "none"


def test_the_cpu_time_of_a_vm_is_split() -> None:
    analysis = analysed(PROCESS, LIBVIRT)
    table = cpu_table(analysis, "hello", named(analysis))
    assert table is not None
    rows = {row[0]: dict(zip(table.head, row, strict=True)) for row in table.rows}
    vm = rows["libvirt/tcg"]
    assert list(vm)[1:] == [
        "to ready",
        "of it in the guest",
        "VMM beyond the guest",
        "from stopping to gone",
        "idle, per minute",
        "other host load, to ready",
    ]
    assert "–" not in vm.values()
    assert rows["process"]["VMM beyond the guest"] == "–"


def test_what_a_start_waited_for_and_read_has_columns_where_it_was_recorded() -> None:
    manifest = make_manifest(("hello",), (PROCESS,))
    waited = [
        record.model_copy(
            update={
                "waits_ns": {"start.queue.total": 3_000_000, "trial.steal": 9},
                "cpu_ns": {**record.cpu_ns, "start.window": 5},
                "disk_bytes": {**record.disk_bytes, "box.read_until_ready": 2**20},
            }
        )
        for record in make_records(manifest, (PROCESS,))
    ]
    analysis = analyse(manifest, waited)
    cpu, disk = (table(analysis, "hello", named(analysis)) for table in (cpu_table, disk_table))
    assert cpu is not None
    assert disk is not None
    assert dict(zip(cpu.head, cpu.rows[0], strict=True))["waited for a CPU, to ready"].startswith("3.00 ms")
    assert dict(zip(disk.head, disk.rows[0], strict=True))["read until ready"].startswith("1.00 MiB")
    # The length of a window is no CPU time, and what the host did depends on how long the trial took.
    names = {str(summary.metric) for summary in analysis.summaries}
    assert not {name for name in names if "window" in name or "trial" in name}


def test_daemons_nobody_saw_need_no_table() -> None:
    analysis = analysed(PROCESS, LIBVIRT)
    assert daemon_table(analysis, "hello", named(analysis)) is None


def test_endpoints_stand_side_by_side_with_the_channels_own_cost() -> None:
    analysis = analysed(PROCESS, DOCKER)
    table = endpoint_table(analysis, "hello", named(analysis))
    assert table is not None
    assert table.head == ("since the request", "process", "docker")
    names = [row[0].partition(":")[0] for row in table.rows[:-2]]
    assert names == ["created", "start_returned", "init", "exec", "ready", "stopping", "stopped", "gone"]
    assert table.rows[1][0] == "start_returned: the start call has returned; this may come after init"
    assert table.rows[0][1] == "–"
    # The first one is as cold as the marks of the start; a median over all would hide it.
    assert table.rows[-2] == ("event channel, first round trip", "180 µs", "180 µs")
    assert table.rows[-1] == ("event channel, later round trips", "210 µs", "210 µs")


def test_facts_of_the_certificate_are_not_repeated() -> None:
    manifest = make_manifest(("hello",), (PROCESS,))
    given = Certificate(scenario="hello", boxes={"process": "2031-02-03T04:05:06+00:00"}, findings=())
    records = [
        record.model_copy(update={"inside": record.inside | {"rlimit_nofile": "1024"}})
        for record in make_records(manifest, (PROCESS,))
    ]
    analysis = analyse(manifest.model_copy(update={"certificates": {"hello": given}}), records)
    table = inside_table(analysis, "hello", named(analysis))
    assert table is not None
    assert [row[0] for row in table.rows] == ["rlimit nofile"]


def test_the_certificates_keys_are_those_that_its_facts_read() -> None:
    class Seen(dict[str, str]):
        """A report without facts that notes which ones were asked for."""

        asked: ClassVar[set[str]] = set()

        def get(self, key: str, default: Any = None) -> Any:
            self.asked.add(key)
            return default

        def __contains__(self, key: object) -> bool:
            self.asked.add(str(key))
            return False

    for fact in FACTS:
        fact.read(Seen())
    assert {key for key in Seen.asked if not key.endswith(CUT_KEY)} == RAW_KEYS


def test_time_that_the_rest_of_the_host_did_not_use_is_not_negative() -> None:
    manifest = make_manifest(("hello",), (PROCESS,))
    counted = {"start.total": 5_000_000, "start.harness": 4_000_000, "start.host_busy": 0}
    records = [r.model_copy(update={"cpu_ns": counted}) for r in make_records(manifest, (PROCESS,), troubles=False)]
    analysis = analyse(manifest, records)
    table = cpu_table(analysis, "hello", named(analysis))
    assert table is not None
    assert table.rows[0][table.head.index("other host load, to ready")] == "none seen"


def test_inside_shows_what_differs_and_hides_what_always_does() -> None:
    manifest = make_manifest(("hello",), (PROCESS,), blocks=5, warmups=0)
    records = [
        r.model_copy(update={"inside": r.inside | {"hostname": f"h{n}", "uptime_ns": str(n), "env.PATH": "/bin"}})
        for n, r in enumerate(make_records(manifest, (PROCESS,)))
    ]
    analysis = analyse(manifest, records)
    table = inside_table(analysis, "hello", named(analysis))
    assert table is not None
    rows = {row[0]: row[1] for row in table.rows}
    assert rows["memory limit"] == "256 MiB"
    assert rows["hostname"] == "5 different values"
    assert not {"uptime", "env, PATH"} & set(rows)


def test_host_facts_are_flat_words() -> None:
    facts = {
        **{"memory_bytes": 2**30, "governors": ["a", "b"], "virtualised": True, "empty": {}},
        "mitigations": {"spec_store_bypass": "Vulnerable\x1b[2J", "mds": "off"},
    }
    assert dict(host_pairs(facts)) == {
        "memory": "1.00 GiB (1073741824 B)",
        "governors": "a, b",
        "mitigations, mds": "off",
        "mitigations, spec store bypass": "Vulnerable",
        "empty": "none",
        "virtualised": "yes",
    }


def test_a_size_that_is_no_number_is_shown_as_it_is() -> None:
    manifest = make_manifest(("hello",), (PROCESS,), blocks=5, warmups=0)
    odd = {"mem_total_bytes": "²", "memory_limit_bytes": "9" * 20}
    records = [r.model_copy(update={"inside": r.inside | odd}) for r in make_records(manifest, (PROCESS,))]
    analysis = analyse(manifest, records)
    table = inside_table(analysis, "hello", named(analysis))
    assert table is not None
    shown = {row[0]: row[1] for row in table.rows}
    assert (shown["mem total"], shown["memory limit"]) == tuple(odd.values())


def test_the_report_says_where_an_image_comes_from_and_what_built_it() -> None:
    manifest = make_manifest(("hello", "older", "pulled"), (DOCKER,))
    assert origin_table(manifest) is None, "campaigns of older versions do not say"
    built = ImageOrigin(
        kind="dockerfile", name="Dockerfile", builder="BuildKit", builder_version="26.1", frontend="built-in"
    )
    pulled = ImageOrigin(kind="reference", name="redis:7\x1b[2J", digest="sha256:ab")
    images = {
        name: image.model_copy(update={"origin": origin})
        for (name, image), origin in zip(manifest.images.items(), (built, None, pulled), strict=True)
    }
    table = origin_table(manifest.model_copy(update={"images": images}))
    assert table is not None
    assert table.rows[0] == ("hello", "dockerfile Dockerfile", "BuildKit (26.1), language: built-in", MISSING)
    assert [row[0] for row in table.rows] == ["hello", "pulled"]
    assert "\x1b" not in table.rows[1][1]
    assert table.rows[1][3] == "sha256:ab"
