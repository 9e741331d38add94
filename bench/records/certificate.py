"""What was seen inside boxes, and the judgement on it: frozen values that travel in a campaign's manifest."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from bench.scenario.allowed_differences import FactName
from bench.scenario.fields import Label
from bench.scenario.target_table import Kind

Status = Literal["equal", "unequal", "declared", "unknown", "same", "differs"]
"""Of a fact that must be equal: ``equal``, ``unequal``, ``declared`` (it differs, and the scenario declares it) or
``unknown`` (a box has no value, and the others agree). Of a fact that is only reported: ``same``, ``differs``."""


class Inspection(BaseModel):
    """One idle box, seen from inside."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    box: Label
    kind: Kind
    inspected_at: str
    """ISO 8601, UTC. May be before the campaign: an inspection is cached until something it depends on changes."""
    facts: dict[str, str] = {}
    """By name, as the agent sent them."""
    digest: str | None = None
    """Of the tree, computed in the box. None when the scenario declares that it differs, or the box has no agent."""
    silent: str = ""
    """Why there is nothing to compare; empty when there is something."""


class Finding(BaseModel):
    """One fact, compared over all boxes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fact: FactName
    """Its name."""
    must: bool
    """Whether it has to be equal; otherwise it is only reported."""
    status: Status
    """The judgement on it."""
    asked: str | None
    """The value that every box should have; None for facts that are only reported."""
    seen: dict[Label, str | None]
    """By box, in the canonical form of ``bench.certificate.facts``; None when the box sent no value."""
    why: dict[Label, str] = {}
    """By box whose value differs: the reason."""
    declared: str = ""
    """The reason that the scenario gives for the difference."""


class Certificate(BaseModel):
    """Which facts the boxes of one scenario share, and which differ."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scenario: str
    """The scenario's name."""
    boxes: dict[Label, str]
    """The boxes that were inspected, with the time of the inspection."""
    silent: dict[Label, str] = {}
    """The boxes without an agent, with the consequence."""
    findings: tuple[Finding, ...]
    """One for each fact that was compared."""

    @property
    def equal(self) -> bool:
        """Whether all facts that must be equal are equal or declared to differ."""
        return not any(finding.status == "unequal" for finding in self.findings)

    def finding(self, fact: FactName) -> Finding | None:
        """The finding about one fact; None when it was not compared."""
        return next((finding for finding in self.findings if finding.fact == fact), None)
