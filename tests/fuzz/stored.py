"""Files that Boxbench writes and reads again: records, manifests, campaigns, gates, counts, histories, caches."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Sequence
from datetime import date
from functools import cache, partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Final
from unittest.mock import patch
from xml.etree import ElementTree

from rich.console import Console, RenderableType

from bench.anatomy.model import FILE as ANATOMY_FILE
from bench.anatomy.model import read_anatomy, write_anatomy
from bench.compare.stored import FILE as COMPARISON_FILE
from bench.deck.reading import deck_of
from bench.explain.stored import FILE as EXPLANATION_FILE
from bench.export.annotations import commands
from bench.export.base import make_table
from bench.export.formats import FORMATS, export_from, read_gate
from bench.export.jobsummary import summary
from bench.floor.model import FILE as FLOOR_FILE
from bench.floor.model import read_floors, write_floors
from bench.gate.model import RESULT
from bench.history.detect import check_lines
from bench.history.line import parse_line
from bench.history.store import DirectoryStore, add_line, read_history
from bench.instructions.model import FILE as COUNTS_FILE
from bench.instructions.model import read_instructions, write_instructions
from bench.opened.campaign import open_campaign
from bench.records.campaign import RECORDS, Campaign, read_campaign, read_records
from bench.records.manifest import MANIFEST, Manifest, read_manifest
from bench.records.record import parse_record
from bench.render.commands.anatomy import view_anatomy
from bench.render.commands.compare import comparison_json
from bench.render.commands.gate import gate_report
from bench.render.commands.history import checked_json, view_history
from bench.render.commands.instructions import view_counts
from bench.scenario.model import Scenario
from bench.util import cache as disk_cache
from tests.factories import HOSTILE, make_manifest, make_records
from tests.fuzz import mutate
from tests.fuzz.reader import Reader, again, same
from tests.histories import HOST, OTHER_HOST, make_history
from tests.unit.compare.test_compare import SLOW, compared, write
from tests.unit.export.test_gate import FASTER, GREEN, RED, UNSURE, make_gate
from tests.unit.gate.test_icount import LESS
from tests.unit.gate.test_icount import RED as RED_COUNT
from tests.unit.history.test_icount_lines import count, counts, line
from tests.unit.render.test_anatomy import ANATOMY

_TODAY: Final = date(2031, 3, 1)


def shown(view: RenderableType) -> str:
    """What a terminal of 80 columns would get."""
    console = Console(width=80, file=io.StringIO(), color_system=None)
    console.print(view)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert isinstance(text, str)
    return text


@cache
def manifest() -> Manifest:
    """A small campaign's manifest: two scenarios, three boxes."""
    return make_manifest(blocks=2, warmups=1)


@cache
def record_lines() -> tuple[bytes, ...]:
    """Records of it with everything that records can hold."""
    return tuple(record.line().encode().rstrip(b"\n") for record in make_records(manifest()))


@cache
def storm_lines() -> tuple[bytes, ...]:
    """Records of storms and residents."""
    member = {"number": 0, "outcome": "ok", "endpoints_ns": {"requested": 0, "ready": 5}, "lateness_ns": 1}
    lost = {"number": 1, "outcome": "failed", "failure": {"code": "LaunchError", "message": HOSTILE, "hint": "h"}}
    document = json.loads(record_lines()[0]) | {
        "members": [member, lost],
        "storm_ns": {"lateness.max": 5, "wake.median": 1, "wake.p95": 2, "wake.max": 3, "host.busy": 4, "host.all": 9},
        "ledger_bytes": {"host.used": 5, "part.box": 4, "unexplained": 1, "not_released": 0, "fixed.dockerd": 2},
        "exercise": {"get_per_s": 5.5},
        "exercise_facts": {"profile": "quick"},
        "artefacts": {"stdout": "artefacts/t0000/stdout"},
        "resolution_ns": {"ready": 5},
        "guest_ns": {"ready": 5},
        "exit_code": 0,
    }
    return (json.dumps(document).encode(),)


def _check_record(data: bytes, _scratch: Path) -> None:
    record = parse_record(data.decode("utf-8", "replace"), where="records.jsonl:1")
    same(again(lambda: parse_record(record.line(), where="again")), record)


def _check_manifest(data: bytes, scratch: Path) -> None:
    (scratch / MANIFEST).write_bytes(data)
    text = read_manifest(scratch).model_dump_json()
    (scratch / MANIFEST).write_text(text, encoding="utf-8")
    same(again(lambda: read_manifest(scratch)).model_dump_json(), text)


@cache
def campaigns() -> tuple[bytes, ...]:
    """A manifest on the first line, and records."""
    first = manifest().model_dump_json().encode()
    return (
        b"\n".join((first, *record_lines())) + b"\n",
        b"\n".join((first, record_lines()[1], *storm_lines())) + b"\n",
    )


def damaged_campaign(rng: Random, seeds: Sequence[bytes]) -> bytes:
    """Records damaged; the manifest is damaged less often."""
    first, _, rest = rng.choice(seeds).partition(b"\n")
    if rng.random() < 0.25:
        first = mutate.mixed(mutate.structure)(rng, [first]).replace(b"\n", b" ")
        return first + b"\n" + rest
    return first + b"\n" + mutate.records(rng, [rest])


def write_campaign(data: bytes, scratch: Path) -> Path:
    """Put an input of ``campaigns`` into a campaign directory."""
    path = scratch / "campaign"
    path.mkdir(exist_ok=True)
    first, _, rest = data.partition(b"\n")
    (path / MANIFEST).write_bytes(first)
    (path / RECORDS).write_bytes(rest)
    return path


def _check_campaign(data: bytes, scratch: Path) -> None:
    """Read, analysed, opened for appending, and appended to."""
    path = write_campaign(data, scratch)
    opened = open_campaign(path)
    analysis = opened.analysis
    json.dumps([sample.value for sample in analysis.samples])
    with Campaign.open(path) as campaign:
        campaign.remaining()
    same(again(lambda: read_records(path)), opened.records)


def _check_frame(data: bytes, scratch: Path) -> None:
    open_campaign(write_campaign(data, scratch)).frame()


_FROM_CAMPAIGN: Final = [name for name, known in FORMATS.items() if known.source == "campaign" and name != "parquet"]
_FROM_GATE: Final = [name for name, known in FORMATS.items() if known.source == "gate"]


def _check_exports(data: bytes, scratch: Path) -> None:
    path = write_campaign(data, scratch)
    make_table(*read_campaign(path), metrics=("*",))
    for name in _FROM_CAMPAIGN:
        export_from(path, name)


@cache
def _gates() -> tuple[bytes, ...]:
    results = (
        make_gate(RED, GREEN, UNSURE, FASTER, notes=(HOSTILE,)),
        make_gate(RED_COUNT, LESS),
        make_gate(),
    )
    return tuple(result.model_dump_json().encode() for result in results)


def _check_gate(data: bytes, scratch: Path) -> None:
    (scratch / RESULT).write_bytes(data)
    result = read_gate(scratch)
    shown(gate_report(result))
    summary(result)
    for text in commands(result):
        assert "\n" not in text
    for name in _FROM_GATE:
        export_from(scratch, name)
    (scratch / RESULT).write_text(result.model_dump_json(), encoding="utf-8")
    same(again(lambda: read_gate(scratch)).model_dump_json(), result.model_dump_json())


@cache
def _counted() -> tuple[bytes, ...]:
    found = (
        counts(count(10**6, 10**6), count(10**5, 10**5, start="second"), count(10**7, 10**7, target="q35")),
        counts(count(5)),
    )
    return tuple(one.model_dump_json().encode() for one in found)


def _check_counts(data: bytes, scratch: Path) -> None:
    (scratch / COUNTS_FILE).write_bytes(data)
    found = read_instructions(scratch)
    shown(view_counts(found))
    write_instructions(scratch / COUNTS_FILE, found)
    same(again(lambda: read_instructions(scratch)), found)


@cache
def floors() -> tuple[bytes, ...]:
    """One search for memory floors."""
    scenario = Scenario.model_validate_json('{"question":"?","name":"s","ready":{"when":"first-line"}}')
    document = {
        "id": "c0ffee42",
        "created_at": "2031-02-03T04:05:06+00:00",
        "boxbench": "0.1.0",
        "command": ["boxbench", "floor"],
        "scenario": scenario.name,
        "text": "name: s\n",
        "goal": "ready",
        "image_digest": "ab",
        "terms": {"lowest_bytes": 2**20, "highest_bytes": 2**27, "step_bytes": 2**20, "confirmations": 3},
        "host": {"fingerprint": "f" * 12},
        "floors": [
            {
                "box": "docker",
                "outcome": "found",
                "floor_bytes": 2**22,
                "success_at_least": 0.4,
                "limit_ns": 10**9,
                "levels": [
                    {"memory_bytes": 2**21, "tried": 3, "worked": 0, "why_not": HOSTILE},
                    {"memory_bytes": 2**22, "tried": 3, "worked": 3},
                ],
                "pss_bytes": 2**21,
                "ready_ns": 10**6,
                "description": {"engine": "x"},
                "doubts": ["steal:3.0%"],
            },
            {
                "box": "q",
                "outcome": "none",
                "floor_bytes": None,
                "success_at_least": None,
                "limit_ns": 1,
                "levels": [{"memory_bytes": 2**27, "tried": 1, "worked": 0}],
            },
        ],
        "notes": ["a note"],
    }
    return (json.dumps(document).encode(),)


def _check_floors(data: bytes, scratch: Path) -> None:
    (scratch / FLOOR_FILE).write_bytes(data)
    found = read_floors(scratch)
    write_floors(scratch, found)
    same(again(lambda: read_floors(scratch)), found)


@cache
def comparisons() -> tuple[bytes, ...]:
    """A comparison of two campaigns, of which the second is slower."""
    with TemporaryDirectory() as scratch:
        place = Path(scratch)
        found = compared(write(place / "a"), write(place / "b", SLOW, identity="c0ffee43", seed=2))
        content = comparison_json(found)
    return tuple(json.dumps(one).encode() for one in (content, content | {"answer": HOSTILE, "told": [HOSTILE]}))


@cache
def explanations() -> tuple[bytes, ...]:
    """One explanation, whose second step has no interval."""
    part = {
        "name": "requested-ready", "label": HOSTILE, "a_ns": 1e8, "b_ns": 1.5e8, "change_ns": 5e7,
        "interval_ns": {"low": 4e7, "high": None, "level": 0.95}, "share": 0.5, "n": 7, "verdict": "slower",
    }  # fmt: skip
    other = part | {"interval_ns": None, "share": None, "verdict": "cannot tell"}
    one = {
        "a": "hello/docker", "b": "hello/libvirt/tcg", "endpoint": "ready", "paired": True, "total": part,
        "phases": [part, other], "steps": [other], "notes": [HOSTILE],
    }  # fmt: skip
    return (json.dumps([one]).encode(),)


def _check_slides(name: str, data: bytes, scratch: Path) -> None:
    """What a deck is made of this file; no control character reaches a slide."""
    place = scratch / name.removesuffix(".json")
    place.mkdir(exist_ok=True)
    (place / name).write_bytes(data)
    for slide in deck_of([place], png=False).slides:
        said = (
            slide.sentence,
            *slide.lines,
            slide.caveat,
            slide.alt,
            *(cell for row in slide.table or () for cell in row),
        )
        assert not [letter for text in (*said, slide.notes.replace("\n", " ")) for letter in text if letter < " "]
        if slide.figure is not None:
            ElementTree.fromstring(slide.figure.light_svg)


def anatomies() -> tuple[bytes, ...]:
    """One anatomy."""
    return (ANATOMY.model_dump_json().encode(),)


def _check_anatomy(data: bytes, scratch: Path) -> None:
    (scratch / ANATOMY_FILE).write_bytes(data)
    found = read_anatomy(scratch)
    assert found is not None
    shown(view_anatomy(found))
    for cell in found.cells:
        cell.waited(), cell.shares(), cell.attributed, cell.typical.stretches
    write_anatomy(scratch, found)
    same(again(lambda: read_anatomy(scratch)), found)


@cache
def histories() -> tuple[bytes, ...]:
    """Lines of one host's file."""
    times = make_history([188.0] * 6 + [240.0] * 6)
    counted = (line(1, count(500)), line(2, count(600)))
    return tuple(b"".join(one.text().encode() for one in lines) for lines in (times, times[:2], counted))


def _check_history(data: bytes, scratch: Path) -> None:
    """A history is read, checked and added to; the file is named after the first line's host."""
    directory = scratch / "history"
    directory.mkdir(exist_ok=True)
    for file in directory.glob("*.jsonl"):
        file.unlink()
    hosts = (HOST, OTHER_HOST, line(1, count(500)).fingerprint)
    host = next((host for host in hosts if host.encode() in data), HOST)
    (directory / f"{host}.jsonl").write_bytes(data)
    lines = read_history(DirectoryStore(directory))
    checked = check_lines(lines, today=_TODAY)
    json.dumps(checked_json(checked), allow_nan=False)
    shown(view_history(checked, everything=True))
    for one in lines:
        same(again(partial(parse_line, one.text(), where="again")), one)
    export_from(directory, "otava", repository=None)
    add_line(DirectoryStore(directory), lines[0], replace=True)
    same(
        {one.commit.id for one in again(lambda: read_history(DirectoryStore(directory)))},
        {one.commit.id for one in lines},
    )


def _check_probe(data: bytes, scratch: Path) -> None:
    """A damaged answer in the cache counts as none: the question is asked again."""
    folder = scratch / "probe"
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / "key.json").write_bytes(data)
    with patch.dict(os.environ, BOXBENCH_CACHE=str(scratch)), patch("os.sync"):
        found = disk_cache.cached_probe("probe", "key", lambda: {"reason": None})
    assert "reason" in found


READERS: Final = (
    Reader(
        "record",
        lambda: (*record_lines()[:6], *storm_lines()),
        mutate.mixed(mutate.structure, mutate.structure, mutate.text),
        _check_record,
        share=400,
    ),
    Reader(
        "manifest",
        lambda: (manifest().model_dump_json().encode(),),
        mutate.mixed(mutate.structure, mutate.text),
        _check_manifest,
        share=30,
    ),
    Reader("campaign", campaigns, damaged_campaign, _check_campaign, share=8),
    Reader("campaign.frame", campaigns, damaged_campaign, _check_frame, share=3),
    Reader("campaign.exports", campaigns, damaged_campaign, _check_exports, share=2),
    Reader("gate.json", _gates, mutate.mixed(mutate.structure, mutate.text), _check_gate, share=15),
    Reader("instructions.json", _counted, mutate.mixed(mutate.structure, mutate.text), _check_counts, share=20),
    Reader("floor.json", floors, mutate.mixed(mutate.structure, mutate.text), _check_floors, share=30),
    Reader(
        "anatomy.json",
        anatomies,
        mutate.mixed(mutate.structure, mutate.text),
        _check_anatomy,
        share=12,
    ),
    Reader(
        COMPARISON_FILE,
        comparisons,
        mutate.mixed(mutate.structure, mutate.text),
        partial(_check_slides, COMPARISON_FILE),
        share=3,
    ),
    Reader(
        EXPLANATION_FILE,
        explanations,
        mutate.mixed(mutate.structure, mutate.text),
        partial(_check_slides, EXPLANATION_FILE),
        share=3,
    ),
    Reader("history", histories, mutate.records, _check_history, share=12),
    Reader(
        "cached-probe",
        lambda: (b'{"reason": null, "machine": "q35"}', b'{"reason": "the host was busy"}'),
        mutate.mixed(mutate.structure, mutate.text),
        _check_probe,
        share=60,
    ),
)
