"""When a box of an image counts as ready: as a user says it in one word, or as it is inferred."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from bench.infer.attempt import Attempt
from bench.infer.facts import ImageFacts
from bench.infer.reason import Reason
from bench.scenario.readiness import READY_TIMEOUT_NS
from bench.util.errors import NotReadyError, UsageError
from bench.util.text import plain
from bench.util.units import decode_number, format_ns

ReadyKeys = Mapping[str, str | int]
"""The key ``ready`` of a scenario file: ``{"when": "tcp", "port": 6379}``."""

WEB_PORTS: Final = (80, 8080, 8000, 3000, 5000)
"""Of several exposed ports these are taken first, in this order: they speak HTTP without TLS in most images."""

FORMS: Final = "exit, exit:CODE, first-line, log:TEXT, tcp:PORT, http:PORT/PATH, healthcheck"
_PORT_AND_PATH: Final = re.compile(r"(\d+)(/[!-~]*)?", re.ASCII)
_NO_INTERPRETER: Final = re.compile(r"exec \S+: no such file or directory")
"""What a container's runtime says of a file that is not there, and of one whose interpreter is not."""
_MOST_LISTED: Final = 5
"""So many ports are named in a sentence."""


class CannotTellError(UsageError):
    """Nothing tells when an image is ready, so the user has to say it."""


@dataclass(frozen=True)
class Choice:
    """The readiness that was chosen."""

    keys: ReadyKeys
    why: Reason


def parse_ready(text: str) -> ReadyKeys:
    """The readiness of an option: ``http:8080/health``. Raises UsageError, which names the forms."""
    kind, colon, rest = text.partition(":")
    parse = _KINDS.get(kind)
    if parse is None:
        raise _wrong(text, f"{plain(kind)!r} is no kind of readiness")
    if bool(colon) != bool(rest):
        raise _wrong(text, "nothing stands after the colon")
    return {"when": kind, **parse(text, rest)}


def ready_text(keys: ReadyKeys) -> str:
    """The form of ``--ready`` that gives these keys."""
    match keys["when"]:
        case "exit":
            return f"exit:{keys['code']}" if keys.get("code") else "exit"
        case "log":
            return f"log:{keys['text']}"
        case "tcp":
            return f"tcp:{keys['port']}"
        case "http":
            return f"http:{keys['port']}{keys.get('path', '/')}"
        case when:
            return str(when)


def _nothing(text: str, rest: str) -> dict[str, str | int]:
    if rest:
        raise _wrong(text, f"{text.partition(':')[0]} takes nothing after it")
    return {}


def _code(text: str, rest: str) -> dict[str, str | int]:
    code = 0 if not rest else decode_number(rest)
    if code is None or code > 255:
        raise _wrong(text, f"{plain(rest)!r} is no exit code from 0 to 255")
    return {"code": code} if rest else {}


def _log(text: str, rest: str) -> dict[str, str | int]:
    if not 0 < len(rest) <= 200:
        raise _wrong(text, "log needs a text of 1 to 200 characters")
    return {"text": rest}


def _port(text: str, rest: str) -> int:
    port = decode_number(rest)
    if port is None or not 0 < port < 2**16:
        raise _wrong(text, f"{plain(rest)!r} is no port from 1 to 65535")
    return port


def _tcp(text: str, rest: str) -> dict[str, str | int]:
    return {"port": _port(text, rest)}


def _http(text: str, rest: str) -> dict[str, str | int]:
    match = _PORT_AND_PATH.fullmatch(rest)
    if match is None or len(match[2] or "") > 200:
        raise _wrong(text, "http needs a port and, after it, a path of at most 200 characters without blanks")
    return {"port": _port(text, match[1]), "path": match[2] or "/"}


_KINDS: Final[Mapping[str, Callable[[str, str], dict[str, str | int]]]] = {
    "exit": _code,
    "first-line": _nothing,
    "log": _log,
    "tcp": _tcp,
    "http": _http,
    "healthcheck": _nothing,
}


def _wrong(text: str, why: str) -> UsageError:
    return UsageError(f"--ready {plain(text)}: {why}", hint=f"write one of: {FORMS}")


def describe_ready(keys: ReadyKeys) -> str:
    """When a box is ready, as the end of a sentence that begins with "Ready when"."""
    match keys["when"]:
        case "healthcheck":
            return "its HEALTHCHECK passes"
        case "tcp":
            return f"port {keys['port']} accepts a connection"
        case "http":
            return f"a GET of port {keys['port']}, path {keys.get('path', '/')}, answers 200"
        case "log":
            return f"a line of its output contains {keys['text']!r}"
        case "exit":
            return f"its command has ended with code {keys.get('code', 0)}"
        case _:
            return "it has written its first line"


def infer_ready(subject: str, facts: ImageFacts, attempt: Attempt | None) -> Choice:
    """Choose when a box is ready: HEALTHCHECK, else a TCP port, else the first line, else the end of the command.

    Args:
        subject: what the user named, for errors.
        attempt: what a run of the image showed; None when it was not run.

    Raises:
        NotReadyError: the command ended with an error when it was tried.
        CannotTellError: in the attempt it did nothing by which it can be told that it is ready.
    """
    if attempt is not None and attempt.exit_code:
        raise _failed(subject, attempt)
    if attempt is not None and attempt.exit_code == 0 and not facts.has_healthcheck:
        return _choice({"when": "exit"}, f": it ended after {attempt.watched_s:.2g} s when it was tried", "first-line")
    if facts.has_healthcheck:
        # The attempt does not run the check. Where it never passes, the first box is waited for without a word.
        late = f"; a box that takes longer than {format_ns(READY_TIMEOUT_NS)} has failed"
        return _choice({"when": "healthcheck"}, late, "http:8080/health")
    return _port_choice(facts, attempt) or _output_choice(subject, facts, attempt)


def _port_choice(facts: ImageFacts, attempt: Attempt | None) -> Choice | None:
    listening = () if attempt is None else attempt.listening
    open_and_exposed = tuple(port for port in facts.tcp if port in listening)
    ports = open_and_exposed or listening or facts.tcp
    if not ports:
        return None
    port = next((port for port in WEB_PORTS if port in ports), ports[0])
    other = f"http:{port}/health" if port in WEB_PORTS else "log:TEXT"
    return _choice({"when": "tcp", "port": port}, _why_port(facts, port, listening), other)


def _why_port(facts: ImageFacts, port: int, listening: tuple[int, ...]) -> str:
    exposed, who = _listed(facts.tcp), facts.exposed_by
    if port not in facts.tcp:
        what = f"exposes {exposed}" if facts.tcp else "exposes no TCP port"
        return f": it listened there when it was tried, and {who} {what}"
    if facts.tcp == (port,):
        return f": {who} exposes it{'' if not listening else ', and it listened there when it was tried'}"
    also = ", and it listened there when it was tried" if listening else ""
    return f": of the ports that {who} exposes ({exposed}){also}"


def _output_choice(subject: str, facts: ImageFacts, attempt: Attempt | None) -> Choice:
    why = ""
    if facts.other_ports:
        others = ", ".join(facts.other_ports[:_MOST_LISTED])
        why = f": {facts.exposed_by} exposes {others} only, which no connection can probe"
    if attempt is None or attempt.printed:
        return _choice({"when": "first-line"}, why, "log:TEXT")
    raise CannotTellError(
        f"{subject}: it cannot be told when it is ready: in {attempt.watched_s:.2g} s it neither ended, nor wrote a "
        f"line, nor listened on a TCP port{why.replace(':', ';', 1)}",
        hint="say when: --ready exit (its command ends), --ready log:TEXT, --ready tcp:PORT or --ready http:PORT/PATH",
    )


def _choice(keys: ReadyKeys, why: str, other: str) -> Choice:
    return Choice(keys, Reason(f"Ready when {describe_ready(keys)}{why}", f"--ready {other}"))


def _failed(subject: str, attempt: Attempt) -> NotReadyError:
    said = f"; it wrote last: {plain(attempt.last_line)[:200]}" if attempt.last_line else ""
    hint = (
        "give it what it needs, as in --env NAME=VALUE or --command 'PROGRAM ARGUMENT'; "
        f"if this end is its work, --ready exit:{attempt.exit_code}"
    )
    if _NO_INTERPRETER.fullmatch(attempt.last_line):
        hint = (
            "if the file is in the image, its interpreter or loader is missing: the first line of a script must not "
            "end with CR LF, as under Windows, and a program needs the loader it was linked for"
        )
    return NotReadyError(
        f"{subject}: its command ended with code {attempt.exit_code} after {attempt.watched_s:.2g} s when it was "
        f"tried{said}",
        hint=hint,
    )


def _listed(ports: tuple[int, ...]) -> str:
    texts = [str(port) for port in ports[:_MOST_LISTED]]
    return ", ".join([*texts, "..."] if len(ports) > _MOST_LISTED else texts)
