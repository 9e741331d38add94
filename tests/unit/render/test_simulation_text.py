"""An answer on a terminal: warnings first, bounds with their names, nothing wider than the terminal."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from bench.render.answer_tables import band_text, bottleneck_table, bound_lines, influence_table, number_table
from bench.render.simulation.text import view_answer
from bench.render.text import MISSING
from bench.sim.answer.answer import Answer, Band, Bottleneck, Influence, Quantity
from bench.sim.answer.words import BOUND

S = 1e9


def _flat(value: float) -> Band:
    return Band(middle=value, low80=value, high80=value, low95=value, high95=value)


def _influence(parameter: str, share: float, kind: str = "measured") -> Influence:
    return Influence.model_validate(
        {"target": "docker", "parameter": parameter, "kind": kind, "share": share, "narrowed": 0.4}
        | {"low": 2 * S, "high": 3 * S, "middle": 2.5 * S}
    )


def _answer() -> Answer:
    return Answer(
        question="How long?",
        headline=f"Simulated: the last is up after 3 s.{BOUND}docker: at least 1 s.",
        model="sha256:1",
        seed=1,
        draws=400,
        quantities=(
            Quantity(name="storm.last", unit="ns", target="process", band=_flat(S), bound="at least 9 ms"),
            Quantity(name="storm.last", unit="ns", target="docker", band=_flat(3 * S), bound="at least 1 s"),
            Quantity(name="density.boxes", unit="boxes", target="docker", band=_flat(160), least=True),
        ),
        distances=(),
        bottlenecks=(
            Bottleneck(target="docker", name="CPU", bounds_ns={"CPU": 1.5 * S}, reached=0.5, open="the lock hold"),
            Bottleneck(target="process", name="start", bounds_ns={"start": S}, reached=0.98),
        ),
        influences=(
            _influence("noise", 0.7),
            _influence("ready.work", 0.2),
            _influence("inflation_form", 0.1, "assumed"),
        ),
        warnings=("docker: 800 boxes are 100 times \x1b[31mthe most.",),
        unanswered=("runc: no memory.",),
        humps=("docker: two answers, about 2 s or about 3 s",),
    )


def _text(width: int) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    console.print(view_answer(_answer()))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [60, 80, 200])
def test_warnings_are_the_first_lines_and_nothing_is_wider(width: int) -> None:
    text = _text(width)
    assert text.startswith("⚠ docker: 800 boxes are 100 times")
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= width
    flat = " ".join(text.split())
    assert flat.index("Simulated:") < flat.index("Not answered runc: no memory.") < flat.index("Two answers docker:")
    assert "No estimate, but a bound: docker: at least 1 s." in flat
    assert "process, last box up: at least 9 ms" in flat


def test_bounds_that_the_headline_lacks_have_their_names() -> None:
    assert bound_lines(_answer()) == ["process, last box up: at least 9 ms."]


def test_a_number_that_is_a_bound_has_no_band() -> None:
    cells = [cell for row in number_table(_answer()) for cell in row]
    assert "at least 160" in cells
    assert not any(cell.startswith("160 [") for cell in cells)


def test_an_end_of_a_band_that_is_next_to_nothing_is_0() -> None:
    band = Band(middle=1.5 * S, low80=S, high80=2 * S, low95=17e3, high95=4 * S)
    assert band_text(band, "ns") == "1.50 s [0, 4.00]"
    assert band_text(band.model_copy(update={"low95": 0.01 * S}), "ns") == "1.50 s [10.0 ms, 4.00 s]"


def test_what_is_no_parameter_is_never_low_or_high() -> None:
    rows = {row[0]: row[1:] for row in influence_table(_answer())}
    assert rows["docker: noise of single runs"] == ("measured", "70%", MISSING, MISSING)
    assert rows["docker: CPU work before ready"][1:3] == ("20%", "40%")
    assert rows["docker: form of CPU inflation beyond the measured CPUs"][:3] == ("assumed", "10%", MISSING)


def test_a_bound_that_explains_little_says_so() -> None:
    cells = [row[1] for row in bottleneck_table(_answer())[1:]]
    assert cells == ["CPU, 50% of the answer", "the start itself"]
