"""Images: exported trees, accounts and configuration, archives of layers."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any, Final, cast

from bench.agent.boxconf import render_boxconf
from bench.image.archive import content_digest, read_index, tree_digest
from bench.image.config import resolve_config
from bench.image.model import Image
from bench.image.saved import _write_sizes
from bench.image.stores.base import StoredImage
from bench.scenario.model import Workload
from tests.fuzz import mutate
from tests.fuzz.reader import Reader, promised

_PATHS: Final = ("/bin/sh", "bin/../etc/passwd", "/loop/x", "/etc/passwd", "//usr/./bin/sh", "/missing")


def _tar(entries: list[tuple[str, bytes, str | bytes]], kind: int = tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=kind, bufsize=512) as archive:
        for name, type_, content in entries:
            member = tarfile.TarInfo(name)
            member.type, member.mode = type_, 0o755
            if isinstance(content, str):
                member.linkname = content
                archive.addfile(member)
            else:
                member.size = len(content)
                member.pax_headers = {"SCHILY.xattr.security.capability": "x"} if kind == tarfile.PAX_FORMAT else {}
                archive.addfile(member, io.BytesIO(content))
    # Of the zeros at the end one block pair is enough, and short inputs are damaged at better places.
    return buffer.getvalue().rstrip(b"\0") + bytes(1024)


_TREE: Final[list[tuple[str, bytes, str | bytes]]] = [
    ("usr/", tarfile.DIRTYPE, b""),
    ("usr/bin", tarfile.DIRTYPE, b""),
    ("etc", tarfile.DIRTYPE, b""),
    ("usr/bin/sh", tarfile.REGTYPE, b"shell"),
    ("bin", tarfile.SYMTYPE, "usr/bin"),
    ("loop", tarfile.SYMTYPE, "/loop/x"),
    ("etc/passwd", tarfile.REGTYPE, b"root:x:0:0:root:/root:/bin/sh\n"),
    ("usr/bin/hard", tarfile.LNKTYPE, "usr/bin/sh"),
    ("dev/null", tarfile.CHRTYPE, b""),
    ("pipe", tarfile.FIFOTYPE, b""),
    ("x" * 120, tarfile.REGTYPE, b"long name"),
]


@cache
def trees() -> tuple[bytes, ...]:
    return _tar(_TREE), _tar(_TREE, tarfile.GNU_FORMAT), _tar(_TREE[:-1], tarfile.USTAR_FORMAT)


def _check_tree(data: bytes, scratch: Path) -> None:
    (scratch / "tree.tar").write_bytes(data)
    index = read_index(scratch / "tree.tar")
    for path in _PATHS:
        index.find(path)
        index.read(path)
    index.content_bytes(), index.block_bytes()
    tree_digest(index)
    content_digest(index)


def with_pax_length(length: bytes) -> bytes:
    """A tar whose extended header says that one of its lines has so many bytes."""
    header = tarfile.TarInfo("x")
    header.type, body = tarfile.XHDTYPE, length + b" path=x\n"
    header.size = len(body)
    return header.tobuf(tarfile.USTAR_FORMAT) + body.ljust(512, b"\0") + bytes(1024)


@cache
def _configurations() -> tuple[bytes, ...]:
    passwd = "root:x:0:0:root:/root:/bin/sh\nweb:x:33:34:www:/var/www:/bin/false\nbroken\nodd:x:²:0:o:/:/\n"
    group = "root:x:0:\nweb:x:34:\nlog:x:4:adm,web\n"
    configs: list[dict[str, Any]] = [
        {"Cmd": ["/bin/sh"], "User": "web", "Env": ["PATH=/bin", "A=b"], "WorkingDir": "/srv", "StopSignal": "SIGINT"},
        {"Entrypoint": ["sh", "-c"], "Cmd": ["x"], "User": "33:log", "StopSignal": "9"},
        {"Cmd": ["bin/sh"], "User": "1000:1000", "Entrypoint": None},
    ]
    return tuple(json.dumps({"config": config, "passwd": passwd, "group": group}).encode() for config in configs)


def _check_config(data: bytes, scratch: Path) -> None:
    """The configuration is what an engine reports of an image that somebody else made."""
    with promised(ValueError, RecursionError):
        document = json.loads(data.decode("utf-8", "replace"))
    config = document.get("config") if isinstance(document, dict) else None
    if not isinstance(config, dict):
        return
    files = [(f"etc/{name}", str(document.get(name, ""))) for name in ("passwd", "group")]
    entries = [(name, tarfile.REGTYPE, text.encode("utf-8", "surrogatepass")) for name, text in files]
    (scratch / "config.tar").write_bytes(_tar([*_TREE[:5], *entries], tarfile.GNU_FORMAT))
    found = resolve_config("shop", config, Workload(), read_index(scratch / "config.tar"))
    assert all(0 <= number < 2**32 - 1 for number in (found.uid, found.gid, *found.groups))
    text = render_boxconf(found, None)
    assert text.count(b"\n") == len(found.argv) + len(found.env) + 6


def _damaged_config(rng: Random, seeds: Sequence[bytes]) -> bytes:
    """One of the three parts is damaged. The engine has checked the types of the configuration, and not its texts."""
    document = json.loads(rng.choice(seeds))
    part = rng.choice(("config", "config", "passwd", "group"))
    if part == "config":
        config = document["config"]
        key = rng.choice([key for key in config if config[key]])
        words = config[key] if isinstance(config[key], list) else [config[key]]
        at = rng.randrange(len(words))
        words[at] = mutate.text(rng, [words[at].encode("utf-8", "surrogatepass")]).decode("utf-8", "surrogateescape")
        config[key] = words if isinstance(config[key], list) else words[0]
    else:
        document[part] = mutate.text(rng, [str(document[part]).encode("utf-8", "replace")]).decode("utf-8", "replace")
    return json.dumps(document).encode()


@cache
def archives() -> tuple[bytes, ...]:
    listed = json.dumps([{"Layers": ["blobs/a", "two/layer.tar"]}]).encode()
    entries: list[tuple[str, bytes, str | bytes]] = [
        ("blobs/a", tarfile.REGTYPE, b"x" * 3000),
        ("one/layer.tar", tarfile.REGTYPE, b"y" * 100),
        ("two/layer.tar", tarfile.SYMTYPE, "../one/layer.tar"),
        ("manifest.json", tarfile.REGTYPE, listed),
    ]
    return (_tar(entries, tarfile.GNU_FORMAT), _tar(entries))


class _Engine:
    """An engine with one image of two layers, which it saves in small chunks."""

    def __init__(self, saved: bytes) -> None:
        self._saved = saved

    def inspect(self, _reference: str) -> StoredImage:
        return StoredImage("sha256:1", {}, "amd64", "linux", 0, ("sha256:a", "sha256:b"))

    def save(self, _reference: str) -> Iterator[bytes]:
        for start in range(0, len(self._saved), 1000):
            yield self._saved[start : start + 1000]


def _check_archive(data: bytes, scratch: Path) -> None:
    image = cast("Image", SimpleNamespace(id="sha256:" + "ab" * 32, ref="boxbench/x:1"))
    _write_sizes(cast("Any", _Engine(data)), image, scratch / "sizes.json")
    assert len(json.loads((scratch / "sizes.json").read_text(encoding="ascii"))) == 2


READERS: Final = (
    Reader("image.tree", trees, mutate.text, _check_tree, share=30),
    Reader("image.config", _configurations, _damaged_config, _check_config, share=15),
    Reader("image.archive", archives, mutate.text, _check_archive, share=60),
)
