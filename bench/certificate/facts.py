"""The facts of a certificate: how each is read from an agent's report, compared and formatted.

Facts are compared in a canonical form, which is text. ``argv`` and ``env`` are percent-encoded words joined by
blanks; a value that the agent had to cut ends in CUT. ``memory`` names its source: ``limit N`` (control group),
``ram N`` (the firmware's memory map, which is a VM's size) or ``usable N`` (what the kernel has left, which proves no
size), each in bytes.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bench.agent.boxconf import AGENT_IN_BOX, decode_word, encode_word
from bench.agent.protocol import CUT as CUT_KEY
from bench.scenario.allowed_differences import FactName
from bench.scenario.secrets import hide, secret_values, shown
from bench.util.errors import ProtocolError
from bench.util.units import decode_number, format_bytes

IDLE: Final = (AGENT_IN_BOX, "idle")
"""The command of an inspected box. The workload's argv follows it and is not run."""
CUT: Final = "…"
"""Ends a value that the agent cut. Encoded words never contain this character."""
RAM_TOLERANCE_BYTES: Final = 4 * 2**20
"""How much of a VM's memory firmware may keep: the hole below 1 MiB, ACPI tables, UEFI. 384 KiB to 3 MiB were seen."""

Raw = Mapping[str, str]


@dataclass(frozen=True)
class Fact:
    """One fact.

    Attributes:
        title: its name in reports.
        must: whether it must be equal in all boxes.
        read: from an agent's report, the canonical value; None when it was not reported.
        show: formats a canonical value for reports.
    """

    name: FactName
    title: str
    must: bool
    read: Callable[[Raw], str | None]
    show: Callable[[str], str]


def agrees(name: FactName, asked: str, seen: str) -> bool:
    """Whether a canonical value is the requested one."""
    if name == "memory":
        return _memory_agrees(asked, seen)
    if name in ("argv", "env"):
        wanted, found = asked.split(" "), seen.split(" ")
        return len(wanted) == len(found) and all(map(_word_agrees, wanted, found))
    return asked == seen


def proves(name: FactName, asked: str, seen: str) -> bool:
    """Whether a value can be judged.

    The memory that a kernel has left does not prove a size, unless it is the whole size, as under gVisor.
    """
    return name != "memory" or not seen.startswith("usable ") or agrees(name, asked, seen)


def canonical_words(words: tuple[str, ...], secrets: Sequence[str] = ()) -> str:
    """The canonical form of a command. ``secrets`` are left out, as from the facts of a box."""
    return hide(" ".join(encode_word(word) for word in words), map(encode_word, secrets))


def canonical_env(entries: tuple[str, ...]) -> str:
    """The canonical form of ``NAME=VALUE`` entries: sorted, since programs cannot rely on their order.

    Secret values are left out, as from the facts of a box.
    """
    secrets = secret_values(entries)
    pairs = ((name, hide(shown(name, value), secrets)) for name, _, value in (one.partition("=") for one in entries))
    return " ".join(sorted(f"{encode_word(name)}={encode_word(value)}" for name, value in pairs))


def _word_agrees(wanted: str, found: str) -> bool:
    return wanted.startswith(found[: -len(CUT)]) if found.endswith(CUT) else wanted == found


def _memory_agrees(asked: str, seen: str) -> bool:
    kind, _, text = seen.partition(" ")
    size, found = int(asked.partition(" ")[2]), decode_number(text)
    if found is None:
        return False
    return size - RAM_TOLERANCE_BYTES <= found <= size if kind == "ram" else found == size


def _raw(key: str) -> Callable[[Raw], str | None]:
    return lambda facts: facts.get(key)


def _argv(facts: Raw) -> str | None:
    whole, cut = facts.get("argv"), facts.get(f"argv{CUT_KEY}")
    text = whole if whole is not None else None if cut is None else cut + CUT
    return None if text is None else text.removeprefix(" ".join(IDLE) + " ")


def _env(facts: Raw) -> str | None:
    entries = []
    for key, value in facts.items():
        name = key.removeprefix("env.")
        if name == key:
            continue
        whole = name.removesuffix(CUT_KEY)
        entries.append(f"{whole}={encode_word(value)}{CUT if whole != name else ''}")
    # Every image has a PATH, so no variable at all means that the agent did not report them.
    return " ".join(sorted(entries)) or None


def _groups(facts: Raw) -> str | None:
    text = facts.get("groups")
    numbers = {decode_number(word) for word in (text or "").split()}
    if text is None or None in numbers:
        return text
    return " ".join(map(str, sorted(number for number in numbers if number is not None)))


def _memory(facts: Raw) -> str | None:
    for kind, key in (("limit", "memory_limit_bytes"), ("ram", "ram_bytes"), ("usable", "mem_total_bytes")):
        if key in facts:
            return f"{kind} {facts[key]}"
    return None


def _as_is(value: str) -> str:
    return value


def _bytes(value: str) -> str:
    size = decode_number(value)
    return value if size is None else format_bytes(size)


def _show_memory(value: str) -> str:
    kind, _, text = value.partition(" ")
    words = {"limit": "limit", "ram": "RAM", "usable": "usable"}
    return f"{_bytes(text)} {words[kind]}" if kind in words else value


def _show_digest(value: str) -> str:
    return value[:12]


def _show_argv(value: str) -> str:
    try:
        words = [decode_word(word) for word in value.removesuffix(CUT).split(" ")]
    except ProtocolError:  # cut in the middle of a byte, or not from our agent
        return value
    return shlex.join(words) + CUT * value.endswith(CUT)


def _show_env(value: str) -> str:
    count = len(value.split(" "))
    return f"{count} variable{'s' * (count != 1)}"


def _show_caps(value: str) -> str:
    try:
        count = int(value, 16).bit_count()
    except ValueError:
        return value
    return f"{count} ({value.lstrip('0') or '0'})"


_SECCOMP: Final = {"0": "off", "1": "strict", "2": "filter"}
_YES: Final = {"0": "no", "1": "yes"}

FACTS: Final = (
    Fact("digest", "tree digest", True, _raw("digest"), _show_digest),
    Fact("argv", "command", True, _argv, _show_argv),
    Fact("env", "environment", True, _env, _show_env),
    Fact("uid", "user", True, _raw("uid"), _as_is),
    Fact("gid", "group", True, _raw("gid"), _as_is),
    Fact("groups", "groups", True, _groups, _as_is),
    Fact("cwd", "directory", True, _raw("cwd"), _as_is),
    Fact("cpus", "CPUs", True, _raw("cpus"), _as_is),
    Fact("memory", "memory", True, _memory, _show_memory),
    Fact("memory_usable", "usable memory", False, _raw("mem_total_bytes"), _bytes),
    Fact("kernel", "kernel", False, _raw("kernel"), _as_is),
    Fact("machine", "machine", False, _raw("machine"), _as_is),
    Fact("hostname", "host name", False, _raw("hostname"), _as_is),
    Fact("cgroup_version", "cgroup version", False, _raw("cgroup_version"), _as_is),
    Fact("clocksource", "clock source", False, _raw("clocksource"), _as_is),
    Fact("mounts", "mounts", False, _raw("mounts"), _as_is),
    Fact("cap_eff", "capabilities", False, _raw("cap_eff"), _show_caps),
    Fact("cap_bnd", "capability bound", False, _raw("cap_bnd"), _show_caps),
    Fact("seccomp", "seccomp", False, _raw("seccomp"), lambda value: _SECCOMP.get(value, value)),
    Fact("no_new_privs", "no new privileges", False, _raw("no_new_privs"), lambda value: _YES.get(value, value)),
)
RAW_KEYS: Final = frozenset(
    {
        "argv",
        "cap_bnd",
        "cap_eff",
        "cgroup_version",
        "clocksource",
        "cpus",
        "cwd",
        "digest",
        "gid",
        "groups",
        "hostname",
    }
    | {"kernel", "machine", "mem_total_bytes", "memory_limit_bytes", "mounts", "no_new_privs", "ram_bytes", "seccomp"}
    | {"uid"}
)
"""The keys of an agent's report from which facts are read, beside ``env.*``."""
FACT: Final = {fact.name: fact for fact in FACTS}
