"""What a figure is made from and how wrong it can be, by kind: for pages, and for METHOD with an anchor for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bench.render.figures.thin import MOST_MARKS

CHAPTER: Final = 29
"""The chapter of METHOD that has these texts."""


@dataclass(frozen=True, kw_only=True)
class Explained:
    """A kind of figures.

    Attributes:
        shows: the question that it answers.
        made: which numbers are drawn.
        error: what it does not say, or how far it can be off.
        chapters: those of METHOD that say how its numbers are made.
    """

    shows: str
    made: str
    error: str
    chapters: tuple[int, ...]


def _left_out(what: str) -> str:
    return f"Above {MOST_MARKS} {what} of a box some dots are left out."


EXPLAINED: Final[Mapping[str, Explained]] = {
    "ratios": Explained(
        shows="How many times the baseline each box takes, for several metrics.",
        made=(
            "The ratio of the two medians, with its 95 % interval. A faint dot is the ratio within one block. A word "
            "such as “slower” needs an interval without 1 and an exact test that is adjusted for all comparisons of "
            "the campaign."
        ),
        error=(
            "An interval that contains 1 does not show that two boxes are the same. A ratio between a real and an "
            "emulated CPU says nothing about either technology. " + _left_out("blocks")
        ),
        chapters=(14, 2),
    ),
    "ladder": Explained(
        shows="Every box of a scenario, the fastest first.",
        made="Medians of the headline over boots that are no warm-ups, with an interval or, below 20 boots, the range.",
        error=(
            "Two neighbours can change places in another campaign: the ratios figure says which differences are sure. "
            + _left_out("boots")
        ),
        chapters=(14, 3),
    ),
    "ecdf": Explained(
        shows="How the times of single boots are distributed.",
        made="Every boot that is no warm-up is one step. Failed boots are missing at the top.",
        error="A curve has no interval. The ends of a curve rest on very few boots.",
        chapters=(14, 11),
    ),
    "phases": Explained(
        shows="Where the time of a start goes.",
        made="The time between the medians of two endpoints that follow each other.",
        error=(
            "The difference of two medians is not the median of the differences, which the table has. An endpoint "
            "that a target does not have joins two phases."
        ),
        chapters=(3,),
    ),
    "memory": Explained(
        shows="The memory of one box on the host, by holder.",
        made="Medians of the proportional set size (PSS) of every host process that exists for the box.",
        error=(
            "It is not the cost of one box more: page cache, kernel memory and daemons are not in it. The slope and "
            "the ledger have that."
        ),
        chapters=(4, 5),
    ),
    "cpu": Explained(
        shows="The CPU time that one start takes from the host, by who spent it.",
        made="Medians of the CPU time of the box and of all processes that work for it, until it is ready.",
        error=(
            "Where an engine has no control group of its own, its programs are read in ticks of 10 ms. Work on "
            "several CPUs adds up, so CPU time can be longer than the start."
        ),
        chapters=(7,),
    ),
    "disk": Explained(
        shows="The disk blocks that belong to one box alone when it is ready.",
        made="Allocated blocks of its writable layer or overlay. What boxes of one image share is in the subtitle.",
        error="It is what is kept, not what was written. A sparse file counts with its allocated blocks.",
        chapters=(9,),
    ),
    "blocks": Explained(
        shows="Every boot in the order in which it ran.",
        made="The headline of each boot, warm-ups and failures included. No statistics are in it.",
        error=("A slope that all boxes share comes from the host and not from a box. " + _left_out("boots")),
        chapters=(11,),
    ),
    "exercise": Explained(
        shows="What a load test inside the box reached, against the baseline.",
        made="Ratios of medians as in the ratios figure, one group per number of the load test.",
        error="The load runs inside the box and shares its CPUs, in every box alike. No virtual network is on its way.",
        chapters=(10, 14),
    ),
    "samples": Explained(
        shows="Memory and CPU of ready boxes over time.",
        made="Readings of the box's control group, or of its VMM, from ready until the stop. A line is one boot.",
        error=(
            "Memory of a control group contains page cache; that of a VMM does not shrink when the guest frees "
            "memory. So the two are not one quantity."
        ),
        chapters=(8,),
    ),
    "slope": Explained(
        shows="What one box more takes from the host's memory.",
        made="The median over blocks of each block's slope, through the trials with 1, 2, 4, ... boxes.",
        error="It holds for the numbers of boxes that were measured, and for boxes at rest.",
        chapters=(5,),
    ),
    "ledger": Explained(
        shows="Who holds the memory that many boxes take from the host.",
        made="The growth of the host's memory that it cannot take back, and of each holder, before and with the boxes.",
        error=(
            "The unexplained part is hatched and not shared out. Other programs of the host can disturb a trial, "
            "which then carries a doubt."
        ),
        chapters=(5,),
    ),
    "storm": Explained(
        shows="How long boxes take that are requested at once or on a schedule.",
        made="Each step is the median over storms of the k-th box, from its scheduled instant.",
        error=(
            "Boxes of one storm are not independent: the storm is the statistical unit, so n is the number of storms."
        ),
        chapters=(12, 14),
    ),
    "first-start": Explained(
        shows="The first start of an image on a host that has nothing of it.",
        made=(
            "Medians of fetching, unpacking and starting, over a link of stated bandwidth between two namespaces of "
            "this host."
        ),
        error="The link has no delay and loses nothing, and the registry at its far end has everything in memory.",
        chapters=(6,),
    ),
    "preparation": Explained(
        shows="What it takes before the first box can be started, by target.",
        made="The steps of the preparation of this campaign, with times and bytes as the manifest has them.",
        error="Each step ran once, so there is no interval. What came from a cache was not measured.",
        chapters=(3,),
    ),
    "instructions": Explained(
        shows="How many instructions a guest executes until it is ready.",
        made="Counts of an emulated CPU with an instruction clock; the median of the runs.",
        error="A count is the length of a code path, and no time: memory, caches and devices are not in it.",
        chapters=(16,),
    ),
    "anatomy": Explained(
        shows="One traced start, step by step.",
        made="Each instant belongs to the innermost step that was active, so the rows add up to the start.",
        error=(
            "The bars are those of the median of the traced starts, the percentages those of all. Tracing slows a "
            "start down, so take times from a campaign."
        ),
        chapters=(19,),
    ),
    "gate": Explained(
        shows="Whether B is worse than A by more than a threshold.",
        made=(
            "The middle of the changes within each block, with its 95 % interval and the pairs. Interval and p value "
            "come from signed ranks. Of instructions, each side has its runs."
        ),
        error=(
            "“Not regressed” says that no part of the interval is beyond the threshold. It does not say that A and B "
            "are equal."
        ),
        chapters=(15,),
    ),
    "compare": Explained(
        shows="Two stored campaigns of one host beside each other.",
        made=(
            "B's median over A's, with an unpaired interval. The control, the same program as a bare process, decides"
            " whether a difference can be sure."
        ),
        error="Nothing is paired: the host may have changed between the two. Campaigns of two hosts get no ratio.",
        chapters=(14,),
    ),
    "history": Explained(
        shows="One metric of one box over commits.",
        made="The median of each commit, and levels between change points.",
        error=(
            "A change lies somewhere in the shaded span. A change of the host can look like one of the code: compare "
            "the series of the bare process."
        ),
        chapters=(17,),
    ),
    "stages": Explained(
        shows="One start of each target as a model has it.",
        made="Values from the middle of the model's draws, for a start alone on an idle host.",
        error="Nothing here was measured by itself: how the parts share a stage is a fit.",
        chapters=(22, 23),
    ),
    "check": Explained(
        shows="Whether a model predicts storms that it was not fitted to.",
        made="Simulated 95 % bands beside measured storms, and predictions that need no simulation.",
        error="A model that passes here has passed on one host, in the range that is shown.",
        chapters=(24,),
    ),
    "capacity": Explained(
        shows="The time until the last box of a storm is up, over the size of the storm.",
        made="Simulated bands of 80 and 95 %, with the measured storms on them.",
        error="Where the ground is hatched, no storm of that size was measured, or not on so many CPUs.",
        chapters=(25, 24),
    ),
    "bottlenecks": Explained(
        shows="What decides when the last box of a storm is up.",
        made=(
            "The largest of three lower bounds on the last box, in each draw: one start, the CPU work of all, the lock."
        ),
        error="It is a statement about the model. Hatched blocks lie beyond the data.",
        chapters=(25,),
    ),
    "bands": Explained(
        shows="A simulated answer with its uncertainty.",
        made="The middle, 80 % and 95 % of simulations over the draws of the fitted parameters.",
        error="Beyond the data the bands are widened by a stated rule, not by data.",
        chapters=(25,),
    ),
    "fan": Explained(
        shows="A simulated quantity over an axis or over time.",
        made="Bands of 80 and 95 % over the model's draws; over time all targets meet the same invocations.",
        error="Another trace of the same law has its bursts at other times.",
        chapters=(26, 25),
    ),
    "heat": Explained(
        shows="A simulated quantity over two axes.",
        made="The middle of the band in each cell; the table has the bands.",
        error="Two cells with different colours need not differ: look at their bands.",
        chapters=(26, 25),
    ),
    "tornado": Explained(
        shows="Which parameters an answer depends on.",
        made="The answer at the 10 % and the 90 % point of each parameter, all else as in one draw.",
        error=(
            "One parameter moves at a time, so one that the data tie to another has a bar that is long for its share."
        ),
        chapters=(25,),
    ),
    "difference": Explained(
        shows="Which phases make the difference of two boxes, and which are noise.",
        made="The medians of A and of B, and between them the change of each phase with its 95 % interval.",
        error=(
            "Medians of changes need not add up to the whole: the rest has a bar of its own. Of two campaigns no block "
            "is shared, so the host's change between them is part of every bar."
        ),
        chapters=(14, 2),
    ),
    "floor": Explained(
        shows="In how little memory a workload works, in each box.",
        made="Every memory limit that was tried, with whether all, some or no boots worked, and the least that did.",
        error="A few boots were tried at each limit: at the floor some of many more can still fail.",
        chapters=(5,),
    ),
    "trade-off": Explained(
        shows="How many cold starts a pool saves, and what its idle boxes hold.",
        made="One mark per keep-alive and number of pre-warmed boxes, with 95 % of both quantities.",
        error="It holds for this trace of invocations. Another trace has another curve.",
        chapters=(26,),
    ),
}

_BEGINNINGS: Final[Mapping[str, str]] = {
    "check": "check",
    "explain-": "difference",
    "floor": "floor",
    "history-": "history",
    "model-stages": "stages",
    "simulated-bands": "bands",
    "simulated-bottlenecks": "bottlenecks",
    "simulated-capacity": "capacity",
    "simulated-fan-": "fan",
    "simulated-heat-": "heat",
    "simulated-over-time-": "fan",
    "simulated-tornado-": "tornado",
    "simulated-trade-off": "trade-off",
}
"""How the names of figures begin that belong to no scenario."""


def kind_of(name: str, scenario: str = "") -> str:
    """The key of EXPLAINED for a figure's name, or nothing for a figure that has none.

    Args:
        scenario: if it is given, the figure's name begins with it.
    """
    rest = name.removeprefix(f"{scenario}-") if scenario else name
    if rest in EXPLAINED:
        return rest
    found = next((kind for start, kind in _BEGINNINGS.items() if rest.startswith(start)), "")
    return found or next((kind for kind in EXPLAINED if rest.endswith(f"-{kind}")), "")


def anchor(kind: str) -> str:
    """The anchor of a kind in its chapter of METHOD."""
    return f"fig-{kind}"


def more(kind: str) -> str:
    """Where METHOD has the figure, for people; nothing without a kind."""
    return f"More: METHOD {CHAPTER}, {anchor(kind)}." if kind else ""


def explanations(kinds: Sequence[str]) -> tuple[tuple[str, str, str], ...]:
    """Of each kind in use, once and in order: the kind, how it is made and its error, and where METHOD has it."""
    shown = [kind for kind in dict.fromkeys(kinds) if kind]
    return tuple((kind, f"{EXPLAINED[kind].made} {EXPLAINED[kind].error}", _chapters(kind)) for kind in shown)


def _chapters(kind: str) -> str:
    numbers = ", ".join(map(str, (CHAPTER, *EXPLAINED[kind].chapters)))
    return f"METHOD {numbers} ({anchor(kind)})"
