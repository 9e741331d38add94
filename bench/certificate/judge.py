"""Looks into boxes to a certificate, and its refusal: pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.certificate.facts import FACT, FACTS, Fact, agrees, proves
from bench.certificate.reasons import why
from bench.records.certificate import Certificate, Finding, Inspection, Status
from bench.scenario.allowed_differences import FactName
from bench.util.errors import NotEqualError


def judge(
    scenario: str, inspections: Sequence[Inspection], asked: Mapping[FactName, str], differs: Mapping[FactName, str]
) -> Certificate:
    """Compare every box with what was asked for, and report the rest.

    Args:
        inspections: one per box, also for boxes without an agent.
        asked: canonical values of all facts that must be equal.
        differs: what the scenario declares, with its reasons.
    """
    inside = [inspection for inspection in inspections if not inspection.silent]
    return Certificate(
        scenario=scenario,
        boxes={inspection.box: inspection.inspected_at for inspection in inside},
        silent={inspection.box: inspection.silent for inspection in inspections if inspection.silent},
        findings=tuple(_finding(fact, inside, asked.get(fact.name), differs) for fact in FACTS),
    )


def refuse_unequal(certificates: Sequence[Certificate]) -> None:
    """Raise NotEqualError when boxes of a scenario differ in what must be equal, naming facts, values and boxes."""
    unequal = [certificate for certificate in certificates if not certificate.equal]
    if not unequal:
        return
    facts = [finding.fact for certificate in unequal for finding in certificate.findings if finding.status == "unequal"]
    raise NotEqualError(
        "; ".join(_in_words(certificate) for certificate in unequal),
        hint="find out what gives that box something else; a difference that is meant is declared in the scenario: "
        f"allowed_differences: {{{facts[0]}: why}}",
    )


def difference(fact: FactName, asked: str, seen: str) -> tuple[str, str]:
    """The parts of two canonical values that differ, for people; for most facts the values themselves."""
    show = FACT[fact].show
    if fact != "env":
        return show(asked), show(seen)
    wanted, found = asked.split(" "), seen.split(" ")
    missing = [word for word in wanted if not any(agrees("env", word, other) for other in found)]
    extra = [word for word in found if not any(agrees("env", other, word) for other in wanted)]
    return " ".join(missing) or "no such variable", " ".join(extra) or "no such variable"


def _finding(
    fact: Fact, inspections: Sequence[Inspection], asked: str | None, differs: Mapping[FactName, str]
) -> Finding:
    seen = {
        inspection.box: fact.read(inspection.facts | ({"digest": inspection.digest} if inspection.digest else {}))
        for inspection in inspections
    }
    status = _judged(fact.name, asked, seen) if fact.must and asked is not None else _reported(seen)
    if status in ("unequal", "unknown") and fact.name in differs:
        status = "declared"
    explained = status not in ("equal", "same")
    return Finding(
        fact=fact.name,
        must=fact.must,
        status=status,
        asked=asked,
        seen=seen,
        why={
            inspection.box: why(fact.name, inspection.kind)
            for inspection in inspections
            if seen[inspection.box] is not None and explained
        },
        declared=differs.get(fact.name, ""),
    )


def _judged(name: FactName, asked: str, seen: Mapping[str, str | None]) -> Status:
    told = [value for value in seen.values() if value is not None and proves(name, asked, value)]
    if not all(agrees(name, asked, value) for value in told):
        return "unequal"
    return "equal" if len(told) == len(seen) else "unknown"


def rejudged(certificate: Certificate) -> Certificate:
    """A stored certificate by today's rules: what could not be told then may be by now. What was seen stays."""
    return certificate.model_copy(update={"findings": tuple(map(_again, certificate.findings))})


def _again(finding: Finding) -> Finding:
    if finding.status != "unknown" or finding.asked is None:
        return finding
    return finding.model_copy(update={"status": _judged(finding.fact, finding.asked, finding.seen)})


def _reported(seen: Mapping[str, str | None]) -> Status:
    return "same" if len(set(seen.values())) <= 1 else "differs"


def _in_words(certificate: Certificate) -> str:
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
