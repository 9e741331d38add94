"""A law as people write it: ``poisson:rate=10,duration=200ms,length=60min``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from bench.sim.traces.generate import MOST_DURATION_NS, SLOT_NS, Bursts, Diurnal, Generated, Poisson, Rate, zipf_rates
from bench.sim.traces.trace import TraceError
from bench.util.numbers import plain_number
from bench.util.units import decode_number, parse_duration_ns, parse_size

LAWS: Final[Mapping[str, str]] = {
    "poisson": "poisson:rate=10,duration=200ms,length=60min",
    "bursts": "bursts:rate=10,duration=200ms,length=60min,on=30s,off=5min",
    "diurnal": "diurnal:rate=10,duration=200ms,length=1440min,swing=0.8",
}
"""Each with an example."""
LEAST_INVOCATIONS: Final = 1
"""On average. Nothing can be said about users of a trace without any."""
MOST_INVOCATIONS: Final = 10**9
MOST_SLOTS: Final = 10**9
"""Minutes of all functions together: each has a random number, however low the rate is."""
MOST_TURNS: Final = 10**6
"""Bursts of one function."""
MOST_TURNS_OF_ALL: Final = 10**7
_MOST_RATE: Final = 250_000
"""Invocations of a minute are in memory together; see ``generate.MOST_AT_ONCE``."""
_LEAST_RATE: Final = 1e-12
"""A lower one is below 1 invocation in any length that a law can have."""
_MOST_MEMORY: Final = 2**50
_TIME: Final = f"a time of at most {MOST_DURATION_NS // 10**9}s"

Number = int | float


def _number(text: str) -> float:
    value = plain_number(text.strip())
    if value is None:
        raise ValueError(f"{text!r} is not a number")
    return value


def _whole(text: str) -> int:
    value = decode_number(text.strip())
    if value is None:
        raise ValueError(f"{text!r} is not a whole number")
    return value


class _Key(NamedTuple):
    parse: Callable[[str], Number]
    usual: str
    """What holds when the key is not given; empty: nothing."""
    least: Number
    most: Number
    expected: str
    """Of an error."""
    law: str = ""
    """The only law that has it; empty: all have it."""


_KEYS: Final[Mapping[str, _Key]] = {
    "rate": _Key(_number, "10", _LEAST_RATE, _MOST_RATE, f"more than 0, and at most {_MOST_RATE} per second"),
    "functions": _Key(_whole, "1", 1, 100_000, "1 to 100000"),
    "zipf": _Key(_number, "0", 0, 10, "0 to 10"),
    "duration": _Key(parse_duration_ns, "", 0, MOST_DURATION_NS, _TIME),
    "duration_sd": _Key(_number, "0", 0, 10, "0 to 10"),
    "length": _Key(parse_duration_ns, "60min", 1, MOST_DURATION_NS, f"{_TIME}, and not 0"),
    "memory": _Key(parse_size, "", 0, _MOST_MEMORY, f"a size of at most {_MOST_MEMORY // 2**30}GiB"),
    "on": _Key(parse_duration_ns, "", 1, MOST_DURATION_NS, f"{_TIME}, and not 0", "bursts"),
    "off": _Key(parse_duration_ns, "", 1, MOST_DURATION_NS, f"{_TIME}, and not 0", "bursts"),
    "swing": _Key(_number, "", 0, 1, "0 to 1", "diurnal"),
}
_OPTIONAL: Final = ("memory",)


def is_law(text: str) -> bool:
    """Whether a name of a trace is a law, right or wrong."""
    return text.partition(":")[0] in LAWS


def read_law(text: str) -> Generated:
    """The invocations of a law.

    Raises:
        TraceError: an unknown key, one given twice, a missing one, a value outside its limits, less than
            ``LEAST_INVOCATIONS`` or more than ``MOST_INVOCATIONS`` invocations, more than ``MOST_TURNS`` bursts of a
            function.
    """
    law, _, words = text.partition(":")
    given = _given(text, law, words)
    found = {
        name: _value(law, name, given.get(name, key.usual))
        for name, key in _KEYS.items()
        if _has(law, name) and (name in given or name not in _OPTIONAL)
    }
    functions, length_ns = int(found["functions"]), int(found["length"])
    _check_size(law, found["rate"], functions, length_ns)
    memory = found.get("memory")
    return Generated(
        rate=_rate(law, found, functions, length_ns),
        rates_per_s=zipf_rates(found["rate"], functions, exponent=found["zipf"]),
        duration_ns=(int(found["duration"]),) * functions,
        duration_sd=found["duration_sd"],
        length_ns=length_ns,
        function_memory_bytes=None if memory is None else (int(memory),) * functions,
    )


def _has(law: str, name: str) -> bool:
    return _KEYS[name].law in ("", law)


def _given(text: str, law: str, words: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for item in filter(None, words.split(",")):
        name, equals, value = item.partition("=")
        known = [one for one in _KEYS if _has(law, one)]
        if name not in known or not equals:
            raise TraceError(f"{text}: {item!r} is not one of {', '.join(known)} with a value", hint=_example(law))
        if name in found:
            raise TraceError(f"{text}: {name} is given twice", hint=_example(law))
        found[name] = value
    return found


def _value(law: str, name: str, text: str) -> Number:
    key = _KEYS[name]
    if not text:
        raise TraceError(f"{law}: {name} is missing", hint=_example(law))
    try:
        value = key.parse(text)
    except ValueError as error:
        raise TraceError(f"{law}: {name}: {error}", hint=_example(law)) from None
    if not key.least <= value <= key.most:
        raise TraceError(f"{law}: {name} is {text!r}; expected {key.expected}", hint=_example(law))
    return value


def _example(law: str) -> str:
    return f"write it like {LAWS[law]}"


def _check_size(law: str, rate_per_s: float, functions: int, length_ns: int) -> None:
    count, slots = rate_per_s * length_ns / 1e9, functions * length_ns / SLOT_NS
    if count < LEAST_INVOCATIONS:
        raise TraceError(
            f"{law}: the rate times the length are {count:.3g} invocations, less than {LEAST_INVOCATIONS}: "
            "there may be none at all",
            hint="ask for a higher rate or a longer length",
        )
    if count > MOST_INVOCATIONS:
        raise TraceError(
            f"{law}: the rate times the length are {count:.3g} invocations, more than {MOST_INVOCATIONS:.0e}",
            hint="ask for a lower rate or a shorter length",
        )
    if slots > MOST_SLOTS:
        raise TraceError(
            f"{law}: {functions} functions times the length are {slots:.3g} min, more than {MOST_SLOTS:.0e}",
            hint="ask for fewer functions or a shorter length",
        )


def _rate(law: str, found: Mapping[str, Number], functions: int, length_ns: int) -> Rate:
    if law == "diurnal":
        return Diurnal(swing=found["swing"])
    if law == "poisson":
        return Poisson()
    turns = length_ns / (found["on"] + found["off"])
    for count, most, whose in (
        (turns, MOST_TURNS, "of a function"),
        (turns * functions, MOST_TURNS_OF_ALL, "of all functions"),
    ):
        if count > most:
            raise TraceError(
                f"{law}: the trace would have {count:.3g} bursts {whose}, more than {most}",
                hint="ask for longer bursts and pauses, or a shorter length",
            )
    return Bursts(on_ns=int(found["on"]), off_ns=int(found["off"]), length_ns=length_ns)
