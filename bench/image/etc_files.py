"""The files of /etc that an engine gives every container, for boxes that no engine fills.

Docker and podman mount files of their own over these places, whatever the image has there. The exported tree gets the
same files in place of the image's, so a directory or a disk that is made from it has them too.
"""

from __future__ import annotations

import posixpath
import tarfile
from collections.abc import Iterator, Mapping
from typing import Final

from bench.agent.boxconf import HOSTNAME
from bench.image.archive import TreeIndex
from bench.util.errors import BuildError

OWN_ADDRESS: Final = "127.0.0.1"
"""What the host name of a box without a network stands for."""

_HOSTS: Final = (
    ("127.0.0.1", "localhost"),
    ("::1", "localhost ip6-localhost ip6-loopback"),
    ("fe00::", "ip6-localnet"),
    ("ff00::", "ip6-mcastprefix"),
    ("ff02::1", "ip6-allnodes"),
    ("ff02::2", "ip6-allrouters"),
    (OWN_ADDRESS, HOSTNAME),
)
ETC_FILES: Final[Mapping[str, bytes]] = {
    "etc/hosts": "".join(f"{address}\t{names}\n" for address, names in _HOSTS).encode("ascii"),
    "etc/hostname": f"{HOSTNAME}\n".encode("ascii"),
    # No box without a network has a name server.
    "etc/resolv.conf": b"",
}
"""Content by path. The lines of hosts are Docker's, for a container without a network that knows its own name."""


def etc_files(image: str, index: TreeIndex) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    """The entries that replace what an exported tree has at these places; a link there is replaced, not followed.

    Args:
        image: its name, for error messages.

    Raises:
        BuildError: engines cannot mount a file there, or another name of the tree is a hard link to such a file.
    """
    parent = index.members.get("etc")
    if parent is None:
        directory = tarfile.TarInfo("etc")
        directory.type, directory.mode = tarfile.DIRTYPE, 0o755
        yield directory, b""
    elif not parent.isdir():
        raise _unusable(image, "/etc", "is not a directory", "make it one")
    linked = {posixpath.normpath(member.linkname.lstrip("/")): name for name, member in _hard_links(index)}
    for name, content in ETC_FILES.items():
        if (found := index.members.get(name)) is not None and found.isdir():
            raise _unusable(image, f"/{name}", "is a directory", "remove it")
        if (other := linked.get(name)) is not None:
            raise _unusable(image, f"/{name}", f"is a hard link, and so is /{other}", "make them two files")
        member = tarfile.TarInfo(name)
        member.size, member.mode = len(content), 0o644
        yield member, content


def _hard_links(index: TreeIndex) -> Iterator[tuple[str, tarfile.TarInfo]]:
    return ((name, member) for name, member in index.members.items() if member.islnk())


def _unusable(image: str, place: str, wrong: str, remedy: str) -> BuildError:
    return BuildError(
        f"image {image}: {place} {wrong}",
        hint=f"{remedy} in the Dockerfile: engines mount files of their own at {', '.join(f'/{n}' for n in ETC_FILES)}",
    )
