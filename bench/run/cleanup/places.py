"""Where things of ours can be on this host: a name that is a tag means nothing anywhere else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from bench.host import run_directory
from bench.host.cgroup import PARENT
from bench.host.mounts import read_mounts
from bench.host.processes import own_uids
from bench.host.run_directory import LABEL, Tag, parse_tag

# libvirt's group of a domain: `qemu-3-NAME.libvirt-qemu`; `qemu-embed-6fa00a21-3-NAME.libvirt-qemu` with the embedded
# driver; with systemd `machine-qemu\x2d3\x2dNAME.scope`.
_MACHINE: Final = re.compile(
    r"(?:machine-)?qemu-(?:embed-[0-9a-f]+-)?\d+-(?P<name>boxbench-.+?)(?:\.libvirt-qemu|\.scope)?"
)
_USER: Final = re.compile(r"user-(?P<uid>[0-9]{1,10})\.slice")
_ESCAPED: Final = re.compile(r"\\x([0-9a-f]{2})")


@dataclass(frozen=True)
class Places:
    """The directories and control groups of this host that Boxbench uses."""

    bases: tuple[PurePosixPath, ...]
    """The run root, the storage of boxes and the scratch root, as they are named and as they are resolved."""
    channels: PurePosixPath
    """The run root as the source of a bind mount: below the root of its file system."""
    hierarchies: tuple[PurePosixPath, ...]
    """Where the mounted control group hierarchies begin; in a container not always at ``/``."""

    @classmethod
    def here(cls) -> Places:
        """Those of this process."""
        roots = (run_directory.run_root(), run_directory.boxes_root(), run_directory.scratch_root())
        mounts = read_mounts()
        run = PurePosixPath(run_directory.run_root().resolve())
        over = max((m for m in mounts if run.is_relative_to(m.point)), key=lambda m: len(m.point), default=None)
        return cls(
            bases=tuple(sorted({PurePosixPath(path) for root in roots for path in (root, root.resolve())})),
            channels=run if over is None else PurePosixPath(over.root) / run.relative_to(over.point),
            hierarchies=tuple({PurePosixPath(m.root) for m in mounts if m.kind in ("cgroup", "cgroup2")}),
        )

    def tag_of_path(self, path: str) -> Tag | None:
        """The tag of the run or storage directory that ``path`` is or lies in; None if it lies elsewhere."""
        if LABEL not in path:
            return None
        return next((tag for base in self.bases if (tag := _tag_below(base, path)) is not None), None)

    def tag_of_channel(self, source: str) -> Tag | None:
        """The tag of the run directory that is the source of a bind mount."""
        return _tag_below(self.channels, source)

    def tag_of_group(self, path: str) -> Tag | None:
        """The tag in the path of a control group as /proc/PID/cgroup has it; None for a group of other people."""
        inside = PurePosixPath(path)
        tops = (top for top in self.hierarchies if inside.is_relative_to(top))
        return next((tag for top in tops if (tag := tag_of_group(inside.relative_to(top).parts)) is not None), None)

    def tags_in_argument(self, word: str) -> Iterator[Tag]:
        """The tags of the paths in an argument: ``/path``, ``--x=/path``, ``file,path=/path``, JSON, an address."""
        for piece in re.split(r'[=,:"]', word) if LABEL in word else ():
            # An address has two slashes before the path.
            tag = self.tag_of_path(f"/{piece.lstrip('/')}") if piece.startswith("/") else None
            if tag is not None:
                yield tag


def tag_of_group(parts: tuple[str, ...]) -> Tag | None:
    """The tag of a control group, from its path below the beginning of the hierarchy."""
    if not parts:
        return None
    if parts[0] == PARENT:
        return parse_tag(parts[1]) if len(parts) > 1 else None
    # systemd gives users the groups below theirs, where they choose the names.
    user = _USER.fullmatch(parts[1]) if parts[0] == "user.slice" and len(parts) > 1 else None
    if user is not None and int(user["uid"]) not in own_uids():
        return None
    own = parse_tag(parts[0])
    return own or next((tag for part in parts if (tag := _tag_of_machine(part)) is not None), None)


def _tag_of_machine(name: str) -> Tag | None:
    match = _MACHINE.fullmatch(_ESCAPED.sub(lambda code: chr(int(code[1], 16)), name))
    return None if match is None else parse_tag(match["name"])


def _tag_below(base: PurePosixPath | Path, path: str) -> Tag | None:
    """The tag of the box, else of the campaign, whose directory below ``base`` is ``path`` or holds it."""
    inside = PurePosixPath(path)
    if not inside.is_relative_to(base) or ".." in inside.parts:
        return None
    names = inside.relative_to(base).parts[:2]
    outer = parse_tag(names[0]) if names else None
    return None if outer is None else (parse_tag(names[-1]) or outer)
