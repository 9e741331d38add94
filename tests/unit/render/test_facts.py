"""What boxes see of themselves, what daemons take, and every endpoint side by side."""

from __future__ import annotations

from bench.analysis.analyse import analyse
from bench.analysis.results import Analysis
from bench.plan.trials import Cell
from bench.render.sections.facts import daemon_table, endpoint_table, host_pairs, inside_table
from bench.render.sections.resources import cpu_table
from bench.render.text import cell_label
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


def test_daemons_nobody_saw_need_no_table() -> None:
    analysis = analysed(PROCESS, LIBVIRT)
    assert daemon_table(analysis, "hello", named(analysis)) is None


def test_endpoints_stand_side_by_side_with_the_channels_own_cost() -> None:
    analysis = analysed(PROCESS, DOCKER)
    table = endpoint_table(analysis, "hello", named(analysis))
    assert table is not None
    assert table.head == ("since the request", "process", "docker")
    names = [row[0] for row in table.rows[:-2]]
    assert names == ["created", "start_returned", "init", "exec", "ready", "stopping", "stopped", "gone"]
    assert table.rows[0][1] == "–"
    # The first one is as cold as the marks of the start; a median over all would hide it.
    assert table.rows[-2] == ("event channel, first round trip", "180 µs", "180 µs")
    assert table.rows[-1] == ("event channel, later round trips", "210 µs", "210 µs")


def test_polling_is_said_beside_what_was_polled() -> None:
    manifest = make_manifest(("hello",), (PROCESS,))
    polled = [r.model_copy(update={"resolution_ns": {"ready": 2_000_000}}) for r in make_records(manifest, (PROCESS,))]
    analysis = analyse(manifest, polled)
    table = endpoint_table(analysis, "hello", named(analysis))
    assert table is not None
    assert next(row for row in table.rows if row[0] == "ready")[1].endswith("polled every 2.00 ms")


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
    assert rows["memory_limit_bytes"] == "256 MiB"
    assert rows["hostname"] == "5 different values"
    assert not {"uptime_ns", "env.PATH"} & set(rows)


def test_host_facts_are_flat_words() -> None:
    facts = {"memory_bytes": 2**30, "governors": ["a", "b"], "mitigations": {"mds": "off"}, "virtualised": True}
    assert dict(host_pairs(facts)) == {
        "memory": "1.00 GiB (1073741824 B)",
        "governors": "a, b",
        "mitigations": "mds: off",
        "virtualised": "yes",
    }


def test_a_size_that_is_no_number_is_shown_as_it_is() -> None:
    manifest = make_manifest(("hello",), (PROCESS,), blocks=5, warmups=0)
    odd = {"mem_total_bytes": "²", "memory_limit_bytes": "9" * 20}
    records = [r.model_copy(update={"inside": r.inside | odd}) for r in make_records(manifest, (PROCESS,))]
    analysis = analyse(manifest, records)
    table = inside_table(analysis, "hello", named(analysis))
    assert table is not None
    assert odd.items() <= {row[0]: row[1] for row in table.rows}.items()
