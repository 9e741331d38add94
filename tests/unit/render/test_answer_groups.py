"""Tables of an answer's numbers: groups with notes, numbers that are never reached, currencies, limits in sentences."""

from __future__ import annotations

from bench.render.answer_groups import limit_lines, number_tables
from bench.render.answer_tables import band_text, bottleneck_table, quantity_text, switch_lines
from bench.sim.answer.answer import Answer, Band, Bottleneck, Group, Quantity

_BAND = Band(middle=3.0, low80=2.0, high80=4.0, low95=1.0, high95=5.0)
_QUANTITIES = tuple(
    Quantity.model_validate(
        {
            "name": f"fleet.{name}",
            "unit": unit,
            "target": "docker",
            "band": _BAND,
            "currency": "EUR" if unit == "cost" else "",
        }
    )
    for name, unit in (
        ("hosts_needed", "hosts"),
        ("cost", "cost"),
        ("rejected_share", "share"),
        ("mean_hosts", "mean_hosts"),
    )
)


def _answer(**changes: object) -> Answer:
    found: dict[str, object] = {
        "question": "?",
        "headline": "!",
        "model": "sha256:00",
        "seed": 1,
        "draws": 3,
        "quantities": _QUANTITIES,
        "distances": (),
        "bottlenecks": (),
        "influences": (),
    }
    return Answer.model_validate({**found, **changes})


def test_an_answer_without_groups_has_one_table() -> None:
    (one,) = number_tables(_answer())
    assert (one.title, one.note) == ("", "")
    assert [row[0] for row in one.table[1:]] == [
        "hosts needed",
        "cost",
        "rejected",
        "hosts with boxes, on average",
    ]


def test_groups_are_tables_in_their_order_and_leave_the_others_out() -> None:
    groups = (
        Group(title="Smallest", names=("fleet.hosts_needed",)),
        Group(
            title="Yours",
            names=("fleet.mean_hosts", "fleet.cost", "fleet.peak_boxes"),
            note="No invocation waited.",
        ),
        Group(title="Nothing", names=("fleet.none",)),
    )
    smallest, yours = number_tables(_answer(groups=groups))
    assert [row[0] for row in smallest.table[1:]] == ["hosts needed"]
    assert [row[0] for row in yours.table[1:]] == ["hosts with boxes, on average", "cost"]
    assert (yours.title, yours.note) == ("Yours", "No invocation waited.")


def test_a_cost_has_its_currency_and_a_mean_its_decimals() -> None:
    assert quantity_text(_QUANTITIES[1]) == "3.00 EUR [1.00, 5.00]"
    assert quantity_text(_QUANTITIES[3]) == "3.00 [1.00, 5.00]"
    assert quantity_text(_QUANTITIES[0]) == "3 [1, 5]"


def test_ends_that_are_never_reached_say_so() -> None:
    band = Band(middle=3e9, low80=2e9, high80=4e9, low95=1e9, high95=5e9, never=0.05)
    assert band_text(band, "ns") == "3.00 s [1.00 s, never]"
    assert band_text(band, "ns", level=80) == "3.00 s [2.00 s, 4.00 s]"
    assert band_text(band.model_copy(update={"never": 0.6}), "ns") == "never [1.00 s, never]"
    assert band_text(band.model_copy(update={"never": 1.0}), "ns") == "never"


def test_limits_without_bounds_are_sentences_and_no_rows_of_dashes() -> None:
    limits = (
        Bottleneck(target="docker", name="memory", reason="docker: on 1 host instead of 2, memory is used up"),
        Bottleneck(target="docker, a start", name="lock", bounds_ns={"lock": 5e6, "start": 3e6}, reason="parts"),
    )
    answer = _answer(bottlenecks=limits)
    assert limit_lines(answer) == ("docker: on 1 host instead of 2, memory is used up",)
    assert switch_lines(answer) == (), "nobody has looked at larger questions"
    assert [row[0] for row in bottleneck_table(answer)[1:]] == ["docker, a start"]
    assert [row[0] for row in bottleneck_table(_answer(bottlenecks=limits[:1]))[1:]] == ["docker"]
