"""box.conf, the agent's configuration, and the encoding of words and numbers on the agent's channel.

The agent (``bench/agent/boxinit``) has no other configuration. Each line is one directive. Words are percent-encoded,
so that a blank or a newline in an argument never splits a line and every byte of an argument is preserved.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_to_bytes

from bench.scenario.model import Ready, ReadyExit, ReadyFirstLine, ReadyHealthcheck, ReadyHttp, ReadyLog, ReadyTcp
from bench.util.errors import ProtocolError

DIRECTORY_IN_BOX: Final = "/.boxbench"
"""The directory of everything that Boxbench adds to a box."""
AGENT_IN_BOX: Final = f"{DIRECTORY_IN_BOX}/boxinit"
"""The agent's program, in every image."""
CHANNEL_IN_BOX: Final = f"{DIRECTORY_IN_BOX}/ch"
"""Where the directory with the agent's box.conf and FIFOs appears inside a container."""

HOSTNAME: Final = "boxbench"
"""Host name of every box, so that all boxes have the same environment. Engines would give a container its id."""

STOP_TIMEOUT_MS: Final = 10_000
"""Time between the stop signal and SIGKILL. It is the default of ``docker stop``."""
ENGINE_STOP_TIMEOUT_S: Final = STOP_TIMEOUT_MS // 1000 + 5
"""The same for engines. It is longer, so that the agent sends SIGKILL first and can still report the exit code."""

MOST_WORDS: Final = {"argv": 1024, "env": 2048, "groups": 256}
"""By field of ``BoxConfig``, how many words of it the agent takes (``conf.h``)."""
_CONF_BYTES: Final = 256 * 2**10
"""The largest box.conf that the agent reads (``conf.h``)."""
_RESERVED_BYTES: Final = 16 * 2**10
"""For the lines of a box.conf that do not come from an image."""
_WORD_BYTES: Final = 128 * 2**10
"""The longest argument or variable of a new program, with the byte that ends it; a limit of the kernel."""
MOST_TIMEOUT_MS: Final = 10**12
"""The longest time that the agent takes (``conf.h``): 31 years."""

_NOT_PLAIN: Final = re.compile(rb"[^A-Za-z0-9_./:=,@+-]")


@dataclass(frozen=True)
class HealthCheck:
    """The command that tells whether the workload is healthy: it exits with 0."""

    argv: tuple[str, ...]
    timeout_ms: int
    """How long one check may take. It then counts as failed, and all its processes are killed."""


@dataclass(frozen=True)
class BoxConfig:
    """What runs in a box and as which user: the image's configuration and the scenario's, resolved to plain values."""

    argv: tuple[str, ...]
    """The image's ENTRYPOINT, followed by the scenario's command or else the image's CMD."""
    env: tuple[str, ...]
    """``NAME=VALUE``: the whole environment, nothing is inherited."""
    cwd: str
    uid: int
    gid: int
    groups: tuple[int, ...]
    """Supplementary groups. ``gid`` is among them, as container engines do it."""
    user: str
    """As the image names it; empty for root."""
    stop_signal: int
    healthcheck: HealthCheck | None = None
    """None: there is none."""


def encode_word(text: str) -> str:
    """Percent-encode every byte outside ``A-Za-z0-9_./:=,@+-``."""
    raw = text.encode("utf-8", "surrogateescape")
    return _NOT_PLAIN.sub(lambda match: b"%%%02X" % match[0][0], raw).decode("ascii")


def decode_bytes(word: str) -> bytes:
    """Decode what ``encode_word`` encoded. The bytes need not be text.

    Raises:
        ProtocolError: a percent sign without two hexadecimal digits.
    """
    if re.search(r"%(?![0-9A-Fa-f]{2})", word):
        raise ProtocolError(
            f"{word[:80]!r} is not a percent-encoded word",
            hint="a program other than the agent wrote to the agent's channel, or the line was cut",
        )
    return unquote_to_bytes(word)


def decode_word(word: str, *, cut: bool = False) -> str:
    """Decode what ``encode_word`` encoded, as text that a record can hold: bytes that are not UTF-8 become U+FFFD.

    Args:
        cut: the agent has cut the text at some byte. An incomplete character at its end is then dropped.

    Raises:
        ProtocolError: as ``decode_bytes``.
    """
    return codecs.getincrementaldecoder("utf-8")("replace").decode(decode_bytes(word), final=not cut)


def render_boxconf(
    config: BoxConfig,
    ready: Ready | None,
    *,
    root: str | None = None,
    poweroff: str | None = None,
    hostname: str = HOSTNAME,
) -> bytes:
    """The box.conf of one box.

    Args:
        ready: when the workload counts as ready; None: as soon as it has been started.
        root: VM only. Device and file system type of the root, ``"/dev/vda ext4"``; None keeps the initramfs as root.
        poweroff: VM only. ``acpi``, or ``reboot`` for machines without ACPI.
        hostname: VM only. The host name that the agent sets.
    """
    lines = [f"argv {encode_word(word)}" for word in config.argv]
    lines += [f"env {encode_word(entry)}" for entry in config.env]
    lines.append(f"cwd {encode_word(config.cwd)}")
    lines.append(f"user {config.uid} {config.gid} {','.join(map(str, config.groups))}")
    lines.append(f"hostname {encode_word(hostname)}")
    lines.append(f"stop_signal {config.stop_signal}")
    lines.append(f"stop_timeout_ms {STOP_TIMEOUT_MS}")
    lines.append(f"ready {_ready(ready)}")
    if ready is not None:
        lines.append(f"poll_us {max(1, ready.poll // 1000)}")
    if isinstance(ready, ReadyHealthcheck):
        lines += _health(config.healthcheck)
    if root is not None:
        lines.append(f"root {root}")
    if poweroff is not None:
        lines.append(f"poweroff {poweroff}")
    return _text(lines)


def why_unusable(config: BoxConfig) -> str | None:
    """What no box can run of a configuration; None when it can run all of it. Nothing is cut without a word.

    The text has no value of a variable, since it may be secret.
    """
    health = config.healthcheck.argv if config.healthcheck is not None else ()
    counts = {"argv": max(len(config.argv), len(health)), "env": len(config.env), "groups": len(config.groups)}
    for field, count in counts.items():
        if count > MOST_WORDS[field]:
            return f"it has {count} {_NAMES[field]}, and boxes take at most {MOST_WORDS[field]}"
    words = [(f"word {number} of the command", word) for number, word in enumerate(config.argv, start=1)]
    words += [(f"the variable {entry.partition('=')[0][:40]!r}", entry) for entry in config.env]
    words += [("the working directory", config.cwd)]
    words += [(f"word {number} of the health check", word) for number, word in enumerate(health, start=1)]
    if any(entry.startswith("=") for entry in config.env):
        return "a variable of its environment has no name, which only some targets would accept"
    for what, word in words:
        size = len(word.encode("utf-8", "surrogateescape"))
        if "\0" in word:
            return f"{what} has a null byte, which would end it"
        if size >= _WORD_BYTES:
            return f"{what} has {size} bytes, and the kernel takes less than {_WORD_BYTES}"
    total = sum(len(encode_word(word)) + len("health_argv \n") for _, word in words)
    most = _CONF_BYTES - _RESERVED_BYTES
    if total > most:
        return (
            f"its command, environment and health check have {total} bytes when encoded, and boxes take at most {most}"
        )
    return None


_NAMES: Final = {"argv": "words in a command", "env": "variables", "groups": "groups"}


def probe_conf(*, poweroff: str = "acpi") -> bytes:
    """A box.conf with which the agent only sends ``init`` and powers off, to test whether a guest kernel boots."""
    return _text(["probe", f"poweroff {poweroff}"])


def _health(check: HealthCheck | None) -> list[str]:
    if check is None:
        raise ValueError("ready.when is healthcheck, and the image has none")
    return [*(f"health_argv {encode_word(word)}" for word in check.argv), f"health_timeout_ms {check.timeout_ms}"]


def _ready(ready: Ready | None) -> str:
    match ready:
        case None:
            return "started"
        case ReadyLog():
            return f"log {encode_word(ready.text)}"
        case ReadyExit():
            return f"exit {ready.code}"
        case ReadyTcp():
            return f"tcp {ready.port}"
        case ReadyHttp():
            return f"http {ready.port} {encode_word(ready.path)} {ready.status} {encode_word(ready.contains)}"
        case ReadyFirstLine() | ReadyHealthcheck():
            return ready.when


def _text(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode("ascii")
