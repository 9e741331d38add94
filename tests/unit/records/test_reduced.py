"""Records with few fields: what they hold is the record's, and what they lack cannot be read by mistake."""

from __future__ import annotations

import pytest

from bench.records.record import Record
from bench.records.reduced import SHOWN, reduced
from tests.factories import DOCKER, make_manifest, make_records


def test_a_reduced_record_holds_what_reports_show_and_nothing_else() -> None:
    manifest = make_manifest(("hello",), (DOCKER,), blocks=1, warmups=0)
    (whole,) = make_records(manifest, (DOCKER,))
    small = reduced(whole, trial=manifest.plan[0], storm=False)
    assert all(getattr(small, name) == getattr(whole, name) for name in SHOWN - {"members"})
    assert small.trial is manifest.plan[0]
    assert reduced(small, trial=manifest.plan[0], storm=False) is small
    for name in Record.model_fields.keys() - SHOWN:
        with pytest.raises(AttributeError):
            getattr(small, name)


def test_a_copy_of_a_reduced_record_changes_alone() -> None:
    manifest = make_manifest(("hello",), (DOCKER,), blocks=2, warmups=0)
    one, other = (reduced(record, trial=record.trial, storm=False) for record in make_records(manifest, (DOCKER,)))
    before = one.doubts
    changed = one.model_copy(update={"doubts": ("busy:5",)})
    assert changed.doubts == ("busy:5",)
    assert one.doubts == other.doubts == before
    assert changed.trial.id == one.trial.id
