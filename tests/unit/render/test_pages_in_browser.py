"""The pages of every command as a browser shows them: accessible, whole on a phone and on a laptop, silent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from bench.anatomy.model import write_anatomy
from bench.history.detect import check_lines
from bench.render.commands.anatomy_page import write_anatomy_page
from bench.render.commands.compare import write_comparison
from bench.render.commands.explain import write_explanations
from bench.render.commands.floor_page import write_floor_page
from bench.render.commands.gate_page import write_gate_page
from bench.render.commands.history import write_page as write_history_page
from bench.render.commands.model import write_model_page
from bench.render.commands.simulation_check import write_check
from bench.render.simulation.page import answer_page
from bench.sim.check.check import CheckTerms, check
from bench.sim.check.design import Levels, all_but_largest, by_levels, memory_levels
from bench.sim.check.predict import ModelPredictor
from tests.browser import Chromium, chromium
from tests.floors import floors_of, found_floor
from tests.histories import make_history
from tests.question_models import make_model
from tests.synthetic_storms import Campaign, known_model, observed, values
from tests.unit.compare.test_compare import SLOW, compared, write
from tests.unit.explain.test_difference import MS, _anatomy, campaign, explained
from tests.unit.gate.test_page import gate, make_result, make_row
from tests.unit.history.test_history import STEP, TODAY
from tests.unit.render.test_anatomy import ANATOMY
from tests.unit.render.test_simulation import _answer, _figures

pytestmark = pytest.mark.host


def _gate(place: Path) -> Path:
    result = make_result(make_row())
    return write_gate_page(result, gate(place, result))


def _explain(place: Path) -> Path:
    left, right = campaign(place / "a"), campaign(place / "b", identity="beef0001")
    write_anatomy(left, _anatomy("c0ffee42", engine=10 * MS))
    write_anatomy(right, _anatomy("beef0001", engine=110 * MS))
    found = explained(f"{left}:docker", f"{right}:docker")
    return write_explanations([found], place / "out", command="boxbench explain A B -o out")


def _compare(place: Path) -> Path:
    found = compared(write(place / "a"), write(place / "b", SLOW, identity="c0ffee43", seed=2))
    return write_comparison(found, place / "out", command="boxbench compare a b -o out")


def _history(place: Path) -> Path:
    write_history_page(
        check_lines(make_history(STEP), today=TODAY), place / "page.html", command="boxbench history check"
    )
    return place / "page.html"


def _answered(place: Path) -> Path:
    (place / "page.html").write_text(
        answer_page(_answer(), _figures(), command="boxbench simulate storm m.json --boxes 32", data=b"{}"), "utf-8"
    )
    return place / "page.html"


def _checked(place: Path) -> Path:
    truth = {"docker": values(delay_ms=20, work_ms=16, background_ms=4, hold_ms=60)}
    seen = observed(truth, Campaign(boxes=(1, 2, 4, 8), memory=(1, 4, 16), blocks=6, cpus=4))
    split = by_levels(seen, Levels(fit=frozenset({1, 2})), all_but_largest(memory_levels(seen)))
    found = check(split, ModelPredictor(model=known_model(truth, draws=10, cpus=4), seed=7), CheckTerms(seed=1))
    return write_check(found, place / "out", command="boxbench simulate check")


PAGES: Final[dict[str, Callable[[Path], Path]]] = {
    "gate": _gate,
    "explain": _explain,
    "anatomy": lambda place: write_anatomy_page(ANATOMY, place),
    "floor": lambda place: write_floor_page(floors_of(found_floor()), place),
    "compare": _compare,
    "history": _history,
    "answer": _answered,
    "check": _checked,
    "model": lambda place: write_model_page(make_model(), place, command="boxbench simulate explain m.json"),
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    with chromium() as found:
        yield found


@pytest.mark.parametrize("kind", PAGES)
def test_axe_finds_nothing_and_nothing_is_cut(browser: Chromium, tmp_path: Path, kind: str) -> None:
    file = PAGES[kind](tmp_path)
    opened = browser.open(file)
    links = opened.page.locator("nav a")
    assert len({link.casefold() for link in links.all_inner_texts()}) == links.count(), "each link has its own name"
    opened.page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert opened.violations() == []
    opened.page.emulate_media(color_scheme="dark")
    assert opened.violations(rules=["color-contrast"]) == []
    for width in (1280, 320):
        opened.page.set_viewport_size({"width": width, "height": 800})
        assert opened.too_wide() == 0
        assert opened.words_cut() == []
        assert opened.small_targets() == []
    hidden = (
        "() => [...document.querySelectorAll('.scroll:has(.stacked)')].filter(one => one.scrollWidth > one.clientWidth)"
    )
    assert opened.page.evaluate(f"({hidden})().length") == 0, "on a phone a row is a card: its verdict is on the screen"
    assert opened.violations() == []
    assert opened.errors == []
    assert opened.asked == []
    opened.page.close()


def test_a_figure_that_is_alone_has_the_page_for_itself(browser: Chromium, tmp_path: Path) -> None:
    opened = browser.open(_explain(tmp_path), width=1280)
    figure, section = (opened.page.locator(one).bounding_box() for one in ("#figures figure", "#figures"))
    assert figure is not None
    assert section is not None
    assert figure["width"] > section["width"] * 3 / 4
    opened.page.close()
