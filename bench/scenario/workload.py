"""The key ``workload`` of a scenario: what runs in the boxes, and what is changed in the image for it."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from bench.scenario.fields import (
    BOX_PATH_PATTERN,
    IMAGE_PATTERN,
    USER_INPUT,
    Argument,
    Strict,
    VariableName,
)
from bench.scenario.healthcheck import Healthcheck
from bench.scenario.image_name import parse_image_name
from bench.util.signals import signal_number

DOCKERFILE: Final = "Dockerfile"
_OF_A_BUILD: Final = ("dockerfile", "context", "base", "build")
"""The keys that have a meaning only where a Dockerfile is built."""


def _without_parents(path: str) -> str:
    if ".." in path.split("/"):
        raise ValueError(f"{path!r} has .. in it; write the path that is meant")
    return path


def _known_signal(name: str, info: ValidationInfo) -> str:
    # A manifest may be of another system, which has other signals.
    if info.context == USER_INPUT and signal_number(name) is None:
        raise ValueError(
            f"{name!r} is not a signal of this host; write a name such as SIGTERM or a number from 1 to 64"
        )
    return name


BoxPath = Annotated[Argument, Field(pattern=BOX_PATH_PATTERN, max_length=4000), AfterValidator(_without_parents)]
"""An absolute path in the box."""
ImageText = Annotated[
    Argument, Field(min_length=1, max_length=4000), AfterValidator(lambda text: parse_image_name(text) and text)
]
"""What ``parse_image_name`` accepts."""
Words = Annotated[tuple[Argument, ...], Field(min_length=1)]


class Base(Strict):
    """A base image made from packages of the host's distribution, for hosts without access to an image registry."""

    tag: Annotated[str, Field(pattern=IMAGE_PATTERN)]
    """Its name in the Dockerfile's FROM."""
    packages: Annotated[tuple[str, ...], Field(min_length=1)]
    """Names of packages of the host's distribution."""
    variant: Literal["extract", "minimal"] = "minimal"
    """``extract``: the packages' files alone. ``minimal``: a configured system of essential packages and these."""


class Build(Strict):
    """How the Dockerfile is built."""

    network: Literal["default", "none", "host"] = "default"
    """Of RUN steps. A private Docker Engine has no network of its own, so there `default` is `none`."""
    args: dict[str, str] = Field(default={})
    """By name, values of the Dockerfile's ARG."""
    target: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """The stage of the Dockerfile that is the image; None: its last one."""
    secrets: dict[str, Argument] = Field(default={})
    """By id, files relative to the scenario file, for ``RUN --mount=type=secret,id=...``. They need BuildKit."""


class Workload(Strict):
    """What runs in the boxes: a Dockerfile or an image, and changes of its configuration."""

    dockerfile: str = DOCKERFILE
    """The Dockerfile, relative to ``context``."""
    context: str = "."
    """The directory that the build can copy from, relative to the scenario file."""
    base: Base | None = None
    """A base image to make before the Dockerfile is built. Without it, FROM names an image that the engine has or can
    pull."""
    build: Build = Build()
    """How the Dockerfile is built."""
    image: ImageText | None = None
    """An image that exists, in place of a Dockerfile: a reference such as ``redis:7``, or ``oci-archive:FILE``,
    ``oci:DIRECTORY``, ``docker-archive:FILE`` (relative to the scenario file), or ``containers-storage:NAME``."""
    pull: Literal["missing", "always", "never"] = "missing"
    """When an image that a reference names is pulled."""
    entrypoint: tuple[Argument, ...] | None = None
    """Replaces the image's ENTRYPOINT, and drops its CMD. Empty: ``command`` is the whole command."""
    command: Words | None = None
    """Replaces the image's CMD. The ENTRYPOINT stays."""
    env: dict[VariableName, Argument] = Field(default={})
    """Variables, added to those of the image."""
    user: Annotated[Argument, Field(min_length=1, max_length=200)] | None = None
    """``NAME``, ``UID``, ``NAME:GROUP`` or ``UID:GID`` in place of the image's USER. A number needs no entry in
    /etc/passwd."""
    workdir: BoxPath | None = None
    """A directory in place of the image's WORKDIR. It is made if the image lacks it."""
    stop_signal: Annotated[Argument, Field(min_length=1, max_length=20), AfterValidator(_known_signal)] | None = None
    """A name or a number in place of the image's STOPSIGNAL."""
    healthcheck: Healthcheck | None = None
    """Replaces the image's HEALTHCHECK, which ``ready: {when: healthcheck}`` runs."""
    volumes: tuple[BoxPath, ...] = ()
    """Paths in the box that are volumes, beside those that the image declares."""
    files: dict[BoxPath, Argument] = Field(default={})
    """By path in the box, files or directories relative to the scenario file, which are copied into the image."""

    @model_validator(mode="after")
    def _consistent(self) -> Workload:
        useless = [key for key in _OF_A_BUILD if key in self.model_fields_set and not self._has_default(key)]
        if self.image is not None and useless:
            raise ValueError(f"{useless[0]}: has no meaning beside 'image', which is not built; remove one of both")
        return self

    def _has_default(self, key: str) -> bool:
        # A manifest has every key.
        return bool(getattr(self, key) == type(self).model_fields[key].default)
