"""Pulling an image: an engine's messages as lines with sizes, and a refusal as an error with a next step."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from bench.image.stores.base import StoreError
from bench.scenario.image_name import Reference
from bench.util.text import plain
from bench.util.units import format_bytes

SILENCE_LIMIT_S: Final = 600
"""How long an engine may tell nothing about a pull."""
_MOST_SAID: Final = 500
_STEPS: Final = 10
"""How many lines a pull's progress has at most."""
_DONE: Final = ("Pull complete", "Already exists")
_DOWNLOADED: Final = ("Download complete", "Verifying Checksum", "Extracting", *_DONE)


@dataclass
class _Layer:
    done_bytes: int = 0
    total_bytes: int | None = None
    ready: bool = False


@dataclass
class PullProgress:
    """Folds the messages of one pull into few lines.

    Args:
        name: of the image, for the lines.
    """

    name: str
    _layers: dict[str, _Layer] = field(default_factory=dict)
    _last: tuple[int, int, str] = (0, 0, "")

    @property
    def done_bytes(self) -> int:
        """Bytes of layers that have come so far. They are compressed, as a registry has them."""
        return sum(layer.done_bytes for layer in tuple(self._layers.values()))

    @property
    def total_bytes(self) -> int | None:
        """Bytes of all layers; None until the engine has named the size of each that it fetches."""
        layers = tuple(self._layers.values())
        if not layers or not all(layer.total_bytes or layer.ready for layer in layers):
            return None
        return sum(layer.total_bytes or 0 for layer in layers)

    def take(self, message: Mapping[str, Any]) -> str | None:
        """Take in a message of the engine. Returns a line if there is news worth one, else None."""
        status, identity = str(message.get("status", "")), str(message.get("id", ""))
        if status.startswith("Retrying in "):
            return self._retry(identity, status)
        if status == "Pulling fs layer":
            self._layers[identity] = _Layer()
        layer = self._layers.get(identity)
        if layer is None:
            return None
        detail = message.get("progressDetail") or {}
        if status == "Downloading" and detail.get("total"):
            # After a broken connection the rest alone is counted.
            layer.total_bytes = max(int(detail["total"]), layer.total_bytes or 0)
            layer.done_bytes = max(int(detail.get("current", 0)), layer.done_bytes)
        elif status in _DOWNLOADED:
            layer.done_bytes = max(layer.done_bytes, layer.total_bytes or 0)
            layer.ready = layer.ready or status in _DONE
        return self._line()

    def _retry(self, identity: str, status: str) -> str | None:
        # The engine counts down, second by second.
        seconds = int(re.sub(r"\D", "", status) or 0)
        before, self._last = self._last, (*self._last[:2], f"{identity}{seconds}")
        if before[2] == f"{identity}{seconds + 1}":
            return None
        return f"pulling {self.name}: the connection broke; the engine tries again in {seconds} s"

    def _line(self) -> str | None:
        layers = self._layers.values()
        ready = sum(layer.ready for layer in layers)
        # Engines tell a layer's size when its download begins, so the sum is known late.
        done, total = self.done_bytes, self.total_bytes or 0
        step = done * _STEPS // total if total else 0
        if (step, ready) <= self._last[:2] or (step == self._last[0] and ready < len(layers)):
            return None
        self._last = step, ready, ""
        of = f" of {format_bytes(total)}" if total else ""
        return f"pulling {self.name}: {format_bytes(done)}{of}, {ready} of {len(layers)} layers unpacked"


def pull_error(reference: Reference, message: str, *, platform: str, tool: str = "docker") -> StoreError:
    """The error of an image that could not be pulled.

    Args:
        message: what the engine said.
        platform: the one that was asked for, such as ``linux/amd64``.
        tool: the engine's own command, for the hint.
    """
    said = " ".join(plain(message).split())[:_MOST_SAID]
    values = {
        "name": reference,
        "platform": platform,
        "tool": tool,
        "registry": f" {reference.registry}" if reference.registry else "",
    }
    for pattern, what, hint in _KNOWN:
        if re.search(pattern, said, re.IGNORECASE):
            return StoreError(f"{what.format(**values)}: {said}", hint=hint.format(**values))
    return StoreError(
        f"the image {reference} could not be pulled: {said}", hint=f"try `{tool} pull {reference}` by hand"
    )


def silent_pull(reference: Reference) -> StoreError:
    """The error of a pull in which nothing has come for too long."""
    return StoreError(
        f"the registry sent nothing of the image {reference} for {SILENCE_LIMIT_S} s, so the pull was ended",
        hint="run again: the engine keeps whole layers; if it stays, look at the network and the proxy",
    )


_LOGIN: Final = (
    "log in with `{tool} login{registry}` as the user who runs boxbench, and check that this user may read the image"
)
_UNREACHABLE: Final = (
    "check the name, the network and the proxy, or name an image on disk (oci-archive:FILE); with a Dockerfile, "
    "workload.base makes the FROM image from this host's packages"
)
_KNOWN: Final = (
    (
        r"did not resolve to an alias|short-name",
        "podman asks no registry for the image {name}, whose name has none",
        "write the registry before it (HOST/NAME:TAG), or define unqualified-search-registries in registries.conf",
    ),
    (
        r"no matching manifest|cannot be used on this platform|does not match the specified platform|no image found in "
        r"(image index|manifest list) for",
        "the image {name} does not exist for {platform}, which this host runs",
        "choose a tag or an image that was made for {platform}",
    ),
    (
        r"manifest.v1|schema ?1|schema version 1|Image Format v1",
        "the image {name} has the old manifest schema 1, which engines no longer pull",
        "push it again with a current engine, or name another tag",
    ),
    (
        r"verification failed|did not match digest|digest mismatch|does not match (the )?digest|invalid checksum",
        "the registry sent other content for the image {name} than its digest says",
        "pull again; if it stays, the registry or a mirror or proxy before it is damaged: name another one",
    ),
    (
        r"no space left|disk quota exceeded",
        "the disk became full while the image {name} was pulled",
        "free space where the engine keeps its images (for a private engine, in boxbench's cache), or set "
        "BOXBENCH_CACHE to a directory on a larger disk",
    ),
    (
        r"credentials store|docker-credential-",
        "the credentials for the image {name} could not be read",
        "install the credential helper that ~/.docker/config.json names, or remove it there and log in again",
    ),
    (
        r"toomanyrequests|too many requests|\b429\b|rate limit",
        "the registry refuses further pulls for now, so {name} was not pulled",
        "wait, or log in with `{tool} login{registry}`",
    ),
    (
        r"no basic auth credentials|unauthorized|authentication required|denied|\b40[13]\b|forbidden",
        "the registry lets nobody pull the image {name} without a login, or the login may not read it",
        _LOGIN,
    ),
    (
        r"manifest unknown|not found|does not exist|name unknown|no such image",
        "there is no image {name}",
        "check its name, tag and digest; is it in another registry (HOST/NAME:TAG)?",
    ),
    (
        r"unexpected EOF|connection reset|broken pipe|closed network connection|unexpected http status: 5|\b50\d\b",
        "the connection to the registry broke while the image {name} was pulled",
        "run again: the engine keeps what it has of whole layers; if it stays, ask who runs the registry",
    ),
    (
        r"no such host|connection refused|i/o timeout|deadline exceeded|network is unreachable|no route to host|"
        r"TLS handshake|x509|HTTP response to HTTPS|dial tcp",
        "the registry of the image {name} does not answer",
        _UNREACHABLE,
    ),
)
"""Patterns of what engines say, each with the sentence and the next step. The first that matches counts: what is said
often contains the words of a later one."""
