"""What the user asked of a gate, and the file that keeps it, so that the gate can be judged again."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from bench.gate.model import GateModel
from bench.gate.sides import SidePair
from bench.gate.thresholds import Thresholds
from bench.instructions.model import SEED
from bench.records import results
from bench.records.stored import read_stored
from bench.util.result_file import write_result_file

REQUEST: Final = results.GATE_REQUEST
"""The file in a gate's directory that holds its StoredRequest."""
SCREENING_BLOCKS: Final = 7
"""Enough that a p value can be significant for a few rows after Holm, and that the spread can be estimated."""
MAX_BLOCKS: Final = 60
"""Of confirmation, when the gate chooses their number: about two minutes for a container."""


@dataclass(frozen=True, kw_only=True)
class GateRequest:
    """What the user asked a gate to compare, and how.

    Attributes:
        sides: A and B. With a baseline ``sides.a`` is ``sides.b``, and the stored boots take A's place.
        out: the gate's directory.
        metrics: names or patterns; empty means the default metrics.
        baseline: a stored campaign, or counts of instructions, in A's place.
        further_baselines: more stored campaigns of A, of other times.
        again: how many runs of this comparison came before.
        blocks: of confirmation, or runs of each guest to count. None lets the gate choose, at most ``max_blocks``;
            counts have ``TRIED_RUNS``.
        detect: the relative change that confirmation must be able to show; None means twice each threshold.
        accel: ``auto``, ``kvm``, ``tcg``, or ``icount`` to count instructions.
        guest_seed: seed of the guests' random numbers with ``icount``; it is part of what is counted.
    """

    sides: SidePair
    out: Path
    seed: Annotated[int, Field(ge=0)]
    thresholds: Thresholds = field(default_factory=Thresholds)
    metrics: tuple[str, ...] = ()
    baseline: Path | None = None
    further_baselines: tuple[Path, ...] = ()
    again: Annotated[int, Field(ge=0)] = 0
    blocks: int | None = None
    screening_blocks: int = SCREENING_BLOCKS
    max_blocks: int = MAX_BLOCKS
    detect: float | None = None
    accel: str = "auto"
    guest_seed: int = SEED
    skip_unavailable: bool = False
    command: tuple[str, ...] = ()

    @property
    def baselines(self) -> tuple[Path, ...]:
        """All stored results in A's place; empty when both sides run."""
        return () if self.baseline is None else (self.baseline, *self.further_baselines)


class StoredRequest(GateModel):
    """A request as its file keeps it.

    Attributes:
        request: its ``out`` is where the gate ran.
        baseline_at, further_at: the absolute paths of the request's baselines.
        host: facts about the host when the gate started.
    """

    schema_number: Literal[1] = 1
    request: GateRequest
    baseline_at: Path | None = None
    further_at: tuple[Path, ...] = ()
    host: dict[str, Any]

    @property
    def baselines_at(self) -> tuple[Path, ...]:
        """The absolute paths of all baselines."""
        return () if self.baseline_at is None else (self.baseline_at, *self.further_at)


def store_request(request: GateRequest, host: dict[str, Any]) -> None:
    """Write a request into the gate's directory, without the values of secret variables. Raises ResultError."""
    request = replace(request, sides=request.sides.without_secrets())
    places = [path.absolute() for path in request.baselines]
    first, further = (places[0], tuple(places[1:])) if places else (None, ())
    stored = StoredRequest(request=request, baseline_at=first, further_at=further, host=host)
    write_result_file(
        request.out / REQUEST,
        stored.model_dump_json(indent=1) + "\n",
        hint="make room, or choose another place with --out",
    )


def read_request(out: Path) -> StoredRequest:
    """The request in a gate's directory, with that directory as its ``out``. Raises CampaignError."""
    stored = read_stored(
        out / REQUEST,
        StoredRequest.model_validate_json,
        absent=f"{out} is not the directory of a comparison",
        place="name the directory that `boxbench gate compare` printed; older versions did not store the request",
        wrong="not the request of a gate",
        again=": judge with that version, or run the gate again in a new directory",
    )
    return stored.model_copy(update={"request": replace(stored.request, out=out)})
