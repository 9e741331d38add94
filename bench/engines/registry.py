"""An image registry of our own at the far end of a link: Debian's ``docker-registry``, with images and other files.

Disks and trees are blobs of the registry as layers are, so one server serves all targets. It is filled from the side
that fetches, in the direction that the link does not limit.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.engines.link import SERVER, Link
from bench.engines.startup import becomes, why_not_up
from bench.util import proc
from bench.util.errors import HostUnfitError
from bench.util.private import private_directory
from bench.util.steps import measured_by, step

PORT: Final = 5000
ADDRESS: Final = f"{SERVER}:{PORT}"
"""As the first part of an image's name."""
REPOSITORY: Final = "first-start"
_PACKAGE: Final = "docker-registry"
UNPACKED: Final = Path(sys.prefix) / "libexec" / _PACKAGE
"""Where ./bootstrap puts the program on a host that has none. Its package would start a service."""
_START_TIMEOUT_S: Final = 30.0
_UPLOAD_TIMEOUT_S: Final = 600.0
_POLL_S: Final = 0.05
_COMPRESSION: Final = {
    "gzip": ("--dest-compress-format", "gzip", "--dest-compress-level", "9"),
    "zstd": ("--dest-compress-format", "zstd"),
}
"""Options of skopeo. At its default level its gzip makes layers 3.4 % larger than ``docker push`` does, at level 9 they
are 0.1 % smaller. Its zstd has level 3, as the program zstd."""
_MANIFESTS: Final = (
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
)


@dataclass(frozen=True)
class Blob:
    """A file in the registry."""

    digest: str
    """``sha256:...``"""
    size_bytes: int

    @classmethod
    def of(cls, content: bytes) -> Blob:
        """The blob with this content."""
        return cls(f"sha256:{hashlib.sha256(content).hexdigest()}", len(content))

    @property
    def url(self) -> str:
        """Where the fetching side gets it."""
        return f"http://{ADDRESS}/v2/{REPOSITORY}/blobs/{self.digest}"


@dataclass(frozen=True)
class PushedImage:
    """An image in the registry."""

    ref: str
    """Its name with its digest, for a pull."""
    layers: tuple[Blob, ...]
    """As they travel, lowest first."""
    size_bytes: int
    """Of everything that travels when it is pulled: layers, configuration, manifest."""
    config: Blob
    """Its configuration. The digest is the image's id."""

    @property
    def small_bytes(self) -> int:
        """Of what travels beside the layers: configuration and manifest."""
        layers = {blob.digest: blob.size_bytes for blob in self.layers}
        return self.size_bytes - sum(layers.values())


class Registry:
    """A registry on the link's server, with its content on a disk.

    Args:
        home: a directory for its configuration and log.
        content: a directory on a disk.
    """

    def __init__(self, link: Link, home: Path, content: Path) -> None:
        self.link = link
        self._settings, self._log = home / "config.yml", home / "log"
        self._settings.write_text(json.dumps(_settings(content)), encoding="utf-8")
        self._process: proc.Process | None = None

    def start(self) -> None:
        """Start it, unless it runs. What was pushed before is there. Raises HostUnfitError."""
        if self._process is not None and self._process.poll() is None:
            return
        argv = self.link.on_server(registry_program(), "serve", self._settings)
        with self._log.open("ab") as stream:
            self._process = proc.spawn(argv, stdout=stream, stderr=subprocess.STDOUT, keep=proc.NO_VARIABLES)
        _wait_until_up(self.link, self._process, self._log)

    @property
    def pid(self) -> int | None:
        """Its process; None before it was started."""
        return None if self._process is None else self._process.pid

    def stop(self) -> None:
        """Stop it, if it runs."""
        if self._process is not None:
            proc.stop(self._process)

    def why_ended(self) -> str | None:
        """What it said last if it has ended by itself, as a sentence; None while it runs."""
        if self._process is None or self._process.poll() is None:
            return None
        return f"the registry at the far end of the link has ended ({proc.last_line(self._log)})"

    def push_image(self, archive: Path, *, layers: str) -> PushedImage:
        """Push an image from an archive as ``docker save`` writes it.

        Args:
            layers: how its layers are compressed: ``gzip`` or ``zstd``.

        Raises:
            HostUnfitError, ProcessError: skopeo is missing or failed.
        """
        skopeo = proc.require_tool("skopeo", package="skopeo")
        name = f"{ADDRESS}/{REPOSITORY}:pushed"
        argv = self.link.on_fetcher(
            skopeo, "--insecure-policy", "copy", "--quiet", "--dest-tls-verify=false", *_COMPRESSION[layers],
            f"docker-archive:{archive}", f"docker://{name}",
        )  # fmt: skip
        with step("push"):
            proc.run(argv, timeout_s=_UPLOAD_TIMEOUT_S, keep=("HOME", "TMPDIR"))
        raw = self._manifest("pushed")
        manifest = json.loads(raw)
        blobs, config = tuple(_blob(entry) for entry in manifest["layers"]), _blob(manifest["config"])
        unique = {blob.digest: blob.size_bytes for blob in (*blobs, config)}
        size = sum(unique.values()) + len(raw)
        return PushedImage(f"{ADDRESS}/{REPOSITORY}@{Blob.of(raw).digest}", blobs, size, config)

    def push_lowest_layer(self, image: PushedImage) -> PushedImage:
        """Push an image that has only the lowest layer of another one. Raises as ``push_image``."""
        manifest = json.loads(self._manifest(image.ref.partition("@")[2]))
        config = json.loads(self._curl(_blob(manifest["config"]).url))
        config["rootfs"]["diff_ids"] = config["rootfs"]["diff_ids"][:1]
        made = [entry for entry in config.get("history", ()) if not entry.get("empty_layer")]
        config["history"] = made[:1]
        content = json.dumps(config).encode()
        blob = self._push(Blob.of(content), "--data-binary", "@-", stdin=content)
        manifest["config"] |= {"digest": blob.digest, "size": blob.size_bytes}
        manifest["layers"] = manifest["layers"][:1]
        raw = json.dumps(manifest).encode()
        digest = Blob.of(raw).digest
        kind = ("--request", "PUT", "--header", f"Content-Type: {manifest['mediaType']}", "--data-binary", "@-")
        self._curl(*kind, f"http://{ADDRESS}/v2/{REPOSITORY}/manifests/{digest}", stdin=raw)
        lowest = _blob(manifest["layers"][0])
        size = lowest.size_bytes + blob.size_bytes + len(raw)
        return PushedImage(f"{ADDRESS}/{REPOSITORY}@{digest}", (lowest,), size, blob)

    def push_file(self, file: Path) -> Blob:
        """Push a file. Raises HostUnfitError, ProcessError: curl is missing or failed."""
        with file.open("rb") as stream:
            blob = Blob(f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}", file.stat().st_size)
        with step("push"):
            measured_by(lambda: blob.size_bytes)
            return self._push(blob, "--upload-file", file)

    def _push(self, blob: Blob, *content: str | Path, stdin: bytes | None = None) -> Blob:
        start = f"http://{ADDRESS}/v2/{REPOSITORY}/blobs/uploads/"
        place = self._curl("--request", "POST", "--output", "/dev/null", "--write-out", "%header{location}", start)
        url = f"{place.decode()}&digest={blob.digest}"
        kind = ("--request", "PUT", "--header", "Content-Type: application/octet-stream")
        self._curl("--output", "/dev/null", *kind, *content, url, stdin=stdin)
        return blob

    def _manifest(self, tag: str) -> bytes:
        kinds = ("--header", f"Accept: {', '.join(_MANIFESTS)}")
        return self._curl(*kinds, f"http://{ADDRESS}/v2/{REPOSITORY}/manifests/{tag}")

    def _curl(self, *arguments: str | Path, stdin: bytes | None = None) -> bytes:
        curl = proc.require_tool("curl", package="curl")
        words = self.link.on_fetcher(curl, "--silent", "--show-error", "--fail", *arguments)
        return proc.run(words, timeout_s=_UPLOAD_TIMEOUT_S, keep=proc.NO_VARIABLES, stdin=stdin).stdout


def _blob(entry: dict[str, Any]) -> Blob:
    return Blob(str(entry["digest"]), int(entry["size"]))


def registry_program() -> str:
    """The path of the registry's program. Raises HostUnfitError."""
    return str(UNPACKED) if UNPACKED.is_file() else proc.require_tool(_PACKAGE, package=_PACKAGE)


def check_tools() -> None:
    """Raise HostUnfitError when a program is missing that fills or runs a registry."""
    registry_program()
    proc.require_tool("skopeo", package="skopeo")
    proc.require_tool("curl", package="curl")


@contextmanager
def registry(link: Link, run_dir: Path, storage: Path) -> Iterator[Registry]:
    """A registry on the link's server, empty at first.

    Args:
        run_dir: for its configuration and log.
        storage: for its content, on a disk. The caller removes both.

    Raises:
        HostUnfitError: a tool is missing, or the registry does not start.
    """
    check_tools()
    served = Registry(link, private_directory(run_dir / "registry"), private_directory(storage / "registry"))
    try:
        served.start()
        yield served
    finally:
        served.stop()


def _settings(content: Path) -> dict[str, Any]:
    # JSON is YAML, too.
    return {
        "version": "0.1",
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {
            "filesystem": {"rootdirectory": str(content)},
            "maintenance": {"uploadpurging": {"enabled": False}},
        },
        "http": {"addr": ADDRESS},
    }


def _wait_until_up(link: Link, process: subprocess.Popen[bytes], log: Path) -> None:
    curl = proc.require_tool("curl", package="curl")
    words = link.on_fetcher(curl, "--silent", "--fail", "--output", "/dev/null", f"http://{ADDRESS}/v2/")

    def answers() -> bool:
        return proc.run(words, timeout_s=_START_TIMEOUT_S, check=False, keep=proc.NO_VARIABLES).returncode == 0

    if becomes(process, answers, timeout_s=_START_TIMEOUT_S, poll_s=_POLL_S):
        return
    reason = why_not_up(_PACKAGE, process, timeout_s=_START_TIMEOUT_S)
    raise HostUnfitError(
        f"{reason}: {proc.last_line(log)}",
        hint=f"check the package {_PACKAGE}, or leave out cache=absent",
    )
