"""A warning before a scenario file of somebody else makes Boxbench execute a program on this host."""

from __future__ import annotations

import os
import pwd
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from bench.cli.messages import complain
from bench.scenario.model import LoadedScenario
from bench.scenario.programs import programs_of
from bench.util.cache import cache_dir, content_key
from bench.util.private import private_directory

_ROOT = 0


def warn_of_programs(scenarios: Sequence[LoadedScenario]) -> None:
    """Warn of programs that scenario files name, before anything is started. Not for targets of the command line.

    A file that belongs to another user is named each time, one's own file when this content of it is new.
    """
    for loaded in scenarios:
        programs = programs_of(loaded)
        if not programs:
            continue
        owner = _foreign_owner(loaded.file)
        is_new = _is_new(content_key(loaded.text, *programs))
        if owner is None and not is_new:
            continue
        why = f"the file belongs to {owner}" if owner is not None else "boxbench has not run this content before"
        complain(
            f"warning: {loaded.file or loaded.scenario.name} makes boxbench execute {', '.join(programs)} on this "
            f"host as {_name(os.geteuid())}, outside of any box; {why}",
            "run scenario files only of people whom you would let work on this host as this user; Ctrl-C stops it now",
        )


def _foreign_owner(file: Path | None) -> str | None:
    """The user to whom the file belongs, unless it is us, root, or the person who called sudo."""
    if file is None:
        return None
    owner = file.stat().st_uid
    ours = {_ROOT, os.geteuid()}
    with suppress(KeyError, ValueError):
        if os.geteuid() == _ROOT:
            ours.add(int(os.environ["SUDO_UID"]))
    return None if owner in ours else _name(owner)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def _is_new(key: str) -> bool:
    """Whether the cache has not seen this key. From now on it has."""
    try:
        (private_directory(cache_dir() / "warned") / key).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True
