"""The plain image of a workload that is on disk, or in podman's storage: read by skopeo, loaded into the engine."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

from bench.host.scratch import scratch
from bench.image import oci_layout
from bench.image.stores.base import ImageStore, Log, StoredImage, StoreError
from bench.records.manifest import ImageOrigin
from bench.scenario.image_name import STORAGE, ImageFile, StoredImageName
from bench.util import cache, proc
from bench.util.errors import ProcessError
from bench.util.files import open_file
from bench.util.steps import measured_by, step
from bench.util.text import first_of, logged, plain
from bench.util.units import format_bytes

_TIMEOUT_S: Final = 3600.0
_SEVERAL: Final = "it has several images"
_SAVED: Final = "image.tar"
_GIVEN: Final = "given.tar"
_MOST_SAID: Final = 500


def archived_image(
    store: ImageStore, named: ImageFile | StoredImageName, directory: Path, log: Log
) -> tuple[StoredImage, ImageOrigin]:
    """The image in an archive, a layout or podman's storage, and what is put on record of it.

    Args:
        directory: what the path of an archive is relative to.

    Raises:
        StoreError: there is no such image, it is damaged or hostile, or the engine refuses it.
        HostUnfitError: skopeo is missing.
    """
    if isinstance(named, StoredImageName):
        return _from_storage(store, named, log)
    located = named.locate(directory)
    if located is None:
        raise StoreError(
            f"{directory / named.place} does not exist", hint="workload.image is relative to the scenario file"
        )
    path, name = located
    if named.kind == "docker-archive":
        return _from_docker_archive(store, named, path.resolve(), name, log)
    with scratch() as folder:
        layout = path.resolve()
        if named.kind == "oci-archive":
            log(f"unpacking {path.name}")
            layout = folder / "unpacked"
            with step("unpack archive"):
                oci_layout.unpack(path.resolve(), layout)
        chosen = oci_layout.choose(layout, str(named), name)

        def convert() -> None:
            oci_layout.check_blobs(layout, chosen, str(named))
            oci_layout.select(layout, chosen, folder / "layout")
            _copy("oci:layout", folder, named)

        image = _loaded(store, chosen.digest, folder, convert, log, shown=str(named))
    return image, ImageOrigin(kind="archive", name=str(named), digest=chosen.digest)


def _from_docker_archive(
    store: ImageStore, named: ImageFile, path: Path, name: str, log: Log
) -> tuple[StoredImage, ImageOrigin]:
    try:
        with open_file(path) as file:
            found = hashlib.file_digest(file, "sha256")  # type: ignore[arg-type]
            digest = f"sha256:{found.hexdigest()}"
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}", hint="check its owner and mode") from None
    with scratch() as folder:
        # A colon in the path would end it for skopeo.
        (folder / _GIVEN).symlink_to(path)
        source = f"docker-archive:{_GIVEN}{f':{name}' if name else ''}"

        def convert() -> None:
            try:
                _copy(source, folder, named)
            except StoreError as error:
                raise _with_names(error, folder, named) from None

        image = _loaded(store, cache.content_key(digest, name), folder, convert, log, shown=str(named))
    return image, ImageOrigin(kind="archive", name=str(named), digest=digest)


def _with_names(error: StoreError, folder: Path, named: ImageFile) -> StoreError:
    """The same error; that of an archive with several images lists them."""
    if _SEVERAL not in error.message:
        return error
    listed = json.loads(_skopeo(["list-tags", f"docker-archive:{_GIVEN}"], folder, named))
    names = [plain(str(name))[:200] for name in listed.get("Tags") or ()]
    return StoreError(f"{named}: {_SEVERAL}: {', '.join(first_of(names, 'images'))}", hint=error.hint)


def _from_storage(store: ImageStore, named: StoredImageName, log: Log) -> tuple[StoredImage, ImageOrigin]:
    source = f"{STORAGE}:{named.name}"
    with scratch() as folder:
        digest = _skopeo(["inspect", "--format", "{{.Digest}}", source], folder, named).strip()
        image = _loaded(store, digest, folder, lambda: _copy(source, folder, named), log, shown=str(named))
    return image, ImageOrigin(kind="storage", name=named.name, digest=digest)


def _loaded(
    store: ImageStore, key: str, folder: Path, convert: Callable[[], None], log: Log, *, shown: str
) -> StoredImage:
    """The image in the engine, loaded unless it has it from an earlier run.

    Args:
        key: the same for the same content.
        folder: a directory for the archive that ``convert`` writes.
        convert: writes the archive that engines load, as ``_copy`` does.
    """
    note = cache.cache_dir() / "loaded" / cache.content_key(key)
    found = store.inspect(note.read_text(encoding="ascii")) if note.is_file() else None
    if found is None:
        log(f"converting {shown}")
        with step("convert"):
            measured_by(lambda: (folder / _SAVED).stat().st_size)
            convert()
        log(f"loading {shown}: {format_bytes((folder / _SAVED).stat().st_size)}")
        with step("load"):
            identity = store.load(folder / _SAVED)
        found = store.inspect(identity)
        if found is None:
            raise StoreError(f"the engine does not know the image {identity} of {shown}", hint="run again")
        note.unlink(missing_ok=True)  # of another engine, which may have another id for it
        written = found.id
        cache.ensure("loaded", note.name, lambda to: _note(to, written))
    return found


def _note(path: Path, identity: str) -> None:
    path.write_text(identity, encoding="ascii")


def _copy(source: str, folder: Path, named: ImageFile | StoredImageName) -> None:
    """Write the archive that engines load. It has no names: the engine would take them from images of the user."""
    # A colon in a path would end it, so paths are relative.
    _skopeo(["copy", "--quiet", source, f"docker-archive:{_SAVED}"], folder, named)


def _skopeo(words: list[str], folder: Path, named: ImageFile | StoredImageName) -> str:
    """Run skopeo in a directory; returns its output. Raises StoreError with what it said."""
    skopeo = proc.require_tool("skopeo", package="skopeo")
    # The user's policy says whose signatures are asked for. Here it is the user who names the file.
    argv = [skopeo, "--insecure-policy", "--tmpdir", str(folder), *words]
    try:
        return proc.run(argv, timeout_s=_TIMEOUT_S, cwd=folder, keep=proc.ENGINE_VARIABLES).text
    except ProcessError as error:
        raise archive_error(named, error.stderr_tail or error.message) from None


def archive_error(named: ImageFile | StoredImageName, stderr: str) -> StoreError:
    """The error of an image that skopeo could not read.

    Args:
        stderr: what it said.
    """
    fatal = next((line for line in stderr.splitlines() if "level=fatal" in line), stderr)
    said = " ".join(plain(logged(fatal)).split())[-_MOST_SAID:]
    said = said.removeprefix("initializing source ").removeprefix(f"docker-archive:{_GIVEN}: ")
    for pattern, what, hint in _KNOWN:
        if re.search(pattern, said, re.IGNORECASE):
            return StoreError(f"{named}: {what}: {said}", hint=hint)
    return StoreError(f"{named} cannot be read: {said}", hint="get the file again, or look at it with `skopeo inspect`")


_KNOWN: Final = (
    (
        r"no space left|disk quota",
        "the disk became full",
        "free space in boxbench's cache, or set BOXBENCH_CACHE to a directory on a larger disk",
    ),
    (
        r"more than one image|multiple images|choose an image|expected 1 item, got",
        _SEVERAL,
        "name one of them: the file, a colon, NAME:TAG",
    ),
    (
        r"does not resolve to an image|identifier is not an image|not known|no such image",
        "podman and Buildah have no such image",
        "`podman images` as the same user lists them; names have their registry, as in localhost/app:1",
    ),
    (
        r"did not match|mismatch|checksum|does not match|verification failed|corrupt input",
        "a part of it has other content than its digest says",
        "the file was damaged; get it again",
    ),
    (
        r'"?manifest\.json"?: file does not exist',
        "it is not what `docker save` writes",
        "for the archive of an OCI layout write oci-archive:FILE",
    ),
    (
        r"unexpected EOF|no such file|invalid tar header|not found|EOF",
        "it is no image archive, or a part of it is missing",
        "make it again with `docker save`, `podman save` or `skopeo copy`",
    ),
)
