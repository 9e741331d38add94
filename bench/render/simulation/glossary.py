"""The words of simulated answers, each in one line, for pages and terminals: only those that a reader meets."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bench.render.sections.glossary import ENDPOINTS
from bench.render.sections.glossary import WORDS as _REPORT_WORDS

_REPORTED: Final = dict(_REPORT_WORDS)
"""Words that reports explain, too."""


@dataclass(frozen=True, kw_only=True)
class Word:
    """A word and its meaning.

    Attributes:
        also: regular expressions of other forms in which it occurs; ``forms`` replaces the word itself, too.
    """

    name: str
    meaning: str
    also: tuple[str, ...] = ()
    forms: tuple[str, ...] = ()

    def occurs_in(self, text: str) -> bool:
        """Whether a text has the word, or one of its forms, as a word."""
        forms = self.forms or (re.escape(self.name), *self.also)
        return re.search(rf"(?<![\w-])(?:{'|'.join(forms)})(?![\w-])", text) is not None


def word_of(name: str, meaning: str, *also: str) -> Word:
    """A word with its meaning, and other forms of it."""
    return Word(name=name, meaning=meaning, also=also)


def endpoint_of(name: str, meaning: str) -> Word:
    """An instant of a start. Alone its name is a word of ordinary language."""
    forms = (rf"(?:before|until|by|after) {name}", rf"{name}\.\w+", rf"`{name}`", rf"to {name}")
    return Word(name=name, meaning=f"an instant of a start: {meaning}", forms=forms)


_SKILL: Final = r"[+−-]\d"
"""The number that follows a baseline's name; alone some of these names are words of ordinary language."""
GLOSSARY: Final[tuple[Word, ...]] = (
    word_of("box", _REPORTED["box"], "boxes"),
    word_of("target", _REPORTED["target"], "targets"),
    word_of("storm", "boxes of one target that are requested at once", "storms"),
    word_of("block", _REPORTED["block"], "blocks"),
    word_of("cell", _REPORTED["cell"], "cells"),
    word_of("residents", "boxes that live on the host already when others start", "resident", "`residents.*?`"),
    word_of("in flight", "requested and not yet up"),
    word_of("band", "holds the answer in 80 or 95 of 100 cases, if the model is right", "bands"),
    word_of("draw", "one set of parameters that the data allow; each answer is simulated with many", "draws"),
    word_of(
        "bound",
        "a limit and no estimate: the answer is decided by a parameter that the data do not know well",
        "bounds",
    ),
    word_of(
        "beyond the data",
        "further than what was measured; such predictions were off elsewhere, and far beyond too optimistic, so bands "
        "are wider there",
        "times the most that was measured",
    ),
    word_of("measured", "of a parameter: the data narrow it by at least half of what was assumed before", "· measured"),
    word_of("limit", "of a parameter: the data narrow it by less, so that answers which depend on it are bounds"),
    word_of("assumed", "of a parameter: stated by somebody, without data", "assumed by you"),
    word_of("share", "how much of what is open in the answer a parameter is responsible for"),
    word_of("narrowed", "how much smaller the data made what was open in a parameter; at 0 % they said nothing"),
    word_of(
        "several parameters together",
        "what no parameter explains by itself; the data may know their sum well and each of them badly",
    ),
    word_of("stage", "a part of a start, from one recorded instant to the next", "stages"),
    *(endpoint_of(str(endpoint), meaning) for endpoint, meaning in ENDPOINTS.items()),
    word_of("delay", "time of a stage that needs no CPU and no lock", "delays"),
    word_of("CPU work", "CPU time that the start itself waits for", r"\w+\.work"),
    word_of(
        "background",
        "CPU time of daemons and runtimes that a start causes and does not wait for; it slows the other boxes",
        "background CPU work",
        r"\w+\.background",
    ),
    word_of(
        "lock",
        "what the boxes of a target hold one after another, each for a moment, such as the mount table of the host",
        "locks",
    ),
    word_of(
        "lock hold",
        "for how long one start holds the lock while all others wait for their turn",
        "hold",
        "holds",
        r"\w+\.hold_\w+",
    ),
    word_of("growth", "how much longer the lock is held for each box that lives on the host"),
    word_of("inflation", "how much longer CPU work takes for each further CPU that is busy", "CPU inflation"),
    word_of("crowding", "how CPU work grows with the number of boxes in flight for each CPU"),
    word_of("noise", "what differs from one storm to the next, and from box to box, without a known reason"),
    word_of(
        "misfit",
        "how far the model misses its own data beyond noise; it widens every band",
    ),
    word_of("T1", "the time of a single start on an idle host"),
    word_of("N", "the number of boxes that start", "N W/c"),
    word_of("W", "the CPU time of one start, with that of daemons", "N W/c", "W/c"),
    word_of("c", "the number of CPUs", "N W/c", "W/c"),
    word_of("error", "of a check: how far predictions miss, the median over storms of |simulated / measured − 1|"),
    word_of("bias", "of a check: the prediction over the median storm; above 0 % it is too slow"),
    word_of(
        "skill",
        "of a check: 1 − CRPS of the model / CRPS of a baseline: 1 is perfect, 0 no better. CRPS is the distance of a "
        "predicted distribution from a measured value",
        "skills",
    ),
    word_of("held", "of a check: how many of the measured storms lie in the simulated 95 % band"),
    word_of(
        "noise ceiling",
        "of a check: the error with which one half of the measured storms predicts the other; no model can do better",
        "ceiling",
    ),
    word_of(
        "coverage", "of a check: the share of measured values that lie in a band; good bands hold what they promise"
    ),
    word_of("baseline", "of a check: a prediction that needs no simulation", "baselines"),
    Word(
        name="constant", meaning="a baseline: every start takes as long as a single one", forms=(rf"constant {_SKILL}",)
    ),
    word_of("CPU only", "a baseline: max(T1, N W/c), the CPU time of N boxes on c CPUs and nothing else"),
    Word(
        name="line",
        meaning="a baseline: a line over N through the fitted storms",
        forms=(rf"line {_SKILL}", "a line explains it"),
    ),
    word_of("CPU only with spread", "a baseline: N measured single starts in order, times max(1, N W/(c T1))"),
    word_of("shared CPUs", "a baseline: N measured single starts of unlike work that share the CPUs equally"),
    word_of("keep-alive", "how long an idle box waits for more work before it ends", "kept"),
    word_of("pre-warmed", "of boxes: started before anybody needs them"),
    word_of("cold start", "an invocation that waits until a box has started for it", "cold starts", "cold"),
    word_of(
        "start delay",
        "from the arrival of an invocation until its box computes; 0 where a box was idle",
        "start delays",
    ),
    word_of("response", "from the arrival of an invocation until it is complete"),
    word_of(
        "99th percentile", "99 of 100 invocations are not beyond it; never: it is among those that were not served"
    ),
    word_of("invocation", "one piece of work of a trace: it arrives, needs a box, and ends", "invocations"),
    word_of("tcg", _REPORTED["tcg"], r"\w+/tcg"),
    word_of("kvm", _REPORTED["kvm"], r"\w+/kvm"),
)
"""In the order in which readers meet them."""


def words_in(text: str, glossary: Sequence[Word] = GLOSSARY) -> tuple[tuple[str, str], ...]:
    """The words of a glossary that occur in a text, with their meanings."""
    return tuple((word.name, word.meaning) for word in glossary if word.occurs_in(text))
