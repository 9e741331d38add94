"""What engines put into a container's tree at its start, added to an exported tree: /etc/hosts, places of volumes."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench.image.archive import TreeIndex, read_index
from bench.image.etc_files import ETC_FILES, etc_files
from bench.image.volumes import missing_places

TREE_RECIPE: Final = "etc-1"
"""Part of the name of exported trees. Change it when something else is added to them."""

# The fields of a header, see POSIX, pax, "ustar Interchange Format".
_SUM: Final = slice(148, 156)
_TYPE: Final = slice(156, 157)
_TARGET: Final = slice(157, 257)


def complete_tree(tar: Path, image: str, volumes: Sequence[str]) -> TreeIndex:
    """Append to an exported tree. A later entry replaces an earlier one with the same name.

    Args:
        image: its name, for error messages.
        volumes: the places of its volumes, as the engine reports them.

    Returns:
        The index of the whole. Large trees take seconds to index, so the tar is not read again for it.

    Raises:
        BuildError: the image has something else at one of the places.
    """
    index = read_index(tar)
    # Programs that unpack a tar make links last, so a later entry does not replace a link.
    links = [member for name in ETC_FILES if (member := index.members.get(name)) is not None and member.issym()]
    added = [(place, b"") for place in missing_places(image, volumes, index)]
    added += etc_files(image, index)
    _empty(tar, links)
    return _appended(index, added)


def _appended(index: TreeIndex, added: Sequence[tuple[tarfile.TarInfo, bytes]]) -> TreeIndex:
    """Append entries with their contents. In append mode tarfile would read all others first, which takes seconds."""
    members = dict(index.members)
    with index.tar.open("r+b") as file:
        file.seek(index.end)
        file.truncate()
        with tarfile.open(fileobj=file, mode="w") as archive:
            for member, content in added:
                member.offset = archive.offset
                archive.addfile(member, io.BytesIO(content))
                blocks = -(-len(content) // tarfile.BLOCKSIZE)
                member.offset_data = archive.offset - blocks * tarfile.BLOCKSIZE
                members[member.name] = member
            end = archive.offset
    return TreeIndex(index.tar, members, end)


def _empty(tar: Path, links: Sequence[tarfile.TarInfo]) -> None:
    """Turn symbolic links of an archive into empty files, by their headers alone."""
    with tar.open("r+b") as file:
        for link in links:
            place = link.offset_data - tarfile.BLOCKSIZE
            file.seek(place)
            header = bytearray(file.read(tarfile.BLOCKSIZE))
            header[_TYPE] = tarfile.REGTYPE
            header[_TARGET] = bytes(100)
            header[_SUM] = b" " * 8
            header[_SUM] = b"%06o\0 " % sum(header)
            file.seek(place)
            file.write(header)
