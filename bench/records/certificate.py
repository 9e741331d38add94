"""What was seen inside boxes, and the judgement on it: frozen values that travel in a campaign's manifest."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from bench.scenario.equality import FactName
from bench.scenario.target_table import Kind

Status = Literal["equal", "unequal", "declared", "unknown", "same", "differs"]
"""Of a fact that must be equal: ``equal``, ``unequal``, ``declared`` (it differs, as the scenario says) or
``unknown`` (a box could not tell, and no other contradicts). Of a fact that is only reported: ``same``, ``differs``."""


class Look(BaseModel):
    """One box, seen from inside while it did nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    box: str
    kind: Kind
    looked_at: str
    """ISO 8601, UTC. Campaigns take a look from the cache when nothing it depends on has changed."""
    facts: dict[str, str] = {}
    """As the agent sent them."""
    digest: str | None = None
    """Of the tree, computed inside the box; None when the scenario declares that it differs, or nobody is inside."""
    silent: str = ""
    """Why there is nothing to compare; empty when there is."""


class Finding(BaseModel):
    """One fact over all boxes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fact: FactName
    must: bool
    """Whether it has to be equal; else it is reported."""
    status: Status
    asked: str | None
    """What every box should show; None for facts that are only reported."""
    seen: dict[str, str | None]
    """By box, in the canonical form of ``bench.certificate.facts``; None when the box did not tell."""
    why: dict[str, str] = {}
    """By box: why its value is what it is, where it differs."""
    declared: str = ""
    """The scenario's own words about the difference."""


class Certificate(BaseModel):
    """What the boxes of one scenario share, and what not."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scenario: str
    boxes: dict[str, str]
    """Those that were looked into, with the time of the look."""
    silent: dict[str, str] = {}
    """Those without an agent, and what that means."""
    findings: tuple[Finding, ...]

    @property
    def equal(self) -> bool:
        """Whether nothing differs that must be equal and was not declared."""
        return not any(finding.status == "unequal" for finding in self.findings)

    def finding(self, fact: FactName) -> Finding | None:
        """The finding about one fact."""
        return next((finding for finding in self.findings if finding.fact == fact), None)
