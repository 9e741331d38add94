"""The values of ARG on the command line of a builder, which all users of the host can read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from fnmatch import fnmatchcase

from bench.image.stores.base import BuildOrder
from bench.scenario.secrets import is_secret
from bench.util.proc import ENGINE_VARIABLES


def secret_arguments(order: BuildOrder) -> dict[str, str]:
    """Arguments that the builder must get as variables of its environment.

    A variable of ours that the builder reads, such as DOCKER_AUTH_KEY, keeps its value.
    """
    return {name: value for name, value in order.args.items() if is_secret(name) and not _would_change(name, value)}


def _would_change(name: str, value: str) -> bool:
    reads = any(fnmatchcase(name, pattern) for pattern in ENGINE_VARIABLES)
    return reads and os.environ.get(name, value) != value


def argument_options(order: BuildOrder) -> Iterator[str]:
    """The options of all arguments. Those of ``secret_arguments`` have a name and no value."""
    secret = secret_arguments(order)
    for name, value in order.args.items():
        yield from ("--build-arg", name if name in secret else f"{name}={value}")
