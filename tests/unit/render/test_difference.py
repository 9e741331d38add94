"""The waterfall of a difference: sentences that are true in each case, rows for what is left, and its numbers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from matplotlib.colors import to_hex

from bench.deck.figures import figures_of
from bench.explain.stored import FILE, StoredExplanation, StoredInterval, StoredPart, read_explanations
from bench.render.figures.difference import draw
from bench.render.figures.settings import styled
from bench.render.figures.style import STYLES, TALK, using
from bench.render.palette import phase_colour
from bench.util.errors import CampaignError, UsageError

MS = 10**6


def part(name: str, change: float, around: float | None = 1.0, **changes: object) -> StoredPart:
    """A phase that changes by so many ms, with an interval so wide, ms, on either side."""
    interval = None
    verdict = "cannot tell"
    if around is not None:
        interval = StoredInterval(low=(change - around) * MS, high=(change + around) * MS, level=0.95)
        verdict = "slower" if change > around else "faster" if change < -around else "cannot tell"
    values: dict[str, object] = {
        "name": name,
        "label": f"{name.replace('-', ' → ')}: the phase {name}",
        "a_ns": 100.0 * MS,
        "b_ns": (100.0 + change) * MS,
        "change_ns": change * MS,
        "interval_ns": interval,
        "share": None,
        "n": 20,
        "verdict": verdict,
    }
    return StoredPart.model_validate(values | changes)


def explained(total: StoredPart, *phases: StoredPart) -> StoredExplanation:
    return StoredExplanation(
        a="c:web/docker", b="c:web/libvirt/tcg", endpoint="ready", paired=True, total=total, phases=phases
    )


@pytest.mark.parametrize(
    ("found", "title"),
    [
        (
            explained(part("total", 50), part("created-init", 40, share=0.8), part("exec-ready", 10, share=0.2)),
            "web/libvirt/tcg is slower than web/docker by 50.0 ms, most of it in “the phase created-init” with 40.0 ms",
        ),
        (
            explained(part("total", -50), part("created-init", -24, share=0.48), part("exec-ready", 9)),
            "web/libvirt/tcg is faster than web/docker by 50.0 ms, the largest part of it in “the phase created-init” "
            "with 24.0 ms",
        ),
        (
            explained(part("total", 5), part("created-init", 3, 4.0)),
            "web/libvirt/tcg is slower than web/docker by 5.00 ms; no phase by itself can be told from noise",
        ),
        (
            explained(part("total", 2, 5.0)),
            "Whether web/libvirt/tcg is slower than web/docker cannot be told (−3.00 ms to +7.00 ms)",
        ),
        (
            explained(part("total", 2, None, n=3)),
            "Whether web/libvirt/tcg is slower than web/docker cannot be told (3 boots are too few for an interval)",
        ),
    ],
)
def test_the_title_says_what_the_numbers_say(found: StoredExplanation, title: str) -> None:
    with styled(), using(TALK):
        assert draw(found, 0).title == title


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (("console=serial,nic=virtio,machine=q35", "console=serial,nic=virtio,machine=pc"), None),
        (("", "console=serial,nic=virtio,machine=pc"), ("web/libvirt[]", "web/libvirt[console=serial,nic=virtio,m…")),
        (("a" * 500 + "1", "a" * 500 + "2"), None),
        (("a" * 25 + "1" + "a" * 90, "a" * 25 + "2" + "a" * 90), None),
    ],
)
def test_long_names_are_cut_with_a_sign_and_differ(options: tuple[str, str], names: tuple[str, str] | None) -> None:
    a, b = (f"c:web/libvirt[{one}]" for one in options)
    found = explained(part("total", 50), part("created-init", 40)).model_copy(update={"a": a, "b": b})
    with styled(), using(TALK):
        title = draw(found, 0).title
    right, left = title.partition(" by 50.0 ms")[0].split(" is slower than ")
    assert left != right
    assert max(len(left), len(right)) <= 40
    assert all("…" in shown for shown, name in ((left, a), (right, b)) if len(name) > 42)
    assert names is None or (left, right) == names


@pytest.mark.parametrize("style", STYLES.values(), ids=lambda style: style.name)
def test_bars_lead_from_a_to_b_and_the_rest_has_its_own(style: object) -> None:
    phases = [part(f"created-{name}", change) for name, change in (("init", 40), ("exec", 5), ("ready", 0.2))]
    found = explained(part("total", 50), *phases)
    with styled(), using(style):  # type: ignore[arg-type]
        drawing = draw(found, 0)
    (axes,) = drawing.canvas.axes
    assert ["".join(label.get_text().split()) for label in axes.get_yticklabels()][-2:] == [
        "therest",
        "web/libvirt/tcg",
    ]
    bars = [(bar.get_x(), bar.get_width()) for bar in axes.patches]  # type: ignore[attr-defined]
    ends = [round((begin + length) / MS, 6) for begin, length in bars]
    assert ends == [100, 140, 145, 145.2, 150, 150], "each bar begins where the one above ends"
    left, right = axes.get_xlim()
    assert left <= 0 < 151 * MS <= right * 1.02


@pytest.mark.parametrize(
    ("b", "kind"), [("c:web/podman", "setup"), ("c:web/libvirt/tcg", "init"), ("c:web/uml", "init")]
)
def test_a_phase_has_the_colour_that_it_has_in_other_figures(b: str, kind: str) -> None:
    """Without a kernel to boot, what ends at init sets a box up."""
    found = explained(part("total", 50), part("created-init", 40)).model_copy(update={"b": b})
    with styled(), using(TALK):
        (axes,) = draw(found, 0).canvas.axes
    assert to_hex(axes.patches[1].get_facecolor()) == phase_colour(kind)


def test_the_figures_of_a_directory_and_their_numbers(tmp_path: Path) -> None:
    found = explained(part("total", 50), part("created-init", 40, share=0.8))
    place = tmp_path / "e"
    place.mkdir()
    (place / FILE).write_text(json.dumps([found.model_dump(), found.model_dump()]), encoding="utf-8")
    assert read_explanations(place) == (found, found)
    first, second = figures_of(place, TALK)
    assert (first.name, second.name) == ("explain-0", "explain-1")
    assert first.data.column("part") == (found.total.label, found.phases[0].label)
    assert first.data.column("low")[1] == 39 * MS
    with pytest.raises(UsageError, match="--targets has no effect"):
        figures_of(place, TALK, targets=("docker",))
    (place / FILE).write_text('[{"a": 1}]', encoding="utf-8")
    with pytest.raises(CampaignError, match="not an explanation"):
        figures_of(place, TALK)
    (place / FILE).write_text("[]", encoding="utf-8")
    with pytest.raises(CampaignError, match="not an explanation"):
        figures_of(place, TALK)
