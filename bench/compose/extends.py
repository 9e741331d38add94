"""``extends``: a service that takes its keys from another one, in the same compose file or another."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from bench.compose.interpolate import Lookup
from bench.compose.item import COMPOSE, Item, Problems, Reader, Source, as_pairs, choice_of, located
from bench.util.document import read_document
from bench.util.errors import ScenarioError
from bench.util.text import did_you_mean, plain

_REPLACED: Final = {("command",), ("entrypoint",), ("healthcheck", "test")}
"""Lists that take the place of the other service's. Other lists are joined."""
_PAIRS: Final = {("environment",), ("build", "args"), ("build", "labels"), ("labels",), ("sysctls",), ("depends_on",)}
"""Keys that are a list or a mapping."""
_LISTS: Final = {("env_file",), ("tmpfs",), ("dns",), ("dns_search",)}
"""Keys that are a single value or a list."""
_MOST_EXTENDS: Final = 20


def service_of(source: Source, name: str, lookup: Lookup, problems: Problems) -> Item:
    """A service with the keys of those that it extends, variables substituted.

    Raises:
        ScenarioError: there is no such service; services extend each other in a circle; a file cannot be read.
    """
    return _Extender(lookup, problems).resolve(source, name, ())


class _Extender:
    def __init__(self, lookup: Lookup, problems: Problems) -> None:
        self._lookup = lookup
        self._problems = problems

    def resolve(self, source: Source, name: str, seen: tuple[tuple[Path, str], ...]) -> Item:
        place = (source.file.resolve(), name)
        if place in seen or len(seen) > _MOST_EXTENDS:
            chain = " extends ".join(plain(one) for _, one in (*seen, place)[:_MOST_EXTENDS])
            raise ScenarioError(f"{source.file}: {chain}", hint="services must not extend each other in a circle")
        check_service(source, name)
        service = located(source, ("services", name), self._lookup, self._problems)
        extends = service.child("extends")
        if extends is None or not isinstance(service.value, dict):
            return service
        own = service.with_value({key: value for key, value in service.value.items() if key != "extends"})
        other, wanted = self._named(source, extends)
        if wanted is None:
            return own
        return merged(self.resolve(other, wanted, (*seen, place)), own, ())

    def _named(self, source: Source, extends: Item) -> tuple[Source, str | None]:
        """The file and the name of the service that is extended."""
        reader = Reader(self._problems)
        if not isinstance(extends.value, dict):
            return source, reader.text(extends)
        self._problems.unknown(extends, ("service", "file"), "extends has the keys service and file")
        name, file = reader.text(extends.child("service")), reader.text(extends.child("file"))
        if name is None:
            self._problems.add(extends, "names no service", "add service: NAME")
        if file is None or name is None:
            return source, name
        path = source.file.parent / file
        return Source(path, read_document(path, COMPOSE)), name


def check_service(source: Source, name: str) -> None:
    """Raise ScenarioError unless the file has a service of this name, which is a mapping."""
    services = source.document.get(("services",))
    names = [str(key) for key in services] if isinstance(services, dict) else []
    if name not in names:
        has = f"its services: {choice_of(names)}" if names else COMPOSE.content_hint
        if source.document.get(("include",)):
            has += "; those of the files that `include` names are not read: name their own file"
        near = did_you_mean(name, names)
        raise ScenarioError(f"{source.file} has no service {name!r}", hint=f"{near} {has}" if near else has)
    if not isinstance(source.document.get(("services", name)), dict):
        line = source.document.line_of(("services", name))
        raise ScenarioError(
            f"{source.file}:{line}: services.{plain(name)}: must have keys and values",
            hint="give it an image or a build",
        )


def merged(base: Item, over: Item, path: tuple[str, ...]) -> Item:
    """Two definitions as one: mappings are joined, lists too, and single values of ``over`` take the place."""
    if over.value is None:
        return base
    if base.value is None or path in _REPLACED:
        return over
    prepare = _form(path)
    base, over = prepare(base), prepare(over)
    if isinstance(base.value, dict) and isinstance(over.value, dict):
        joined = dict(base.value)
        for key, value in over.value.items():
            joined[key] = merged(joined[key], value, (*path, key)) if key in joined else value
        return over.with_value(joined)
    if isinstance(base.value, list) and isinstance(over.value, list):
        return over.with_value([*base.value, *over.value])
    return over


def _form(path: tuple[str, ...]) -> Callable[[Item], Item]:
    """How both forms of a key become one."""
    if path in _PAIRS:
        return as_pairs
    if path in _LISTS:
        return lambda item: item if isinstance(item.value, list) else item.with_value([item])
    if path == ("build",):
        return lambda item: item if isinstance(item.value, dict) else item.with_value({"context": item})
    return lambda item: item
