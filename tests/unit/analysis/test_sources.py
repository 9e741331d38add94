"""Where records come from is never lost: uses of measured numbers refuse others, or name them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from bench.analysis.analyse import analyse
from bench.analysis.results import NotComparableError
from bench.analysis.sources import marked, refuse_unmeasured, source_word
from bench.records.manifest import Manifest
from bench.records.record import Record
from tests.factories import make_manifest, make_records


def made(source: str, *, targets: Sequence[str] = ("process", "docker", "libvirt")) -> tuple[Manifest, list[Record]]:
    """A campaign in which the records of some targets are of another source."""
    manifest = make_manifest(("hello",))
    records = make_records(manifest, troubles=False)
    return manifest, [
        record.model_copy(update={"source": source}) if record.trial.cell.target in targets else record
        for record in records
    ]


def test_titles_have_a_word_for_every_mix() -> None:
    assert source_word(made("measured")[1]) == ""
    assert source_word([]) == ""
    assert source_word(made("simulated")[1]) == "simulated"
    assert source_word(made("replayed", targets=("docker",))[1]) == "measured and replayed"


@pytest.mark.parametrize("source", ["simulated", "replayed"])
def test_what_no_box_gave_is_refused(source: str) -> None:
    manifest, records = made(source)
    with pytest.raises(NotComparableError, match=f"c0ffee42 are {source}, and tests want others") as caught:
        refuse_unmeasured(manifest, records, use="and tests want others", option="--allow-simulated")
    assert "--allow-simulated" in caught.value.hint
    refuse_unmeasured(manifest, records, use="", allowed=True)
    refuse_unmeasured(*made("measured"), use="")


def test_one_record_that_was_not_measured_is_enough() -> None:
    manifest, records = made("measured")
    records[-1] = records[-1].model_copy(update={"source": "simulated"})
    with pytest.raises(NotComparableError, match="measured and simulated"):
        refuse_unmeasured(manifest, records, use="")


def test_cells_of_another_source_have_names_of_their_own() -> None:
    manifest, records = made("simulated")
    found = analyse(*marked(manifest, records))
    assert {summary.cell.key for summary in found.summaries} == {
        f"simulated-hello/{box}" for box in ("process", "docker", "libvirt/tcg")
    }
    plain = analyse(manifest, records)
    assert [one.median for one in found.summaries] == [one.median for one in plain.summaries]
    measured = made("measured")
    assert marked(*measured) == (measured[0], tuple(measured[1]))


def test_ratios_across_sources_are_refused_in_one_campaign() -> None:
    manifest, records = made("simulated", targets=("libvirt",))
    found = analyse(manifest, records)
    pairs = [one for one in found.comparisons if one.other.target == "libvirt"]
    assert pairs
    assert all(one.ratio is None and one.notes[0] == "not compared: simulated against measured" for one in pairs)


def test_one_cell_of_two_sources_is_refused() -> None:
    manifest, records = made("simulated", targets=("docker",))
    at = next(n for n, record in enumerate(records) if record.trial.cell.target == "docker")
    records[at] = records[at].model_copy(update={"source": "measured"})
    with pytest.raises(NotComparableError, match="hello/docker mixes measured and simulated records"):
        analyse(manifest, records)
