"""What a service mounts: volumes of the box, and files of the host that are copied into the image."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench.compose.item import Item, Reader, Source, choice_of
from bench.util.paths import exists, is_directory, is_file
from bench.util.text import did_you_mean, plain

_MODES: Final = frozenset({"ro", "rw", "z", "Z", "nocopy", "cached", "delegated", "consistent"})
_PROPAGATION: Final = re.compile(r"r?(?:private|shared|slave)")
_LONG: Final = ("type", "source", "target", "read_only", "consistency", "bind", "volume", "tmpfs", "image")
_HOST_PLACES: Final = ("/proc", "/sys", "/dev", "/run", "/var/run")
"""Directories of the host whose content belongs to the running host."""
_IN_MEMORY: Final = "/dev/shm"
"""Every box has a file system in memory there."""


@dataclass(frozen=True)
class Mount:
    """One entry of ``volumes``.

    Attributes:
        kind: ``bind``, ``volume`` or ``tmpfs``, or another one that a box cannot have.
        source: a path of the host or the name of a volume; empty for a volume without a name.
    """

    kind: str
    source: str
    target: str
    item: Item


@dataclass
class Mounts:
    """What the mounts of a service become.

    Attributes:
        files: by path in the box, the path of the host's file or directory, relative to the compose file.
    """

    volumes: dict[str, None] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)


class MountReader:
    """Reads the mounts of one service.

    Args:
        source: the compose file, whose named volumes, configs and secrets count.
        home: for paths that begin with ``~``; None: there is no home.
    """

    def __init__(self, source: Source, reader: Reader, *, home: str | None) -> None:
        self._source = source
        self._reader = reader
        self._home = home
        self.found = Mounts()

    def volumes(self, item: Item | None) -> None:
        """Read the key ``volumes``. Of two mounts at one place the later counts, which only ``extends`` can make."""
        mounts = [self._mount(one) for one in self._reader.items(item)]
        last = {mount.target: mount for mount in mounts if mount is not None}
        named = []
        for mount in last.values():
            match mount.kind:
                case "bind":
                    self._bind(mount)
                case "volume":
                    self.found.volumes[mount.target] = None
                    named += [mount.source] if mount.source and self._is_declared(mount) else []
                case "tmpfs":
                    self._tmpfs(mount.target, mount.item)
                case _:
                    self._refuse(mount.item, f"is a mount of type {plain(mount.kind)!r}, which a box cannot have")
        if named:
            each = "it begins with what the image has there, not with the data of earlier runs"
            self.found.remarks.append(f"volumes: every box has its own of {choice_of(named)}: {each}.")

    def tmpfs(self, item: Item | None) -> None:
        """Read the key ``tmpfs``."""
        for one in self._reader.one_or_more(item):
            target = (self._reader.text(one) or "").partition(":")[0]
            if self._is_absolute(one, target):
                self._tmpfs(target, one)

    def grants(self, kind: str, item: Item | None) -> None:
        """Read the key ``configs`` or ``secrets``: files that are declared at the top of the compose file."""
        for one in self._reader.items(item):
            if isinstance(one.value, dict):
                self._reader.problems.unknown(one, ("source", "target", "uid", "gid", "mode"))
                name, target = self._reader.text(one.child("source")), self._reader.text(one.child("target"))
            else:
                name, target = self._reader.text(one), None
            file = self.declared_file(kind, one, name)
            if name is None or file is None:
                continue
            folder = "/run/secrets/" if kind == "secrets" else "/"
            place = target if target is not None and target.startswith("/") else folder + (target or name)
            self._copy(place, file, one)

    def declared_file(self, kind: str, item: Item, name: str | None) -> Path | None:
        """The file of a config or a secret that the compose file declares; None when there is a problem."""
        declared = self._source.document.get((kind, name or ""))
        problems = self._reader.problems
        if not isinstance(declared, dict):
            every = self._source.document.get((kind,))
            names = [str(key) for key in every] if isinstance(every, dict) else []
            hint = did_you_mean(name or "", names) or f"declare it under {kind}: at the top of the compose file"
            problems.add(item, f"there is no {kind[:-1]} {plain(name or '')!r}", hint)
            return None
        place = Item(declared, self._source, (kind, name or ""))
        if not isinstance(declared.get("file"), str):
            how = ", ".join(key for key in ("external", "environment", "content", "driver") if key in declared)
            hint = f"write the content to a file, and name it with {kind}.{plain(name or '')}.file"
            problems.add(place, f"is no file{f' ({how})' if how else ''}, so it cannot be copied", hint)
            return None
        return self._host_path(declared["file"], self._source.directory)

    def _mount(self, item: Item) -> Mount | None:
        return self._long(item) if isinstance(item.value, dict) else self._short(item)

    def _short(self, item: Item) -> Mount | None:
        text = self._reader.text(item)
        if text is None:
            return None
        parts = text.split(":")
        source, target = ("", parts[0]) if len(parts) == 1 else (parts[0], parts[1])
        modes = parts[2].split(",") if len(parts) == 3 else []
        wrong = [mode for mode in modes if mode not in _MODES and not _PROPAGATION.fullmatch(mode)]
        if len(parts) > 3 or wrong or (len(parts) > 1 and not source):
            self._reader.problems.wrong_form(item, "VOLUME:PATH[:ro] or ./FILE:PATH[:ro]")
            return None
        kind = "bind" if source.startswith((".", "/", "~")) else "volume"
        return Mount(kind, source, target, item) if self._is_absolute(item, target) else None

    def _long(self, item: Item) -> Mount | None:
        self._reader.problems.unknown(item, _LONG)
        read = self._reader.text
        kind, target = read(item.child("type")), read(item.child("target"))
        if kind is None or target is None:
            self._reader.problems.add(item, "has no type or no target", "add type: bind or volume, and target: PATH")
            return None
        for option in (item.child("volume"), item.child("image")):
            if option is not None and option.child("subpath") is not None:
                self._refuse(option, "mounts a part of a volume")
        source = read(item.child("source")) or ""
        return Mount(kind, source, target, item) if self._is_absolute(item, target) else None

    def _is_absolute(self, item: Item, target: str) -> bool:
        if not target.startswith("/"):
            self._reader.problems.add(
                item, f"{plain(target)!r} is no absolute path in the box", "begin the path with /"
            )
        return target.startswith("/")

    def _is_declared(self, mount: Mount) -> bool:
        declared = self._source.document.get(("volumes",))
        names = [str(key) for key in declared] if isinstance(declared, dict) else []
        if mount.source in names:
            return True
        self._reader.problems.add(
            mount.item,
            f"there is no volume {plain(mount.source)!r}",
            did_you_mean(mount.source, names)
            or f"declare it under volumes:, or write ./{plain(mount.source)} for a path",
        )
        return False

    def _tmpfs(self, target: str, item: Item) -> None:
        if target == _IN_MEMORY:
            return
        self.found.volumes[target] = None
        self.found.remarks.append(
            f"{item.keys[-2 if isinstance(item.keys[-1], int) else -1]}: {plain(target)} is a new "
            "volume of the box and not in memory."
        )

    def _bind(self, mount: Mount) -> None:
        path = self._host_path(mount.source, mount.item.source.directory)
        if path is None:
            self._reader.problems.add(mount.item, "begins with ~, and there is no HOME", "write the whole path")
        elif _is_of_host(path) or _is_of_host(Path(os.path.realpath(path))):
            self._refuse(mount.item, f"mounts {path}, which belongs to the running host")
        else:
            self._copy(mount.target, path, mount.item)

    def _copy(self, target: str, path: Path, item: Item) -> None:
        shown = self._relative(path, item)
        if not exists(path):
            hint = "make it first; Compose would mount an empty directory, which hides what the image has there"
            self._reader.problems.add(item, f"{path} does not exist", hint)
        elif not is_file(path) and not is_directory(path):
            self._refuse(item, f"mounts {path}, which is neither a file nor a directory")
        elif target in self.found.files:
            self._reader.problems.add(item, f"{plain(target)} is mounted twice", "keep one of the two")
        else:
            self.found.files[target] = shown
            stays = ", beside what the image has there" if is_directory(path) else ""
            what = "its directory" if shown == "." else plain(shown)
            how = f"is copied to {plain(target)} when the image is prepared, as root's{stays}"
            self.found.remarks.append(f"{item.keys[2]}: {what} {how}; a box changes its own copy.")

    def _relative(self, path: Path, item: Item) -> str:
        """The path as the scenario has it: relative to the compose file, unless the file has it from / on."""
        text = item.value if isinstance(item.value, str) else ""
        if text.startswith(("/", "~")):
            return str(path)
        return os.path.relpath(path, self._source.directory)

    def _host_path(self, text: str, directory: Path) -> Path | None:
        if text == "~" or text.startswith("~/"):
            return Path(self._home, text[2:]) if self._home else None
        return Path(os.path.normpath(directory / text))

    def _refuse(self, item: Item, text: str) -> None:
        self._reader.problems.add(item, text, "copy the compose file without it, if the workload can do without")


def _is_of_host(path: Path) -> bool:
    return path == Path("/") or any(path.is_relative_to(place) for place in _HOST_PLACES)
