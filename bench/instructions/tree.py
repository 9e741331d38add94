"""An image's tree as entries of an initramfs and as an image archive: sorted and without times, so always the same."""

from __future__ import annotations

import hashlib
import io
import json
import stat
import tarfile
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath
from typing import Final

from bench.agent.boxconf import BoxConfig
from bench.image.archive import TreeIndex
from bench.image.vm.initramfs import CpioEntry

_LINKED: Final = 1 << 24
"""First inode number of files with several names. No archive has so many entries."""
_CAPABILITY: Final = "SCHILY.xattr.security.capability"
_TYPES: Final[tuple[tuple[Callable[[tarfile.TarInfo], bool], int], ...]] = (
    (tarfile.TarInfo.isdir, stat.S_IFDIR),
    (tarfile.TarInfo.issym, stat.S_IFLNK),
    (tarfile.TarInfo.ischr, stat.S_IFCHR),
    (tarfile.TarInfo.isblk, stat.S_IFBLK),
    (tarfile.TarInfo.isfifo, stat.S_IFIFO),
)


def tree_entries(
    index: TreeIndex, prefix: str = "", keep: Callable[[str], bool] = lambda _name: True
) -> list[CpioEntry]:
    """The entries of a tree whose names ``keep`` accepts, below ``prefix``, each after its parent directory.

    File capabilities are lost, since the format cannot store them.
    """
    with tarfile.open(index.tar) as archive:
        names = sorted((name for name in index.members if keep(name)), key=lambda name: PurePosixPath(name).parts)
        entries = list(_entries(archive, index, names, prefix))
    return [*_parents(entries), *entries]


def _entries(archive: tarfile.TarFile, index: TreeIndex, names: list[str], prefix: str) -> Iterator[CpioEntry]:
    groups = _links(index, names)
    written: set[str] = set()
    for name in names:
        member = index.members[name]
        path = f"{prefix}{name}"
        if not (member.isreg() or member.islnk()):
            yield _special(member, path)
            continue
        origin = _origin(index, name)
        group = groups[origin]
        content = b"" if origin in written else _content(archive, index.members[origin])
        written.add(origin)
        number = _LINKED + names.index(group[0]) if len(group) > 1 else 0
        mode = stat.S_IFREG | (index.members[origin].mode & 0o7777)
        yield CpioEntry(path, mode, content, owner=(member.uid, member.gid), inode=number, links=len(group))


def _special(member: tarfile.TarInfo, path: str) -> CpioEntry:
    kind = next(bits for test, bits in _TYPES if test(member))
    mode = kind | (0o777 if member.issym() else member.mode & 0o7777)
    target = member.linkname.encode("utf-8", "surrogateescape") if member.issym() else b""
    device = (member.devmajor, member.devminor) if member.ischr() or member.isblk() else (0, 0)
    return CpioEntry(path, mode, target, device=device, owner=(member.uid, member.gid))


def _links(index: TreeIndex, names: list[str]) -> dict[str, list[str]]:
    """The names of each regular file, by the name whose entry has the content."""
    groups: dict[str, list[str]] = {}
    for name in names:
        if index.members[name].isreg() or index.members[name].islnk():
            groups.setdefault(_origin(index, name), []).append(name)
    return groups


def _origin(index: TreeIndex, name: str) -> str:
    member = index.members[name]
    return _clean(member.linkname) if member.islnk() else name


def _clean(path: str) -> str:
    return "/".join(part for part in path.split("/") if part not in ("", "."))


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    stream = archive.extractfile(member)
    return b"" if stream is None else stream.read()


def _parents(entries: list[CpioEntry]) -> list[CpioEntry]:
    """The parent directories that have no entry, outermost first."""
    there = {entry.name for entry in entries}
    missing = {
        str(parent)
        for entry in entries
        for parent in PurePosixPath(entry.name).parents
        if str(parent) != "." and str(parent) not in there
    }
    return [CpioEntry(name, stat.S_IFDIR | 0o755) for name in sorted(missing, key=lambda name: name.split("/"))]


def image_archive(index: TreeIndex, config: BoxConfig, ref: str, *, comment: str) -> tuple[bytes, str]:
    """The tree as an image with one layer, in the format of ``docker load``; and the layer's digest.

    It has no dates and not the layers of the build, which would make each build another image.

    Args:
        comment: stored in the layer's archive and in no file of it; it changes the digests of layer and image.
    """
    layer = _layer(index, comment)
    digest = f"sha256:{hashlib.sha256(layer).hexdigest()}"
    config_file = {
        "architecture": "amd64",
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": {"Env": list(config.env), "WorkingDir": config.cwd, "User": config.user, "Cmd": list(config.argv)},
        "rootfs": {"type": "layers", "diff_ids": [digest]},
        "history": [{"created": "1970-01-01T00:00:00Z"}],
    }
    text = json.dumps(config_file, sort_keys=True).encode()
    name = f"{hashlib.sha256(text).hexdigest()}.json"
    manifest = json.dumps([{"Config": name, "RepoTags": [ref], "Layers": ["layer.tar"]}]).encode()
    return _tar([(name, text), ("layer.tar", layer), ("manifest.json", manifest)]), digest


def _layer(index: TreeIndex, comment: str) -> bytes:
    buffer = io.BytesIO()
    with (
        tarfile.open(index.tar) as archive,
        tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT, pax_headers={"comment": comment}) as layer,
    ):
        # A link must come after the file that it names, which the sorted order does not ensure.
        for name in sorted(index.members, key=lambda name: (index.members[name].islnk(), name.split("/"))):
            member = index.members[name]
            layer.addfile(_timeless(member, name), archive.extractfile(member) if member.isreg() else None)
    return buffer.getvalue()


def _timeless(member: tarfile.TarInfo, name: str) -> tarfile.TarInfo:
    same = tarfile.TarInfo(name)
    for field in ("size", "mode", "type", "linkname", "uid", "gid", "devmajor", "devminor"):
        setattr(same, field, getattr(member, field))
    same.linkname = _clean(member.linkname) if member.islnk() else member.linkname
    if _CAPABILITY in member.pax_headers:
        same.pax_headers = {_CAPABILITY: member.pax_headers[_CAPABILITY]}
    return same


def _tar(files: list[tuple[str, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()
