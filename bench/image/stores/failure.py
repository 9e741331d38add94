"""The error of a build that failed, for every builder."""

from __future__ import annotations

from collections.abc import Iterable

from bench.image.stores.base import StoreError

PACKAGES = "docker-buildx (Debian, Ubuntu) or docker-buildx-plugin (Docker's own packages)"
"""Where BuildKit's client comes from."""


def build_error(error: str, lines: Iterable[str], *, where: str, hint: str | None = None) -> StoreError:
    """A build failed.

    Args:
        error: the builder's words.
        lines: what the steps printed last.
        where: the step; empty if not known.
        hint: None: what the builder's words suggest.
    """
    place = f" at {where}" if where else ""
    tail = "".join(f"\n    {line}" for line in lines)
    return StoreError(f"the image could not be built{place}: {error.strip()}{tail}", hint=hint or _hint(error))


def _hint(error: str) -> str:
    # "/v2/" is the path of every registry's API.
    if any(word in error for word in ("pull", "manifest", "registry", "/v2/")):
        return "no registry answered; with workload.base the FROM image is made from this host's packages"
    if "BuildKit" in error or "platform" in error:
        return f"the engine's classic builder cannot build this step; install {PACKAGES}"
    if "not found" in error and ("checksum" in error or "cache key" in error):
        return "paths of COPY and ADD are relative to the build context; .dockerignore may leave the file out"
    return "run `docker build` by hand to investigate"
