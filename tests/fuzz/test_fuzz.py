"""The short slice of the fuzzing: valid inputs, inputs that were findings once, and some examples of hypothesis."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import hypothesis
import pytest
from _pytest.mark import ParameterSet

from tests.fuzz.known import KNOWN
from tests.fuzz.reader import Reader, ResourceError, try_input
from tests.fuzz.registry import READERS
from tests.fuzz.replay import coded, decoded
from tests.fuzz.session import inputs_of, run_session
from tests.needs import host_cannot

EXAMPLES: Final = 30
SLOW_EXAMPLES: Final = 4
_SLOW_SHARE: Final = 10
"""Readers with a smaller share of a long run are slow."""


def _param(reader: Reader, name: str, *data: bytes) -> ParameterSet:
    # A reader that starts programs needs the mark.
    return pytest.param(reader, *data, id=name, marks=[pytest.mark.host] if reader.host else [])


_ALL: Final = [_param(reader, reader.name) for reader in READERS.values()]
_KNOWN: Final = [_param(READERS[name], f"{name}-{number}", data) for number, (name, data) in enumerate(KNOWN)]


@pytest.fixture
def able(reader: Reader) -> Reader:
    """The reader, when this host can run it."""
    if (why := reader.why_not()) is not None:
        host_cannot(why)
    return reader


@pytest.mark.parametrize("reader", _ALL)
def test_valid_inputs_are_accepted(able: Reader, tmp_path: Path) -> None:
    """The first one at least: the others may be refusals of a daemon."""
    outcomes = [try_input(able, data, tmp_path)[0] for data in able.seeds()]
    assert outcomes[0] == "accepted"


@pytest.mark.parametrize("reader", _ALL)
def test_damaged_inputs_are_read_or_refused(able: Reader, tmp_path: Path) -> None:
    @hypothesis.settings(
        max_examples=EXAMPLES if able.share >= _SLOW_SHARE else SLOW_EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(inputs_of(able))
    def check(data: bytes) -> None:
        try_input(able, data, tmp_path)

    check()


@pytest.mark.parametrize(("reader", "data"), _KNOWN)
def test_an_input_that_was_a_finding_is_one_no_more(able: Reader, data: bytes, tmp_path: Path) -> None:
    try_input(able, data, tmp_path)


@pytest.mark.host
def test_a_session_finds_what_is_wrong_and_prints_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that raises on some inputs, and one that never ends, beside one without a fault."""

    def check(data: bytes, _scratch: Path) -> None:
        if b"\0" in data:
            raise KeyError("zero")

    made = Reader("made", lambda: (b"abc",), lambda rng, seeds: rng.choice((*seeds, b"a\0b")), check)
    good = Reader("good", lambda: (b"abc",), lambda _rng, seeds: seeds[0], lambda _data, _scratch: None)
    monkeypatch.setitem(READERS, "made", made)
    monkeypatch.setitem(READERS, "good", good)
    report = run_session([made, good], 400, seed=1, workers=2)
    (finding,) = report.findings
    assert (finding.reader, finding.place.split()[0]) == ("made", "KeyError")
    assert b"\0" in decoded(finding.words.split()[-1])
    made_row, good_row = report.rows
    assert (good_row.found, good_row.inputs) == (0, 200)
    assert 0 < made_row.found < made_row.inputs
    assert made_row.accepted + made_row.refused + made_row.found == made_row.inputs


def test_a_reader_that_never_ends_is_a_finding(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def check(_data: bytes, _scratch: Path) -> None:
        while True:
            pass

    monkeypatch.setattr("tests.fuzz.reader.MOST_CPU_S", 0.05)
    with pytest.raises(ResourceError, match="CPU time"):
        try_input(Reader("made", lambda: (b"",), lambda _rng, _seeds: b"", check), b"", tmp_path)


def test_an_input_survives_being_a_word() -> None:
    assert decoded(coded(bytes(range(256)))) == bytes(range(256))
