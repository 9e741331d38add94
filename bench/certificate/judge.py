"""Makes a certificate from inspections of boxes, and refuses boxes that are not equal. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.certificate.facts import FACT, FACTS, Fact, agrees, proves
from bench.certificate.reasons import why
from bench.records.certificate import Certificate, Finding, Inspection, Status
from bench.scenario.allowed_differences import FactName
from bench.util.errors import NotEqualError


def judge(
    scenario: str, inspections: Sequence[Inspection], asked: Mapping[FactName, str], declared: Mapping[FactName, str]
) -> Certificate:
    """The certificate of a scenario: every box compared with what was requested.

    Args:
        inspections: one per box, including boxes without an agent.
        asked: the requested values, in canonical form, of all facts that must be equal.
        declared: the differences that the scenario allows, with reasons.
    """
    inside = [one for one in inspections if not one.silent]
    return Certificate(
        scenario=scenario,
        boxes={one.box: one.inspected_at for one in inside},
        silent={one.box: one.silent for one in inspections if one.silent},
        findings=tuple(_finding(fact, inside, asked.get(fact.name), declared) for fact in FACTS),
    )


def refuse_unequal(certificates: Sequence[Certificate]) -> None:
    """Raise NotEqualError when boxes of a scenario differ in facts that must be equal.

    The error names the facts, their values and the boxes.
    """
    unequal = [certificate for certificate in certificates if not certificate.equal]
    if not unequal:
        return
    facts = [finding.fact for certificate in unequal for finding in certificate.findings if finding.status == "unequal"]
    raise NotEqualError(
        "; ".join(_describe(certificate) for certificate in unequal),
        hint="find the cause in that box's target or options; to allow the difference, declare it in the scenario: "
        f"allowed_differences: {{{facts[0]}: why}}",
    )


def difference(fact: FactName, asked: str, seen: str) -> tuple[str, str]:
    """The differing parts of two canonical values, formatted for reports. For most facts these are the values."""
    show = FACT[fact].show
    if fact != "env":
        return show(asked), show(seen)
    wanted, found = asked.split(" "), seen.split(" ")
    missing = [word for word in wanted if not any(agrees("env", word, other) for other in found)]
    extra = [word for word in found if not any(agrees("env", other, word) for other in wanted)]
    return " ".join(missing) or "no such variable", " ".join(extra) or "no such variable"


def _finding(
    fact: Fact, inspections: Sequence[Inspection], asked: str | None, declared: Mapping[FactName, str]
) -> Finding:
    seen = {one.box: fact.read(one.facts | ({"digest": one.digest} if one.digest else {})) for one in inspections}
    status = _judged(fact.name, asked, seen) if fact.must and asked is not None else _reported(seen)
    if status in ("unequal", "unknown") and fact.name in declared:
        status = "declared"
    explained = status not in ("equal", "same")
    return Finding(
        fact=fact.name,
        must=fact.must,
        status=status,
        asked=asked,
        seen=seen,
        why={one.box: why(fact.name, one.kind) for one in inspections if seen[one.box] is not None and explained},
        declared=declared.get(fact.name, ""),
    )


def _judged(name: FactName, asked: str, seen: Mapping[str, str | None]) -> Status:
    known = [value for value in seen.values() if value is not None and proves(name, asked, value)]
    if not all(agrees(name, asked, value) for value in known):
        return "unequal"
    return "equal" if len(known) == len(seen) else "unknown"


def rejudged(certificate: Certificate) -> Certificate:
    """A stored certificate judged by the current rules, which may decide what was unknown. The values stay."""
    return certificate.model_copy(update={"findings": tuple(map(_again, certificate.findings))})


def _again(finding: Finding) -> Finding:
    if finding.status != "unknown" or finding.asked is None:
        return finding
    return finding.model_copy(update={"status": _judged(finding.fact, finding.asked, finding.seen)})


def _reported(seen: Mapping[str, str | None]) -> Status:
    return "same" if len(set(seen.values())) <= 1 else "differs"


def _describe(certificate: Certificate) -> str:
    parts = [part for finding in certificate.findings for part in _deviations(finding)]
    return f"{certificate.scenario}: the boxes are not equal: {'; '.join(parts)}"


def _deviations(finding: Finding) -> list[str]:
    if finding.status != "unequal" or finding.asked is None:
        return []
    title = FACT[finding.fact].title
    found = []
    for box, value in finding.seen.items():
        if (
            value is not None
            and proves(finding.fact, finding.asked, value)
            and not agrees(finding.fact, finding.asked, value)
        ):
            wanted, seen = difference(finding.fact, finding.asked, value)
            found.append(f"{title} in {box} is {seen}, asked for {wanted}")
    return found
