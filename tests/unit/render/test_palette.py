"""Targets can be told apart by everybody, on both pages."""

from __future__ import annotations

from itertools import combinations, pairwise
from typing import Final

import numpy as np
import pytest
from matplotlib.markers import MarkerStyle
from numpy.typing import NDArray

from bench.render.palette import PALETTE, marker, target_colour, target_colour_name, text_colour_on_phase
from bench.scenario.target_table import TARGETS, target_name

Floats = NDArray[np.float64]

# Machado, Oliveira & Fernandes 2009, severity 1.0, on linear RGB.
_SIGHT: Final[dict[str, Floats]] = {
    "full": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
_LEAST: Final = {"full": 19, "protanopia": 15, "deuteranopia": 15, "tritanopia": 12}
"""The least distance of two targets, in CIELAB, by sight."""
_LEAST_OF_PARTS: Final = 11
"""The same of two parts of a bar, which have an outline."""
_TO_XYZ: Final = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def linear(colour: str) -> Floats:
    parts = np.array([int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)])
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def lab(rgb: Floats) -> Floats:
    xyz = _TO_XYZ @ np.clip(rgb, 0, 1) / np.array([0.9505, 1.0, 1.089])
    root = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * root[1] - 16, 500 * (root[0] - root[1]), 200 * (root[1] - root[2])])


def shown(name: str, mode: str) -> str:
    return PALETTE[name].light if mode == "light" else PALETTE[name].dark


def contrast(one: str, other: str) -> float:
    light = sorted(float(_TO_XYZ[1] @ linear(colour)) + 0.05 for colour in (one, other))
    return light[1] / light[0]


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("sight", list(_SIGHT))
def test_any_two_targets_differ(mode: str, sight: str) -> None:
    seen = {name: lab(_SIGHT[sight] @ linear(shown(f"t-{name}", mode))) for name in TARGETS}
    for one, other in combinations(seen, 2):
        assert np.linalg.norm(seen[one] - seen[other]) > _LEAST[sight], (one, other)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_geometry_stands_out_from_the_paper(mode: str) -> None:
    """WCAG 1.4.11: 3:1. Parts of bars have it by their outline, which is muted."""
    names = [name for name in PALETTE if name.startswith(("t-", "o-"))] + ["muted"]
    assert [name for name in names if contrast(shown(name, mode), shown("paper", mode)) < 3] == []


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("name", ["ink", "muted"])
def test_text_can_be_read_on_the_paper(mode: str, name: str) -> None:
    assert contrast(shown(name, mode), shown("paper", mode)) >= 4.5


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_two_targets_that_are_equal_in_grey_have_different_markers(mode: str) -> None:
    grey = {name: float(lab(linear(shown(f"t-{name}", mode)))[0]) for name in TARGETS}
    for one, other in combinations(grey, 2):
        assert abs(grey[one] - grey[other]) > 8 or marker(one) != marker(other), (one, other)


def test_no_light_colour_is_used_twice() -> None:
    # Figures are recoloured by their light colours: one with two meanings would get the wrong partner.
    light = [colour.light for colour in PALETTE.values()]
    assert len(set(light)) == len(light)


# The ways in which phases follow each other in one bar: of a VM, of a container, and of one whose start returns early.
_STARTS: Final = (
    "fetched unpacked created vmm start_returned kernel init root exec listening ready replied",
    "fetched unpacked created setup exec start_returned listening ready replied",
    "created start_returned setup exec ready replied",
)


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("sight", list(_SIGHT))
def test_two_phases_that_touch_in_a_bar_differ(mode: str, sight: str) -> None:
    assert {name for start in _STARTS for name in start.split()} == {
        name.removeprefix("p-") for name in PALETTE if name.startswith("p-")
    }
    for start in _STARTS:
        for one, other in pairwise(start.split()):
            seen = [lab(_SIGHT[sight] @ linear(shown(f"p-{name}", mode))) for name in (one, other)]
            assert np.linalg.norm(seen[0] - seen[1]) > _LEAST_OF_PARTS, (one, other)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_text_on_phases_can_be_read(mode: str) -> None:
    names = {PALETTE[name].light: name for name in ("ink", "paper")}
    for name in PALETTE:
        if name.startswith("p-"):
            text = names[text_colour_on_phase(name.removeprefix("p-"))]
            assert contrast(shown(text, mode), shown(name, mode)) >= 4.5, name


def test_options_and_accelerators_do_not_change_the_colour() -> None:
    assert target_name("libvirt[console=serial]/tcg") == "libvirt"
    assert target_colour("libvirt[console=serial]") == target_colour("libvirt")
    assert target_colour_name("libvirt[console=serial]/tcg") == "t-libvirt"
    assert marker("libvirt[console=serial]/tcg") == "X"


def test_every_target_has_a_marker_of_its_own() -> None:
    markers = [info.marker for info in TARGETS.values()]
    assert len(set(markers)) == len(markers)


def test_every_marker_is_a_shape_about_as_wide_as_high() -> None:
    for name, info in TARGETS.items():
        # A text such as "$U$" would be drawn letter by letter, and squeezed, where formulas are off.
        assert isinstance(info.marker, tuple) or len(info.marker) == 1, name
        style = MarkerStyle(info.marker)
        box = style.get_path().transformed(style.get_transform()).get_extents()
        assert 0.5 < box.width / box.height < 2, name


def test_unknown_targets_have_a_stable_colour() -> None:
    assert target_colour("cloud-hypervisor") == target_colour("cloud-hypervisor[x=1]")
    assert target_colour_name("cloud-hypervisor").startswith("o-")
    assert marker("cloud-hypervisor") not in {info.marker for info in TARGETS.values()}
