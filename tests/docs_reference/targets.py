"""The page of all targets with their needs, limits and options."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from bench.scenario.option_meanings import option_meaning
from bench.scenario.options import Choice, PathOption, values_of
from bench.scenario.target_table import TARGETS, Arrival, TargetInfo
from bench.util.units import format_bytes
from tests.docs_reference.markdown import code, page, shown, table

_INTRO: Final = (
    "[Targets and their options](targets.md) says how to write them. `boxbench targets` says which of them this host "
    "can run, and why not the rest."
)
_ARRIVALS: Final[Mapping[Arrival | None, str]] = {
    None: "not possible",
    "layers": "layers, from a registry",
    "tree": "a packed tree",
    "disk": "a packed disk, a kernel, an initramfs",
    "disks": "packed disks of the system and of the image",
}


def text() -> str:
    """The page."""
    return page(
        "Targets",
        (_INTRO, ""),
        table(("target", "what it is", "needs"), ((code(name), shown(one.summary), one.needs) for name, one in _all())),
        ("## Limits", "", _LIMITS, ""),
        table(("target", "least memory", "most CPUs", "first start: what travels", "counted as", "note"), _limits()),
        ("## Options", "", "The first value is the default. A path is one of this host, from / on.", ""),
        table(("target", "option", "values", "meaning"), _options()),
    )


_LIMITS: Final = (
    "The least memory is what a scenario must give a box. [First starts](scenario.md#factors) are those with "
    "`cache: absent`. *Counted as* is the name under which `boxbench instructions` counts the target's starts, or "
    "those of a close relative."
)


def _all() -> Iterator[tuple[str, TargetInfo]]:
    yield from TARGETS.items()


def _limits() -> Iterator[tuple[str, ...]]:
    for name, one in _all():
        least = one.least_memory_bytes({})
        yield (
            code(name),
            "" if least is None else format_bytes(least),
            "" if one.most_cpus is None else str(one.most_cpus),
            _ARRIVALS[one.arrives_as],
            code(one.counted_as or "") or "not counted",
            shown(one.caveat) or ("" if one.has_agent else "no workload and no agent run in it"),
        )


def _options() -> Iterator[tuple[str, ...]]:
    for name, one in _all():
        for option, choice in one.options.items():
            yield code(name), code(option), _values(choice), shown(option_meaning(name, option))


def _values(choice: Choice) -> str:
    if isinstance(choice, PathOption):
        called = "" if choice.name == "*" else f" called {code(choice.name)}"
        return f"path of a {choice.kind}{called}" + (f"; needs {code(choice.needs)}" if choice.needs else "")
    return ", ".join(code(str(value).lower() if isinstance(value, bool) else str(value)) for value in values_of(choice))
