"""An index of an exported root file system (a tar): paths, links, contents, digests. The tar is untrusted input."""

from __future__ import annotations

import hashlib
import mmap
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from bench.agent.boxconf import AGENT_IN_BOX, CHANNEL_IN_BOX, DIRECTORY_IN_BOX, encode_word
from bench.image.members import members as members_of
from bench.image.stores.base import foreign_place
from bench.util.cache import start_over
from bench.util.errors import BuildError

RUNTIME_PATHS: Final = (
    "dev",  # every engine mounts or fills it
    "proc",
    "sys",
    ".dockerenv",  # made by Docker
    "etc/hostname",  # Docker, containerd and libpod mount files of their own over these four
    "etc/hosts",
    "etc/resolv.conf",
    "etc/mtab",
    "run",  # systemd mounts and fills it, podman puts a file into it
    CHANNEL_IN_BOX.lstrip("/"),
    "lost+found",  # made by ext4
)
"""Left out of the tree's digest with everything below: engines and file systems manage them while a box runs."""

_BELOW_RUNTIME_PATHS: Final = tuple(f"{path}/" for path in RUNTIME_PATHS)

EMPTY_PATHS: Final = ("etc", "tmp", "root", "usr", "var")
"""Left out of the tree's digest while they are directories that hold nothing but RUNTIME_PATHS. Docker makes an /etc
for its four files and containerd does not. gVisor mounts an empty /tmp unless the image has files there. systemd
creates the others where a root lacks them."""

MOUNT_PLACES: Final = ("proc", "sys", "dev")
"""Where every target mounts something, before the box is entered."""

_MAX_LINKS: Final = 40  # as the kernel's own limit
_BLOCK_BYTES: Final = 4096


@dataclass(frozen=True)
class TreeIndex:
    """All entries of a root file system by path, without a leading slash. The root itself is not among them."""

    tar: Path
    members: dict[str, tarfile.TarInfo]
    end: int
    """Where the last entry ends in the tar."""

    def find(self, path: str) -> tarfile.TarInfo | None:
        """The entry that a process in the box finds at ``path``, symbolic links followed; None when there is none."""
        found = self.walk(path)
        member = self.members.get(found[0]) if found is not None and not found[1] else None
        return self._file(member) if member is not None else None

    def walk(self, path: str) -> tuple[str, list[str]] | None:
        """Follow ``path`` from the root, symbolic links too, as far as there are entries.

        Returns:
            The last entry's path, empty for the root, and the parts of ``path`` that do not exist; None when there are
            too many links.
        """
        name, links = "", 0
        parts_left = _parts(path)
        while parts_left:
            part = parts_left[0]
            following = parent_of_name(name) if part == ".." else f"{name}/{part}".lstrip("/")
            member = self.members.get(following)
            if member is None and following:
                break
            name = following
            del parts_left[0]
            if part == ".." or member is None or not member.issym():
                continue
            links += 1
            if links > _MAX_LINKS:
                return None
            name = "" if member.linkname.startswith("/") else parent_of_name(name)
            parts_left = _parts(member.linkname) + parts_left
        return name, parts_left

    def read(self, path: str, *, limit_bytes: int = 2**20) -> bytes | None:
        """The first ``limit_bytes`` of a regular file; None when there is no such file."""
        member = self.find(path)
        if member is None or not member.isreg():
            return None
        with tarfile.open(self.tar) as archive:
            stream = archive.extractfile(member)
            return stream.read(limit_bytes) if stream is not None else None

    def content_bytes(self) -> int:
        """Sum of the sizes of all files. A file with several hard links counts once."""
        return sum(member.size for member in self.members.values() if member.isreg())

    def block_bytes(self) -> int:
        """As ``content_bytes``, but in whole blocks, and with one block for every entry without data."""
        return sum(
            max(1, -(-member.size // _BLOCK_BYTES)) * _BLOCK_BYTES
            for member in self.members.values()
            if not member.islnk()
        )

    @cached_property
    def lines(self) -> tuple[tuple[str, str], ...]:
        """Path and line of every entry, in the order of the walk. Computed once, since it reads all contents.

        Raises:
            BuildError: the archive ends within a content.
        """
        contents = dict(_contents(self))
        names = sorted(self.members, key=lambda path: path.encode("utf-8", "surrogateescape").split(b"/"))
        return tuple((name, _digest_line(name, self, contents)) for name in names)

    def _file(self, member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        return self.members.get(_name(member.linkname)) if member.islnk() else member


def read_index(tar: Path) -> TreeIndex:
    """Index an exported tree.

    Raises:
        BuildError: it is not a tar, or a name in it would leave the directory that it is unpacked in.
    """
    members: dict[str, tarfile.TarInfo] = {}
    parents: set[str] = set()
    ends: list[int] = []
    try:
        for member in members_of(tar, ends.append):
            _refuse_hostile(member, members, parents)
            if name := _name(member.name):
                members[name] = member
    except (tarfile.TarError, EOFError, OverflowError, ValueError) as error:
        raise BuildError(
            f"{tar.name}: the exported tree is not a readable tar archive: {error}",
            hint=f"{start_over()}; is the disk full?",
        ) from None
    return TreeIndex(tar, members, ends[0])


def refuse_foreign_places(name: str, index: TreeIndex, agent: bytes) -> None:
    """Check the places that Boxbench and engines use as root from outside of the box, before it starts.

    A symbolic link there would lead their files, mounts and programs out of the tree, to the host.

    Args:
        name: the image's, for the message.
        agent: the content of the agent's program.

    Raises:
        BuildError: one of them is not a directory, the channel's is not empty, or the agent is not the one that
            Boxbench has put there.
    """
    ours = [path.lstrip("/") for path in (DIRECTORY_IN_BOX, CHANNEL_IN_BOX)]
    for place in (*MOUNT_PLACES, *ours):
        member = index.members.get(place)
        if (member is None and place in ours) or (member is not None and not member.isdir()):
            raise _foreign(name, f"/{place}", "is not a directory", member)
    inside = next((path for path in index.members if path.startswith(f"{ours[-1]}/")), None)
    if inside is not None:
        raise _foreign(name, f"/{inside}", "is in the place where boxbench makes files for each box", None)
    program = index.members.get(AGENT_IN_BOX.lstrip("/"))
    if program is None or not program.isreg() or index.read(AGENT_IN_BOX, limit_bytes=len(agent) + 1) != agent:
        raise _foreign(name, AGENT_IN_BOX, "is not the agent that was put there", program)


def _foreign(name: str, place: str, wrong: str, member: tarfile.TarInfo | None) -> BuildError:
    link = member.linkname if member is not None and member.issym() else ""
    found = foreign_place(place, wrong, link)
    return BuildError(f"image {name}: {found.message}", hint=found.hint)


def tree_digest(index: TreeIndex) -> str:
    """SHA-256 of the tree: path, type, mode, owner, device, link target, size and content of every entry, but no times.

    Entries are in the order of a walk that visits parents first and sorts each directory by bytes, so that the agent
    can compute the same digest inside a box. Each is one line ``TYPE MODE UID GID MAJOR:MINOR SIZE PATH DATA``. PATH is
    percent-encoded. DATA is the SHA-256 of a file's content, the percent-encoded target of a symbolic link, or ``-``.
    A hard link counts as a file. ``RUNTIME_PATHS`` are left out, and ``EMPTY_PATHS`` while they are empty.
    """
    left_out = {name for name in index.members if _at_runtime(name) or _is_empty(name, index)}
    return _digest(line for name, line in index.lines if name not in left_out)


def content_digest(index: TreeIndex) -> str:
    """SHA-256 of everything that is unpacked: as ``tree_digest``, but with extended attributes and nothing left out.

    Two trees with one ``tree_digest`` can differ in it: one image may have an empty /tmp and the other none.
    """
    return _digest(f"{line}{_attributes(index.members[name])}" for name, line in index.lines)


def _digest(lines: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for line in lines:
        digest.update(line.encode("ascii"))
    return digest.hexdigest()


def _attributes(member: tarfile.TarInfo) -> str:
    found = {key: value for key, value in member.pax_headers.items() if "xattr" in key}
    return f"{encode_word(repr(sorted(found.items())))}\n" if found else ""


def _digest_line(name: str, index: TreeIndex, contents: dict[str, str]) -> str:
    member = index.members[name]
    if member.islnk():
        target = _name(member.linkname)
        member, name_of_content = index.members.get(target, member), target
    else:
        name_of_content = name
    kind, data, device, size = "?", "-", "0:0", 0
    if member.isreg():
        kind, data, size = "f", contents[name_of_content], member.size
    elif member.isdir():
        kind = "d"
    elif member.issym():
        kind, data = "l", encode_word(member.linkname)
    elif member.isfifo():
        kind = "p"
    elif member.ischr() or member.isblk():
        kind, device = "c" if member.ischr() else "b", f"{member.devmajor}:{member.devminor}"
    mode = 0o777 if member.issym() else member.mode & 0o7777
    return f"{kind} {mode:04o} {member.uid} {member.gid} {device} {size} {encode_word(name)} {data}\n"


def _contents(index: TreeIndex) -> Iterator[tuple[str, str]]:
    """The name of every file, and the SHA-256 of its content."""
    with (
        tarfile.open(index.tar) as archive,
        index.tar.open("rb") as file,
        mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as data,
        memoryview(data) as view,
    ):
        for name, member in index.members.items():
            if not member.isreg():
                continue
            start, end = member.offset_data, member.offset_data + member.size
            if member.sparse is None and start <= end <= len(view):
                yield name, hashlib.sha256(view[start:end]).hexdigest()
            elif (stream := archive.extractfile(member)) is not None:
                yield name, hashlib.file_digest(stream, "sha256").hexdigest()  # type: ignore[arg-type]


def _at_runtime(name: str) -> bool:
    return name in RUNTIME_PATHS or name.startswith(_BELOW_RUNTIME_PATHS)


def _is_empty(name: str, index: TreeIndex) -> bool:
    if name not in EMPTY_PATHS or not index.members[name].isdir():
        return False
    below = f"{name}/"
    return not any(other.startswith(below) and not _at_runtime(other) for other in index.members)


def digest_exclusions() -> tuple[str, ...]:
    """The paths that ``tree_digest`` leaves out, for the agent. A slash at the end means: only while it is empty."""
    return (*RUNTIME_PATHS, *(f"{path}/" for path in EMPTY_PATHS))


def _refuse_hostile(member: tarfile.TarInfo, seen: dict[str, tarfile.TarInfo], parents: set[str]) -> None:
    """Raise BuildError for a name that would leave the tree.

    Args:
        parents: directories that are known to be below no link.
    """
    name = _name(member.name)
    if name in parents and member.issym():
        parents.clear()
    leaves = _has_parent(member.name) or (member.islnk() and _has_parent(member.linkname))
    if leaves or _is_below_link(name, seen, parents):
        raise BuildError(
            f"the image's tree has an entry that would leave the tree when unpacked: {member.name!r}",
            hint="container engines never export such a name; check how the image was made",
        )


def _has_parent(path: str) -> bool:
    return ".." in path and ".." in path.split("/")


def _is_below_link(name: str, seen: dict[str, tarfile.TarInfo], parents: set[str]) -> bool:
    # Every directory is checked once: an image can have thousands of them inside each other.
    new, parent = [], parent_of_name(name)
    while parent and parent not in parents:
        if (found := seen.get(parent)) is not None and found.issym():
            return True
        new.append(parent)
        parent = parent_of_name(parent)
    parents.update(new)
    return False


def _name(path: str) -> str:
    # Nearly all names are in this form already.
    if "//" in path or "/." in path or path.startswith((".", "/")) or path.endswith("/"):
        return "/".join(_parts(path))
    return path


def parent_of_name(name: str) -> str:
    """``usr`` for ``usr/bin``; an empty text for ``usr``, whose parent is the root."""
    return name.rpartition("/")[0]


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in ("", ".")]
