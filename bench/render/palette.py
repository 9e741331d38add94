"""Colours: one per target in every figure, for light and dark pages, told apart without red or green.

Containers are cool, virtual machines warm, so that the kind is seen before the legend is read. Tests check
the distances between all of them as people with protanopia and deuteranopia see them.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Final, Literal

from bench.scenario.target_table import TARGETS, target_name

Mode = Literal["light", "dark"]

INK: Final = "ink"
MUTED: Final = "muted"
GRID: Final = "grid"
PAPER: Final = "paper"

# Every colour of the light mode is used once only: figures change mode by exchanging the text of their colours.
_ROLES: Final[dict[str, tuple[str, str]]] = {
    INK: ("#161a20", "#eef1f5"),
    MUTED: ("#5d6674", "#9ba6b5"),
    GRID: ("#e2e6eb", "#2c333d"),
    PAPER: ("#fefefe", "#12161c"),
}

_OTHERS: Final = (
    ("#5f7a2d", "#b9d67d"),
    ("#a88a5b", "#dcc39a"),
    ("#3d8f5f", "#85dba8"),
)

# A phase is named by the endpoint that ends it, except that a box without a kernel of its own is `setup`.
# Cool while the host works, warm while a guest boots, green for the workload itself; neighbours differ in lightness.
_PHASES: Final[dict[str, tuple[str, str]]] = {
    "created": ("#9fb3c8", "#6f8399"),
    "vmm": ("#6a86ad", "#8fabd4"),
    "start_returned": ("#c4cedb", "#4f5d70"),
    "kernel": ("#f3c877", "#a87b22"),
    "setup": ("#3f8fa6", "#59b3cc"),
    "init": ("#d97b29", "#ef9a4e"),
    "root": ("#f5dfb8", "#7a6133"),
    "exec": ("#b8a6cf", "#8d78ab"),
    "listening": ("#2f7d5b", "#4fb78a"),
    "ready": ("#8fcfae", "#2f7657"),
    "replied": ("#55626f", "#c3ccd6"),
}


def _text_on(colour: str, serial: int) -> str:
    """Nearly black or nearly white, no two alike: figures change mode by exchanging the text of their colours."""
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return f"#00000{serial:x}" if 0.299 * red + 0.587 * green + 0.114 * blue > 0.5 else f"#ffff{255 - serial:02x}"


_ON_PHASES: Final = {
    name: (_text_on(light, serial), _text_on(dark, serial))
    for serial, (name, (light, dark)) in enumerate(_PHASES.items())
}

_OTHER_MARKER: Final = "."


@dataclass(frozen=True)
class Theme:
    """The colours of one mode."""

    mode: Mode

    def role(self, name: str) -> str:
        """The colour of INK, MUTED, GRID or PAPER, ``#rrggbb``."""
        return _ROLES[name][self._index]

    def target(self, label: str) -> str:
        """A target's colour, options or not: the same for ``libvirt`` and ``libvirt[console=serial]``."""
        return _of_target(label)[self._index]

    def phase(self, name: str) -> str:
        """The colour of a phase; unknown ones look like the start call."""
        return _PHASES.get(name, _PHASES["start_returned"])[self._index]

    def on_phase(self, name: str) -> str:
        """Black or white, whichever can be read on the phase's colour."""
        return _ON_PHASES.get(name, _ON_PHASES["start_returned"])[self._index]

    @property
    def _index(self) -> int:
        return 0 if self.mode == "light" else 1


LIGHT: Final = Theme("light")
DARK: Final = Theme("dark")


def marker(label: str) -> str:
    """The target's marker: a second way to tell it apart."""
    info = TARGETS.get(target_name(label))
    return _OTHER_MARKER if info is None else info.marker


def exchange() -> dict[str, tuple[str, str]]:
    """Every colour by a name for style sheets: (light, dark)."""
    named = dict(_ROLES)
    named |= {f"t-{name}": info.colours for name, info in TARGETS.items()}
    named |= {f"o-{number}": pair for number, pair in enumerate(_OTHERS)}
    named |= {f"p-{name}": pair for name, pair in _PHASES.items()}
    named |= {f"on-{name}": pair for name, pair in _ON_PHASES.items()}
    return named


def target_class(label: str) -> str:
    """The name of a target's colour in ``exchange``."""
    name = target_name(label)
    return f"t-{name}" if name in TARGETS else f"o-{_other(name)}"


def _other(name: str) -> int:
    # Stable from run to run, unlike hash().
    return zlib.crc32(name.encode()) % len(_OTHERS)


def _of_target(label: str) -> tuple[str, str]:
    name = target_name(label)
    return TARGETS[name].colours if name in TARGETS else _OTHERS[_other(name)]
