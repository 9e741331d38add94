"""From a compose file and the name of a service to what a scenario needs of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.compose.dotenv import layered, read_variables
from bench.compose.extends import service_of
from bench.compose.interpolate import Lookup
from bench.compose.item import COMPOSE, Problems, Reader, Source, choice_of
from bench.compose.keys import TOP
from bench.compose.service import ServiceReader
from bench.scenario.validation import Fault, fault, scenario_error
from bench.util.document import read_document
from bench.util.errors import ScenarioError
from bench.util.paths import is_file
from bench.util.text import did_you_mean, plain

_FILES: Final = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
"""The names of compose files, in the order in which Compose looks for them."""
_NAMED: Final = re.compile(r"(.+\.ya?ml)(?::([A-Za-z0-9._-]+))?")
_HINT: Final = "docs/reference/compose.md says what becomes of each key of a service"


@dataclass(frozen=True)
class ComposeService:
    """One service, as far as it has a meaning in a box.

    Attributes:
        service: its name.
        file: the compose file.
        directory: of the file, absolute. Paths in ``workload`` are relative to it.
        workload: the key ``workload`` of a scenario, as it is written in a file.
        resources: the key ``resources`` of a scenario, with what the service limits and nothing else.
        ready: the key ``ready`` of a scenario, when the service has a healthcheck; None: it has none of its own.
        ports: TCP ports in the box, in the order of the file: where its server may be listening.
        notes: sentences about what is left out, copied or different in a box.
    """

    service: str
    file: Path
    directory: Path
    workload: dict[str, Any]
    resources: dict[str, Any]
    ready: dict[str, Any] | None
    ports: tuple[int, ...]
    notes: tuple[str, ...]


def compose_argument(text: str) -> tuple[Path, str | None] | None:
    """The compose file and the service that ``compose.yaml:web`` names; None if the text names no compose file.

    A file without a service is one when it has the name of a compose file, or the key ``services`` and no ``question``.
    """
    match = _NAMED.fullmatch(text)
    if match is None:
        return None
    path, service = Path(match[1]), match[2]
    if service is not None or path.name in _FILES:
        return path, service
    return (path, None) if _has_services(path) else None


def compose_file_in(directory: Path) -> Path | None:
    """The compose file of a directory; None if there is none."""
    return next((directory / name for name in _FILES if is_file(directory / name)), None)


def load_compose_service(path: Path, service: str | None, environment: Mapping[str, str]) -> ComposeService:
    """Read one service of a compose file.

    Args:
        service: its name; None: the only one.
        environment: variables for ``${NAME}``. They come before those of the file ``.env`` beside the compose file.

    Raises:
        ScenarioError: the file is no compose file, has no such service, or cannot be measured as it is. All problems of
            the service are listed with their lines.
    """
    source = Source(path, read_document(path, COMPOSE))
    problems = Problems(_unknown_keys(source))
    lookup = layered(environment.get, *_own_variables(source, environment))
    name = _chosen(source) if service is None else service
    item = service_of(source, name, lookup, problems)
    reader = ServiceReader(source, item, lookup, Reader(problems))
    workload, resources, ports = reader.workload(), reader.resources(), reader.ports()
    if problems.faults:
        raise scenario_error(list(dict.fromkeys(problems.faults)), hint=_HINT)
    checked = workload.get("healthcheck", {}).get("test", ["NONE"])
    return ComposeService(
        service=name,
        file=path,
        directory=source.directory,
        workload=workload,
        resources=resources,
        ready=None if checked == ["NONE"] else {"when": "healthcheck"},
        ports=ports.tcp,
        notes=(*_not_read(source), *reader.notes),
    )


def service_names(path: Path) -> tuple[str, ...]:
    """The services of a compose file, in its order. Empty if it cannot be read."""
    try:
        return _names(Source(path, read_document(path, COMPOSE)))
    except ScenarioError:
        return ()


def _names(source: Source) -> tuple[str, ...]:
    services = source.document.get(("services",))
    return tuple(str(name) for name in services) if isinstance(services, dict) else ()


def _unknown_keys(source: Source) -> list[Fault]:
    found = []
    for key in source.document.data:
        if str(key) not in TOP and not str(key).startswith("x-"):
            hint = did_you_mean(str(key), TOP) or "keys of your own begin with x-"
            found.append(fault(source.file, source.document, (str(key),), "unknown key", hint))
    return found


def _own_variables(source: Source, environment: Mapping[str, str]) -> tuple[Lookup, ...]:
    """The variables of the file ``.env``, and those that Compose sets itself."""
    given = source.document.get(("name",))
    project = given if isinstance(given, str) else re.sub(r"[^a-z0-9_-]", "", source.directory.name.lower())
    own = {"COMPOSE_PROJECT_NAME": project.lstrip("_-")}
    file = source.file.parent / ".env"
    return (read_variables(file, environment.get).get, own.get) if is_file(file) else (own.get,)


def _not_read(source: Source) -> Iterator[str]:
    """Sentences about further files that Compose would read."""
    stem = source.file.name.rpartition(".")[0]
    for name in (f"{stem}.override.yaml", f"{stem}.override.yml"):
        if source.file.name in _FILES and is_file(source.file.parent / name):
            yield f"{name} is not read: a service is taken from one file."
    if source.document.get(("include",)):
        yield "include: the files that it names are not read, so services that they change are as they stand here."


def _chosen(source: Source) -> str:
    """The only service, or the only one without profiles."""
    names = _names(source)
    always = [name for name in names if not source.document.get(("services", name, "profiles"))]
    for one in (names, tuple(always)):
        if len(one) == 1:
            return one[0]
    if not names:
        raise ScenarioError(f"{source.file} has no services", hint=COMPOSE.content_hint)
    raise ScenarioError(
        f"{source.file} has {len(names)} services: {choice_of(names)}",
        hint=f"name one, as in {source.file.name}:{plain(names[0])}",
    )


def _has_services(path: Path) -> bool:
    try:
        data = read_document(path, COMPOSE).data
    except ScenarioError:
        return False
    return isinstance(data, dict) and "services" in data and "question" not in data
