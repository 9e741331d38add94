"""The key ``build`` of a service."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from bench.compose.item import Item, Problems, Reader
from bench.compose.keys import BUILD, BUILD_MEANINGLESS, BUILD_REFUSED
from bench.util.paths import is_directory, is_file
from bench.util.text import plain

_NETWORKS: Final = ("default", "none", "host")
_HINT: Final = "build the image by hand, and name it with `image` in a copy of the compose file"
_ADDRESS: Final = ("://", "git@", "github.com/")
"""Marks of a context that is not a directory."""


class BuildReader:
    """Reads how the image of one service is built.

    Args:
        directory: of the compose file; paths of the result are relative to it.
        secret_file: the file of a secret that the compose file declares, from the entry and its name.
        variable: the value of a variable for a build argument without one.
    """

    def __init__(
        self,
        reader: Reader,
        *,
        directory: Path,
        secret_file: Callable[[Item, str | None], Path | None],
        variable: Callable[[str], str | None],
    ) -> None:
        self._reader = reader
        self._directory = directory
        self._secret_file = secret_file
        self._variable = variable

    def read(self, item: Item) -> dict[str, Any]:
        """The keys ``context``, ``dockerfile`` and ``build`` of a scenario's workload."""
        build = item if isinstance(item.value, dict) else item.with_value({"context": item})
        refuse_keys(build, BUILD_REFUSED, self._reader.problems, _HINT)
        self._reader.problems.unknown(build, BUILD | BUILD_MEANINGLESS | BUILD_REFUSED.keys())
        found = self._paths(build)
        options: dict[str, Any] = {}
        if (network := self._network(build.child("network"))) is not None:
            options["network"] = network
        if args := self._arguments(build.child("args")):
            options["args"] = args
        if target := self._reader.text(build.child("target")):
            options["target"] = target
        if secrets := self._secrets(build.child("secrets")):
            options["secrets"] = secrets
        return found | ({"build": options} if options else {})

    def _paths(self, build: Item) -> dict[str, Any]:
        context, dockerfile = build.child("context"), build.child("dockerfile")
        text = self._reader.text(context) or "."
        place = context or build
        if any(mark in text for mark in _ADDRESS):
            self._reader.problems.add(place, f"{plain(text)!r} is an address, not a directory", _HINT)
            return {}
        directory = Path(os.path.normpath(place.source.directory / Path(text).expanduser()))
        name = self._reader.text(dockerfile) or "Dockerfile"
        if not is_directory(directory):
            hint = "build.context is relative to the compose file"
            self._reader.problems.add(place, f"the directory {directory} does not exist", hint)
        elif not is_file(directory / name):
            hint = "build.dockerfile is relative to build.context"
            self._reader.problems.add(dockerfile or place, f"{directory / name} does not exist", hint)
        found = {"context": os.path.relpath(directory, self._directory)}
        return found | ({"dockerfile": name} if dockerfile is not None else {})

    def _network(self, item: Item | None) -> str | None:
        network = self._reader.text(item)
        if item is not None and network not in (None, *_NETWORKS):
            text = f"{plain(network or '')!r} is not one of {', '.join(_NETWORKS)}"
            self._reader.problems.add(item, text, "a build has no networks of the compose file")
        return network

    def _arguments(self, item: Item | None) -> dict[str, str]:
        found: dict[str, str] = {}
        for name, value in self._reader.pairs(item).items():
            given = self._variable(name) if value.value is None else self._reader.text(value)
            if given is not None:  # Compose leaves out an argument without a value
                found[name] = given
        return found

    def _secrets(self, item: Item | None) -> dict[str, str]:
        found: dict[str, str] = {}
        for one in self._reader.items(item):
            if isinstance(one.value, dict):
                self._reader.problems.unknown(one, ("source", "target", "uid", "gid", "mode"))
                name = self._reader.text(one.child("source"))
                key = self._reader.text(one.child("target")) or name
            else:
                name = key = self._reader.text(one)
            file = self._secret_file(one, name)
            if key is not None and file is not None:
                found[key] = os.path.relpath(file, self._directory)
        return found


def refuse_keys(item: Item, refused: dict[str, str], problems: Problems, hint: str) -> None:
    """Note every key of a mapping that a box cannot honour, with the reason."""
    for key, why in refused.items():
        value = item.child(key)
        if value is not None and value.value not in (False, "false", [], {}, ""):
            problems.add(value, f"cannot be honoured: {why}", hint)
