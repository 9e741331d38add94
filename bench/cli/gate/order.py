"""What a gate is asked for: the words of its command line as sides, thresholds, a place and an order."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.cli.common import complain, draw_seed
from bench.util.errors import CampaignError, UsageError

if TYPE_CHECKING:
    from bench.gate.rows import Question
    from bench.gate.run import Order
    from bench.gate.sides import Both
    from bench.gate.thresholds import Thresholds


@dataclass(frozen=True)
class How:
    """Options that a comparison and a null run share, as they were given."""

    metric: list[str] | None
    threshold: list[str] | None
    blocks: int | None
    seed: int | None
    accel: str
    skip_unavailable: bool
    first: int | None = None
    most: int | None = None
    see: str | None = None

    @property
    def thresholds(self) -> Thresholds:
        """Raises UsageError: a word of --threshold is none."""
        from bench.gate.thresholds import parse_thresholds

        return parse_thresholds(self.threshold or ())

    def order(self, both: Both, out: Path, baseline: Path | None) -> Order:
        """All of it for these sides. Raises UsageError as ``thresholds``, or since --see is no change in per cent."""
        from bench.gate.run import FIRST_BLOCKS, MOST_BLOCKS, Order

        return Order(
            both=both,
            out=out,
            seed=draw_seed(self.seed),
            thresholds=self.thresholds,
            metrics=tuple(self.metric or ()),
            baseline=baseline,
            blocks=self.blocks,
            first_blocks=FIRST_BLOCKS if self.first is None else self.first,
            most=MOST_BLOCKS if self.most is None else self.most,
            see=None if self.see is None else percent(self.see),
            accel=self.accel,
            skip_unavailable=self.skip_unavailable,
            command=("boxbench", *sys.argv[1:]),
        )


def tell_plan(questions: Sequence[Question], blocks: int) -> None:
    """What can be seen, before it is looked for: on stderr, where progress goes."""
    from bench.render.commands.gate import plan_lines

    for line in plan_lines(questions, blocks):
        print(line, file=sys.stderr)


def both_sides(
    words: list[str], targets: str | None, commits: tuple[str, str] | None, baseline: Path | None, out: Path
) -> Both:
    """A and B; revisions are unpacked below ``out``.

    Raises:
        UsageError, ScenarioError: not two sides, or not such ones.
    """
    from bench.gate.sides import Both, read_side
    from bench.scenario.targets import split_labels

    chosen = split_labels(targets) if targets is not None else None
    if commits is not None and baseline is not None:
        raise UsageError("--commits and --baseline are two ways to say what A is", hint="choose one")
    if commits is not None:
        from bench.gate.checkout import sides_of_commits

        return _warned(sides_of_commits(one_word(words, "--commits"), commits, out, chosen))
    if baseline is not None:
        side = read_side(one_word(words, "--baseline"), "B", chosen)
        return Both(side, side)
    if len(words) != 2:
        raise UsageError(
            f"{len(words)} {'side was' if len(words) == 1 else 'sides were'} given, a comparison has two",
            hint="name A and B, as in `boxbench gate before/ after/`; one with --commits or --baseline",
        )
    return _warned(Both(read_side(words[0], "A", chosen), read_side(words[1], "B", chosen)))


def _warned(both: Both) -> Both:
    # Not refused: a pipeline may compare what happens to be the same today.
    if both.a.same_as(both.b):
        complain(
            f"A ({both.a.label}) and B ({both.b.label}) are the same",
            "to count false alarms use `boxbench gate --null`",
        )
    return both


def one_word(words: list[str], option: str) -> str:
    """The only word. Raises UsageError."""
    if len(words) != 1:
        raise UsageError(f"{option} goes with one scenario, not {len(words)}", hint="name the scenario once")
    return words[0]


def percent(text: str) -> float:
    """``5%`` as 0.05. Raises UsageError."""
    try:
        value = float(text.removesuffix("%")) / 100
    except ValueError:
        value = -1.0
    if not 0 < value < 10:
        raise UsageError(f"--see {text!r} is not a change in per cent", hint="write for example --see 5%")
    return value


def make_place(out: Path | None, words: list[str]) -> Path:
    """The gate's directory, made now: a bad place must not cost a campaign. Raises CampaignError."""
    from datetime import datetime

    from bench.records.campaign import reserve_directory

    name = "-".join(Path(word.split(":")[0]).name or "gate" for word in words)[:60]
    place = out or Path("reports") / "out" / f"{datetime.now():%Y%m%d-%H%M%S}-gate-{name}"
    try:
        reserve_directory(place)
    except CampaignError as error:
        # A campaign in its place could be resumed; a gate cannot.
        raise CampaignError(error.message, hint="choose a new directory with --out, or remove this one") from None
    return place
