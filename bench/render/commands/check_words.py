"""What a check says in plain words: the headline, and what each verdict means and asks for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from bench.render.text import clean
from bench.sim.check.baselines import CPU_ONLY, SHARED
from bench.sim.check.coverage import Coverage, Limits
from bench.sim.check.result import Check, LevelError, Skill, TargetCheck
from bench.sim.check.verdict import Verdict

_PHRASES: Final = {
    Verdict.EXPLAINED: "{usable}, off by {error}, as close as storms repeat",
    Verdict.BETTER: "{usable}, off by {error}, and better than CPU time alone",
    Verdict.CPU: "{usable}, off by {error}, but {rival} predicts as well, so nothing is said about locks",
    Verdict.LINE: "{usable}, off by {error}, but a line through the fitted storms predicts as well, so it is enough",
    Verdict.CONSTANT: "{usable}, off by {error}, but a single start predicts as well, so nothing is said about storms",
    Verdict.TOO_FAR: "better than CPU time alone, but off by {error}: quote no numbers",
    Verdict.NO_BETTER: "not usable, off by {error}, and no better than a simpler rule",
    Verdict.WORSE: "not usable, CPU time alone predicts better",
    Verdict.CANNOT_TELL: "cannot tell yet, off by {error}",
}
"""After the names of targets in the headline."""
_NARROW: Final = "better than CPU time alone, off by {error}, but bands are far too narrow: quote none"
"""Of TOO_FAR where the errors are within their limits."""
_AS_WELL, _BETTER = "predicts as well", "predicts better"

_ADVICE: Final = {
    Verdict.EXPLAINED: "Use it: no model can be closer to these storms.",
    Verdict.BETTER: "Use it with its bands.",
    Verdict.CPU: "Use it for storms like these. It is no evidence of a lock: a host with more CPUs would show one.",
    Verdict.LINE: "Use it for storms like these. Larger storms would show whether its parts are right.",
    Verdict.CONSTANT: "Storms of these sizes hardly hinder each other: measure larger ones, and check again.",
    Verdict.TOO_FAR: "Do not quote its numbers at these sizes: fit larger storms too.",
    Verdict.NO_BETTER: "Do not use this target of the model: fit larger storms too, or leave it out with -t.",
    Verdict.WORSE: "Do not use this target of the model: CPU time alone says more. Fit larger storms too.",
    Verdict.CANNOT_TELL: "Measure what is missing, and check again.",
}
"""What the verdict asks for."""
_DOUBTED_ADVICE: Final = "More storms do not help: quote no numbers for other boxes, CPUs or schedules."
_NARROW_ADVICE: Final = "Its middle is usable, and its bands are not."


def headline(found: Check) -> str:
    """The verdicts in one sentence."""
    return "; ".join(headline_parts(found)) or "nothing was scored"


def headline_parts(found: Check) -> tuple[str, ...]:
    """The same by what is said, in the order of the targets."""
    groups: dict[str, list[TargetCheck]] = {}
    for target in found.targets:
        if target.verdict is not None:
            groups.setdefault(_phrase(target), []).append(target)
    parts = [f"{_labels(some)}: {phrase.format(error=_errors(some))}" for phrase, some in groups.items()]
    return (*parts, *_cpu_parts(found), *_memory_parts(found))


def _labels(targets: Sequence[TargetCheck]) -> str:
    return ", ".join(clean(target.label) for target in targets)


def _phrase(target: TargetCheck) -> str:
    """What is said of it, with a place for its error."""
    verdict = target.verdict or Verdict.CANNOT_TELL
    if _is_narrow(target):
        return _NARROW
    # The place of the error stays: it is filled in for a group of targets.
    usable = "usable for times" if _is_cpu_off(target) else "usable"
    phrase = _PHRASES[verdict].replace("{rival}", _rival(target)).replace("{usable}", usable)
    return phrase.replace(_AS_WELL, _BETTER) if target.beaten_by else phrase


def _is_narrow(target: TargetCheck) -> bool:
    within = target.error is not None and target.limit is not None and target.error <= target.limit
    return target.verdict is Verdict.TOO_FAR and within and not target.misses


def _rival(target: TargetCheck) -> str:
    """The simplest rule with CPU time that is as good."""
    equal = target.beaten_by or target.as_good
    if SHARED in equal:
        return "sharing CPUs alone"
    return "CPU time alone" if CPU_ONLY in equal else "CPU time with the spread of single starts"


def _errors(targets: Sequence[TargetCheck]) -> str:
    """Of times, in the order of the targets."""
    return _listed([_worst(target.error or 0.0, target.by_level) for target in targets])


def _worst(pooled: float, levels: Sequence[LevelError]) -> float:
    """The pooled error, or that at the largest storms if it is worse."""
    return max([pooled, *(one.error for one in levels if one.largest)])


def _listed(errors: Sequence[float]) -> str:
    """``9%``, or ``8% and 9%`` if they differ."""
    shown = [f"{error:.0%}" for error in errors]
    return shown[0] if len(set(shown)) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def _is_cpu_off(target: TargetCheck) -> bool:
    return target.cpu is not None and target.cpu.is_off


def _cpu_parts(found: Check) -> Iterator[str]:
    off = [target for target in found.targets if _is_cpu_off(target)]
    if off:
        errors = _listed([_worst(target.cpu.error, target.cpu.by_level) for target in off if target.cpu is not None])
        worse = all(target.cpu is not None and target.cpu.verdict == "worse than a single start" for target in off)
        word = ", and that of a single start is closer" if worse else ""
        yield f"{_labels(off)}: not usable for the CPU time of starts, off by {errors}{word}"


def _memory_parts(found: Check) -> Iterator[str]:
    """Targets whose memory is missed; all words on memory where nothing else was scored."""
    missed = [target for target in found.targets if any(score.verdict == "missed" for score in target.memory)]
    if missed:
        yield f"{_labels(missed)}: memory missed"
    if all(target.verdict is None for target in found.targets):
        for target in found.targets:
            words = dict.fromkeys(str(score.verdict) for score in target.memory if score.verdict != "missed")
            yield from (f"{clean(target.label)}: memory {word}" for word in words)


def verdict_sentences(target: TargetCheck) -> Iterator[str]:
    """The verdict with its reason and what it asks for; none where no storm was scored."""
    if target.verdict is None:
        return
    ceiling = "" if target.ceiling is None else f" Noise ceiling {target.ceiling:.0%}."
    advice = _NARROW_ADVICE if _is_narrow(target) else _ADVICE[target.verdict]
    if target.warnings and target.verdict is Verdict.CANNOT_TELL:
        advice = _DOUBTED_ADVICE
    yield f"{clean(target.label)}: {target.verdict}. {capital(target.why)}.{ceiling} {advice}"


def score_sentences(target: TargetCheck) -> Iterator[str]:
    """Its errors by level, its CPU time, its skills and its coverage."""
    if target.by_level:
        yield f"error of times: {_by_level(target.by_level)}"
    if target.cpu is not None:
        skills = "".join(f"; skill over {_skill(one)}" for one in target.cpu.skills[:1])
        yield f"CPU time of a start: {target.cpu.verdict}; error: {_by_level(target.cpu.by_level)}{skills}"
    if target.skills:
        yield "skill over " + ", ".join(_skill(one) for one in target.skills)
    if target.coverage:
        word = "bands" if target.bands is None else f"bands: {target.bands.word}"
        yield f"{word}; {_holds(target.coverage)}"
    if target.coverage_within:
        yield f"without what they are widened by beyond the data: {_holds(target.coverage_within)}"


def _by_level(levels: Sequence[LevelError]) -> str:
    """``4 boxes 3% [2, 4], 8 boxes 11% [9, 13]; at most 15% is accepted``."""
    shown = ", ".join(f"{one.name} {share(one.error, one.interval)}" for one in levels)
    limits = sorted({f"{one.limit:.0%}" for one in levels if one.largest})
    return f"{shown}; at the largest at most {' or '.join(limits)} is accepted"


def share(value: float, limits: Limits | None) -> str:
    """``11% [9, 13]``."""
    text = f"{value:.0%}"
    return text if limits is None else f"{text} [{limits.low * 100:.0f}, {limits.high * 100:.0f}]"


def capital(text: str) -> str:
    """The text with a capital letter."""
    return text[:1].upper() + text[1:]


def _skill(one: Skill) -> str:
    limits = "" if one.interval is None else f" [{one.interval.low:+.2f}, {one.interval.high:+.2f}]"
    return f"{one.baseline} {one.value:+.2f}{limits}"


def _holds(found: Sequence[Coverage]) -> str:
    parts = [f"the {one.level:.0%} band holds {share(one.hits / one.n, one.interval)}" for one in found]
    return f"{', '.join(parts)} of {found[0].n} values"
