"""A kind of trial: how many boxes were requested at once, and how many others lived on the host already."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True, kw_only=True, slots=True)
class Level:
    """Trials with so many boxes and residents. Levels are in order of residents, then of boxes."""

    residents: int = 0
    boxes: int

    def __str__(self) -> str:
        boxes = f"{self.boxes} box{'' if self.boxes == 1 else 'es'}"
        return f"{boxes} beside {self.residents}" if self.residents else boxes
