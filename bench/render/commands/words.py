"""The words of the pages of comparisons, gates, explanations, anatomies and floors, each in one line."""

from __future__ import annotations

from typing import Final

from bench.render.sections.glossary import ENDPOINTS
from bench.render.sections.glossary import WORDS as _REPORT_WORDS
from bench.render.simulation.glossary import Word, endpoint_of, word_of

_REPORTED: Final = dict(_REPORT_WORDS)
"""Words that reports explain, too."""
_PLURAL: Final = ("box", "target", "cell", "block", "boot", "trial", "doubt", "median", "interval")

WORDS: Final[tuple[Word, ...]] = (
    *(word_of(name, _REPORTED[name], "boxes" if name == "box" else f"{name}s") for name in _PLURAL),
    word_of("PSS", _REPORTED["PSS"]),
    word_of("own disk", "disk blocks that belong to this box alone when it is ready"),
    word_of("control", "the same program as a bare process: where it changes, the host has changed", r"\(control\)"),
    word_of("threshold", "a change that is smaller does not matter", "matters from"),
    word_of("limit", "what a median has to be within, as the file of limits says", "limits"),
    word_of("phase", "the time from one instant of a start to the next", "phases"),
    word_of("step", "what a traced start does at an instant; the innermost one that is active counts", "steps"),
    word_of("noise", "what boots differ by without a known reason"),
    word_of("floor", "the least memory in which every boot worked", "floors"),
    *(endpoint_of(str(endpoint), meaning) for endpoint, meaning in ENDPOINTS.items()),
    word_of("tcg", _REPORTED["tcg"], r"\w+/tcg"),
    word_of("kvm", _REPORTED["kvm"], r"\w+/kvm"),
)
"""In the order in which readers meet them."""

HISTORY_WORDS: Final[tuple[Word, ...]] = (
    *WORDS,
    word_of("series", "one metric of one cell on one host, over commits"),
    word_of("level", "what the medians of neighbouring commits are, noise apart", "levels"),
    word_of("detector", "what tells a change from chance", "Detector"),
    word_of("open", "worse, and no later level is as good as before: a regression"),
    word_of("acknowledged", "worse, and accepted in the file of accepted changes, for the reason beside it"),
    word_of("acknowledgement expired", "accepted up to a day that has passed: a regression again"),
    word_of("undone", "worse, but a later change brought the level back"),
    word_of("small", "smaller than the threshold"),
    word_of("better", "changed for the better"),
)
"""The words of the page of a history: also its states of changes."""
