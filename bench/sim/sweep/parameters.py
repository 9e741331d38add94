"""Parameters of questions: their kinds, their limits, and values of them in a file, a range or a distribution."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from scipy import special

from bench.sim.model.file import Model
from bench.sim.sweep.file import Law, Range, Scalar
from bench.util.errors import UsageError
from bench.util.units import format_bytes, format_span, parse_duration_ns, parse_size

Kind = Literal["count", "number", "duration", "bytes", "text"]
"""``count``: a whole number. ``duration`` and ``bytes``: whole numbers of ns and bytes, as in ``50ms``, ``64GiB``."""
Value = int | float | str
Values = Mapping[str, Value]
_MOST_CUT: Final = 0.1
"""The largest share of samples beyond a limit: with more of them the law is another one than the file says."""
_EXAMPLES: Final = {"duration": "50ms", "bytes": "64GiB"}


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One parameter of a question.

    Attributes:
        default: None: it must be given, unless it is derived.
        derived: its value when it is not given, from the parameters before it and the model; None: unknown.
        least: the smallest value; None of text.
    """

    kind: Kind
    help: str
    default: Value | None = None
    derived: Callable[[Mapping[str, Value], Model], Value | None] | None = None
    least: float | None = 0
    most: float = 2.0**62
    choices: tuple[str, ...] = ()
    """Of text; empty: any."""


def parse_value(name: str, parameter: Parameter, given: Scalar) -> Value:
    """A value as the question takes it. Raises UsageError: not of the parameter's kind, or outside its limits."""
    if parameter.kind == "text":
        if parameter.choices and given not in parameter.choices:
            raise UsageError(f"{name} is {given!r}", hint=f"expected is one of {', '.join(parameter.choices)}")
        return str(given)
    return _limited(name, parameter, _number(name, parameter, given))


def _number(name: str, parameter: Parameter, given: Scalar) -> float | int:
    if isinstance(given, str) and parameter.kind in _EXAMPLES:
        try:
            return parse_duration_ns(given) if parameter.kind == "duration" else parse_size(given)
        except ValueError as error:
            raise UsageError(f"{name}: {error}", hint=parameter.help) from None
    if isinstance(given, bool | str):
        raise UsageError(f"{name} is {given!r}, not a number", hint=parameter.help)
    if parameter.kind in _EXAMPLES and given != 0:
        example = _EXAMPLES[parameter.kind]
        raise UsageError(f"{name} is {given}, which has no unit", hint=f"write it like {example}; {parameter.help}")
    return given


def _limited(name: str, parameter: Parameter, value: float | int) -> float | int:
    if parameter.kind != "number":
        if value != round(value):
            raise UsageError(f"{name} is {value}, not a whole number", hint=parameter.help)
        value = round(value)
    if parameter.least is not None and value < parameter.least:
        raise UsageError(f"{name} is {value}, less than {parameter.least:g}", hint=parameter.help)
    if value > parameter.most:
        raise UsageError(f"{name} is {value}, more than {parameter.most:.12g}", hint=parameter.help)
    return value


def axis_values(name: str, parameter: Parameter, axis: Sequence[Scalar] | Range) -> tuple[Value, ...]:
    """The values of an axis, each once, in the order of the file. Raises UsageError."""
    if not isinstance(axis, Range):
        return tuple(dict.fromkeys(parse_value(name, parameter, one) for one in axis))
    low, high = (_end(name, parameter, end) for end in (axis.begin, axis.end))
    if axis.spacing == "log" and min(low, high) <= 0:
        raise UsageError(f"{name} from {axis.begin} to {axis.end} on a log scale", hint="both ends must be above 0")
    shares = [step / (axis.steps - 1) for step in range(axis.steps)]
    if axis.spacing == "log":
        found = [low * (high / low) ** share for share in shares]
    else:
        found = [low + (high - low) * share for share in shares]
    # The ends are what the file says, without rounding errors of the formula.
    found[0], found[-1] = float(low), float(high)
    whole = parameter.kind != "number"
    return tuple(dict.fromkeys(_limited(name, parameter, round(one) if whole else one) for one in found))


def _end(name: str, parameter: Parameter, given: Scalar) -> float:
    if parameter.kind == "text":
        raise UsageError(f"{name} is a text and has no range", hint="list its values")
    return float(parse_value(name, parameter, given))


def drawn_values(name: str, parameter: Parameter, law: Law, uniforms: Sequence[float]) -> tuple[list[Value], str]:
    """The values of a distribution at uniform numbers in (0, 1), and a sentence where some lay beyond a limit.

    Values beyond the parameter's limits are put on the limit, and values of other kinds than ``number`` are rounded.

    Raises:
        UsageError: the distribution's numbers are wrong, or more than a tenth of the samples lie beyond a limit.
    """
    if parameter.kind == "text":
        raise UsageError(f"{name} is a text and has no distribution", hint="put its values under axes")
    least = -math.inf if parameter.least is None else parameter.least
    drawn = [_LAWS[law.law](name, parameter, law, uniform) for uniform in uniforms]
    inside = [min(max(value, least), parameter.most) for value in drawn]
    outside = [value for value, kept in zip(drawn, inside, strict=True) if value != kept]
    values: list[Value] = [value if parameter.kind == "number" else round(value) for value in inside]
    if not outside:
        return values, ""
    share = f"{name}: {len(outside)} of {len(drawn)} samples of the law ({law.text()}) are"
    limits = f"outside {_shown(parameter, least)} to {_shown(parameter, parameter.most)}"
    if len(outside) > _MOST_CUT * len(drawn):
        raise UsageError(
            f"{share} {limits}",
            hint="use a smaller sd, or a law that stays inside, such as log-normal, uniform or log-uniform",
        )
    return values, f"{share} {limits}, and were put on the limit."


def _shown(parameter: Parameter, value: float) -> str:
    """A limit as people write it."""
    if parameter.kind == "duration":
        return format_span(value)
    return format_bytes(value) if parameter.kind == "bytes" else f"{value:.12g}"


def _uniform(name: str, parameter: Parameter, law: Law, uniform: float) -> float:
    low, high = _ends(name, parameter, law)
    return low + (high - low) * uniform


def _log_uniform(name: str, parameter: Parameter, law: Law, uniform: float) -> float:
    low, high = _ends(name, parameter, law)
    if low <= 0:
        raise UsageError(f"{name}: log-uniform from {law.low}", hint="low must be above 0")
    return low * math.pow(high / low, uniform)


def _ends(name: str, parameter: Parameter, law: Law) -> tuple[float, float]:
    low, high = (_given(name, parameter, end) for end in (law.low, law.high))
    if low >= high:
        raise UsageError(f"{name}: low is {law.low} and high is {law.high}", hint="low must be less than high")
    return low, high


def _normal(name: str, parameter: Parameter, law: Law, uniform: float) -> float:
    mean, spread = _given(name, parameter, law.mean), _sd(name, parameter, law.sd)
    return mean + spread * float(special.ndtri(uniform))


def _log_normal(name: str, parameter: Parameter, law: Law, uniform: float) -> float:
    # The standard deviation is of the logarithm: a number without a unit.
    spread = _sd(name, Parameter(kind="number", help=parameter.help), law.sd)
    median = _given(name, parameter, law.median)
    if median <= 0:
        raise UsageError(f"{name}: log-normal with the median {law.median}", hint="the median must be above 0")
    return median * (float(special.expm1(spread * float(special.ndtri(uniform)))) + 1)


def _sd(name: str, parameter: Parameter, given: Scalar | None) -> float:
    value = _given(name, parameter, given)
    if value < 0:
        raise UsageError(f"{name}: sd is {given}", hint="it cannot be below 0")
    return value


def _given(name: str, parameter: Parameter, given: Scalar | None) -> float:
    assert given is not None  # the file's own check
    return float(_number(name, parameter, given))


_LAWS = {"uniform": _uniform, "log-uniform": _log_uniform, "normal": _normal, "log-normal": _log_normal}
