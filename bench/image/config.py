"""The image's configuration and the scenario's, resolved to plain values that every target can apply."""

from __future__ import annotations

import hashlib
import json
import re
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from bench.agent.boxconf import HOSTNAME, BoxConfig, why_unusable
from bench.image.archive import TreeIndex
from bench.image.first_process import refuse_system_init
from bench.image.healthcheck import resolve_healthcheck
from bench.image.overrides import overridden
from bench.scenario.model import Workload
from bench.scenario.secrets import hide, secret_values, shown
from bench.util.errors import BuildError
from bench.util.signals import signal_number
from bench.util.units import decode_number

DEFAULT_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""PATH of images that set none; Docker's default."""

_LARGEST_ID: Final = 2**31 - 1
"""The largest id of a user or group that engines accept. Ids have 32 bits, so 2**32 would become root's."""


def resolve_config(image: str, config: Mapping[str, Any], workload: Workload, index: TreeIndex) -> BoxConfig:
    """Resolve command, environment, directory, user, stop signal and health check: the image's or the scenario's.

    Args:
        image: its name, for error messages.
        config: ``Config`` of the image, as the engine reports it.
        index: the image's tree, for /etc/passwd, /etc/group and the command. The health check's command is not looked
            for, since the workload may make it.

    Raises:
        BuildError: there is no command, the command or the user is not in the image, an id of the user is too large,
            the stop signal is unknown, or it is more than a box can take.
    """
    config = overridden(config, workload)
    argv = tuple(config.get("Entrypoint") or ()) + tuple(config.get("Cmd") or ())
    user = str(config.get("User") or "")
    uid, gid, groups, home = _resolve_user(image, user, index)
    _check_ids(image, user, (uid, gid, *groups))
    env = _environment(config.get("Env") or (), workload.env, home)
    cwd = str(config.get("WorkingDir") or "/")
    path = dict(entry.partition("=")[::2] for entry in env).get("PATH", DEFAULT_PATH)
    _check_command(image, argv, path, cwd, index)
    resolved = BoxConfig(
        argv=argv,
        env=env,
        cwd=cwd,
        uid=uid,
        gid=gid,
        groups=groups,
        user=user,
        stop_signal=_stop_signal(image, config.get("StopSignal")),
        healthcheck=resolve_healthcheck(config, workload.healthcheck),
    )
    if (why := why_unusable(resolved)) is not None:
        raise BuildError(
            f"image {image}: {why}",
            hint="correct ENTRYPOINT, CMD, ENV, WORKDIR and HEALTHCHECK, or what workload has in their place; "
            "put much data into a file",
        )
    return resolved


def check_directory(image: str, config: Mapping[str, Any], workload: Workload) -> None:
    """Refuse a working directory that engines refuse, before one is asked. Raises BuildError."""
    directory = str(overridden(config, workload).get("WorkingDir") or "/")
    if not directory.startswith("/") or "\0" in directory:
        raise BuildError(
            f"image {image}: its working directory {directory!r} is not an absolute path",
            hint="correct WORKDIR in the Dockerfile, or give workload.workdir",
        )


def config_digest(config: BoxConfig, volumes: Sequence[str]) -> str:
    """SHA-256 over what a tree digest does not cover: command, environment, directory, user, stop signal, volumes, and
    the health check where there is one.

    Of secret variables only the names are covered: a short value could be guessed from its digest. That holds also
    where the value stands in the command or in another variable.
    """
    secrets = [json.dumps(value)[1:-1] for value in secret_values(config.env)]
    pairs = [(name, shown(name, value)) for name, _, value in (entry.partition("=") for entry in config.env)]
    parts = {**asdict(config), "env": pairs, "volumes": list(volumes)}
    if config.healthcheck is None:
        del parts["healthcheck"]
    return hashlib.sha256(hide(json.dumps(parts), secrets).encode()).hexdigest()


def _environment(image: Sequence[str], scenario: Mapping[str, str], home: str) -> tuple[str, ...]:
    merged = {"PATH": DEFAULT_PATH, "HOSTNAME": HOSTNAME}
    merged |= dict(entry.partition("=")[::2] for entry in image)
    merged |= scenario
    merged.setdefault("HOME", home)  # runc adds it at the end where it is not set
    return tuple(f"{name}={value}" for name, value in merged.items())


def _resolve_user(image: str, user: str, index: TreeIndex) -> tuple[int, int, tuple[int, ...], str]:
    """uid, gid, supplementary groups and home directory, by the engines' rules: a number needs no passwd entry."""
    name, _, group = user.partition(":")
    for file in ("/etc/passwd", "/etc/group"):
        _check_accounts(image, file, index)
    accounts = _table(index, "/etc/passwd", columns=6)
    entry = next((row for row in accounts if name in (row[0], row[2])), None)
    if not name:
        entry = next((row for row in accounts if row[2] == "0"), None)
    uid = int(entry[2]) if entry else _number(image, "user", name or "0", "/etc/passwd")
    gid = int(entry[3]) if entry else 0
    home = (entry[5] or "/") if entry else "/"
    groups = _table(index, "/etc/group", columns=4)
    if group:
        row = next((row for row in groups if group in (row[0], row[2])), None)
        gid = int(row[2]) if row else _number(image, "group", group, "/etc/group")
        return uid, gid, (gid,), home
    login = entry[0] if entry else None
    extra = {int(row[2]) for row in groups if login is not None and login in row[3].split(",")}
    return uid, gid, tuple(sorted(extra | {gid})), home


def _check_ids(image: str, user: str, ids: Sequence[int]) -> None:
    largest = max(ids)
    if largest > _LARGEST_ID:
        raise BuildError(
            f"image {image}: the user {user or 'root'!r} has the id {largest}; the largest one is {_LARGEST_ID}",
            hint="correct USER in the Dockerfile, workload.user, or the image's /etc/passwd and /etc/group",
        )


def _check_accounts(image: str, file: str, index: TreeIndex) -> None:
    """Refuse a FIFO or a device in the place of a file of accounts: engines open it as root, and a FIFO has no end."""
    member = index.find(file)
    if member is not None and (member.isfifo() or member.ischr() or member.isblk()):
        raise BuildError(
            f"image {image}: its {file} is a {'FIFO' if member.isfifo() else 'device'}, for which engines would wait",
            hint="make it a file, or leave it out",
        )


def _table(index: TreeIndex, path: str, *, columns: int) -> list[list[str]]:
    """The rows of a file of accounts. As in engines, only a newline ends a line, and columns after the ids may lack."""
    text = (index.read(path) or b"").decode("utf-8", "replace")
    rows = [line.strip().split(":") for line in text.split("\n")]
    ids = (2, 3) if columns == 6 else (2,)
    whole = [[*row, *[""] * (columns - len(row))] for row in rows if len(row) > ids[-1]]
    return [row for row in whole if all(decode_number(row[at]) is not None for at in ids)]


def _number(image: str, what: str, name: str, file: str) -> int:
    number = decode_number(name)
    if number is None:
        raise BuildError(
            f"image {image}: {what} {name!r} is not in its {file}",
            hint=f"add the {what} in the Dockerfile, or write its number",
        )
    return number


def _stop_signal(image: str, name: str | None) -> int:
    number = signal_number(name or "SIGTERM")
    if number is None:
        raise BuildError(
            f"image {image}: STOPSIGNAL {name!r} is not a signal of this host",
            hint="write a name such as SIGTERM or a number from 1 to 64",
        )
    return number


def _check_command(image: str, argv: tuple[str, ...], path: str, cwd: str, index: TreeIndex) -> None:
    if not argv:
        raise BuildError(
            f"image {image} has nothing to run: no ENTRYPOINT, no CMD, no workload.command",
            hint="add CMD to the Dockerfile, or workload.command to the scenario (workload.entrypoint drops CMD); "
            "`boxbench run IMAGE` has --command",
        )
    command = argv[0]
    places, found = _places(command, path, cwd, index)
    runs = next((place for place, member in found.items() if _is_executable(member)), None)
    if runs is None:
        problem = "is not executable" if found else f"is not in the image (looked for {', '.join(places)})"
        hint = "check ENTRYPOINT, CMD, workload.entrypoint and workload.command, and the mode of a script (chmod +x)"
        if argv[:2] == ("/bin/sh", "-c") and not found:
            hint = 'a command in shell form needs a shell: write it as a list, as in CMD ["/program", "argument"]'
        raise BuildError(f"image {image}: the command {command!r} {problem}", hint=hint)
    refuse_system_init(image, runs, index)


def healthcheck_note(config: BoxConfig, index: TreeIndex) -> str | None:
    """A sentence about a health check whose program the image lacks; None if it has it, or may have it.

    The workload may make the program, so it is no error. Of a check in shell form the first word is looked for where
    it is a path; else it may be the shell's own.
    """
    if config.healthcheck is None:
        return None
    argv = config.healthcheck.argv
    shell = argv[1:2] == ("-c",)
    first = argv[2].split(maxsplit=1)[0] if shell and argv[2:] and argv[2].strip() else ""
    path = dict(entry.partition("=")[::2] for entry in config.env).get("PATH", DEFAULT_PATH)
    for program in (argv[0], *([first] if re.fullmatch(r"/[\w./+-]+|curl|wget", first) else [])):
        if not _places(program, path, config.cwd, index)[1]:
            return (
                f"HEALTHCHECK runs {program[:100]!r}, which is not in the image: no box becomes healthy unless the "
                "workload makes it. Install it in the Dockerfile, or wait for something else (--ready, ready.when)."
            )
    return None


def _places(command: str, path: str, cwd: str, index: TreeIndex) -> tuple[list[str], dict[str, tarfile.TarInfo]]:
    """Where a command is looked for, and the files that are there."""
    if command.startswith("/"):
        places = [command]
    elif "/" in command:
        places = [f"{cwd}/{command}"]
    else:
        places = [f"{directory or cwd}/{command}" for directory in path.split(":")]
    found = {place: member for place in places if (member := index.find(place)) is not None and member.isreg()}
    return places, found


def _is_executable(member: tarfile.TarInfo) -> bool:
    return member.mode & 0o111 != 0
