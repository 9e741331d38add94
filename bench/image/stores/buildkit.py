"""BuildKit, by ``docker buildx``. The program need not be a part of the docker command: its file is enough."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import docker
from docker.errors import DockerException
from requests.exceptions import RequestException

from bench.engines.dockerd import client_environment
from bench.host.scratch import scratch
from bench.image.stores.arguments import argument_options, secret_arguments
from bench.image.stores.base import LABELS, BuildOrder, Built, Log, StoreError
from bench.image.stores.dockerfile import is_official, syntax_image, without_syntax
from bench.image.stores.failure import PACKAGES, build_error
from bench.image.stores.ignored import copied
from bench.image.stores.lines import read_lines
from bench.image.stores.progress import Progress
from bench.util import proc
from bench.util.cache import cache_dir
from bench.util.errors import BoxbenchError
from bench.util.files import open_file
from bench.util.private import private_directory

BUILDER: Final = "BuildKit"
_PROGRAM: Final = "docker-buildx"
_PLUGINS: Final = (
    "/usr/local/lib/docker/cli-plugins",
    "/usr/local/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
    "/usr/libexec/docker/cli-plugins",
)
"""Where the docker command looks for its plugins, after the user's own directory."""
_DOCKERFILE_BYTES: Final = 2**24
"""At most so much of a Dockerfile is read."""
_END_S: Final = 60.0
_NO_NETWORK: Final = (
    "if the step needs a network: RUN steps have none in this engine; with --build-network host, or "
    "`build: {network: host}` in a scenario file, they have the host's"
)


@dataclass(frozen=True)
class Buildx:
    """The program, and the engine whose BuildKit it uses."""

    program: str
    version: str
    client: docker.DockerClient


def find_buildx(client: docker.DockerClient) -> Buildx | None:
    """What builds with BuildKit in an engine; None if the engine or this host has none, or the user wants none.

    As for the docker command, DOCKER_BUILDKIT=0 switches it off.
    """
    program = None if os.environ.get("DOCKER_BUILDKIT") == "0" else find_program()
    if program is None or not _has_buildkit(client):
        return None
    try:
        words = proc.run([program, "version"], timeout_s=30, keep=proc.ENGINE_VARIABLES).text.split()
    except BoxbenchError:
        return None
    return Buildx(program, words[1] if len(words) > 1 else "unknown", client)


def build_buildkit(buildx: Buildx, order: BuildOrder, log: Log) -> Built:
    """Build an image.

    An image of the Dockerfile language that cannot be pulled is not needed, because BuildKit has the language built in.
    The build is then repeated with that, which the result says.

    Raises:
        StoreError: a step failed, or the build took longer than a limit.
        BoxbenchError: the program cannot be run.
    """
    progress = Progress(log)
    content = dockerfile_content(order)
    with copied(order, content) if order.leave_out else nullcontext(order) as first:
        built = _build(buildx, first, progress)
    if built is not None:
        return built
    text = content.decode("utf-8", "replace")
    image = syntax_image(text)
    if image is None or not progress.lacks_frontend or not is_official(image):
        raise _error(progress, buildx, order)
    note = f"The syntax line's image {image} could not be pulled, so the engine's built-in language was used."
    log(note)
    with copied(order, without_syntax(text).encode()) as plain:
        again = Progress(log)
        built = _build(buildx, plain, again)
    if built is None:
        raise _error(again, buildx, order)
    return replace(built, frontend=f"built-in (in place of {image})", notes=(note,))


def dockerfile_content(order: BuildOrder) -> bytes:
    """A Dockerfile as it is. Raises StoreError."""
    path = order.context / order.dockerfile
    try:
        with open_file(path) as file:
            return file.read(_DOCKERFILE_BYTES)
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}", hint="check its path and mode") from None


def read_dockerfile(order: BuildOrder) -> str:
    """The text of a Dockerfile. Raises StoreError."""
    return dockerfile_content(order).decode("utf-8", "replace")


def find_program() -> str | None:
    """Where buildx is, as the docker command looks for it; None if it is not installed."""
    own = os.environ.get("DOCKER_CONFIG") or "~/.docker"
    places = [os.path.join(os.path.expanduser(own), "cli-plugins"), *_PLUGINS]  # noqa: PTH111, PTH118 - needs no home
    return next(filter(None, (shutil.which(_PROGRAM, path=place) for place in places)), proc.find_tool(_PROGRAM))


def _has_buildkit(client: docker.DockerClient) -> bool:
    api = client.api
    try:
        answer = api.get(f"{api.base_url}/_ping", timeout=api.timeout)
    except (DockerException, RequestException):
        return False
    return bool(answer.headers.get("Builder-Version") == "2")


def _build(buildx: Buildx, order: BuildOrder, progress: Progress) -> Built | None:
    """Build an image; None if the builder refused or a step failed, as ``progress`` then knows."""
    with scratch() as folder:
        about = folder / "about.json"
        process = proc.spawn(
            [buildx.program, "build", *_options(order, about, network=_network(buildx.client, order))],
            stderr=subprocess.PIPE,
            env=client_environment(buildx.client) | secret_arguments(order) | {"BUILDX_CONFIG": str(_settings())},
            keep=(*proc.ENGINE_VARIABLES, "SSH_AUTH_SOCK"),
            without=("DOCKER_CONTEXT",),
        )
        try:
            assert process.stderr is not None
            for line in read_lines(process.stderr):
                progress.read(line)
            code = process.wait(_END_S)
        finally:
            proc.stop(process)
        image = _image_id(about) if code == 0 else None
        if image is None:
            return None
        version = f"{buildx.client.version().get('Version', 'unknown')}, buildx {buildx.version}"
        return Built(image, BUILDER, version, frontend=progress.frontend)


def _image_id(about: Path) -> str | None:
    # Not buildx's --iidfile: an engine that keeps images in containerd knows them by the digests of their manifests.
    try:
        return str(json.loads(about.read_bytes())["containerimage.digest"])
    except (OSError, LookupError, TypeError, ValueError):
        return None


def way_to_buildkit() -> str:
    """What the user has to do so that BuildKit builds."""
    if os.environ.get("DOCKER_BUILDKIT") == "0":
        return "unset DOCKER_BUILDKIT, which is 0"
    if (program := find_program()) is not None:
        return f"check that `{program} version` works, and that the engine is Docker 23 or later"
    return f"install the package {PACKAGES}"


def _settings() -> Path:
    """The program's own directory, so that the user's gets no entries of ours. It makes repeated transfers short."""
    return private_directory((cache_dir() / "buildx").resolve())


def _options(order: BuildOrder, about: Path, *, network: str) -> Iterator[str]:
    # The builder `default` is the engine that DOCKER_HOST names.
    yield from (
        "--builder",
        "default",
        "--progress",
        "plain",
        "--load",
        "--provenance=false",
        "--metadata-file",
        str(about),
    )
    yield from ("--tag", order.tag, "--network", network, "--file", str(order.context / order.dockerfile))
    for name, value in LABELS.items():
        yield from ("--label", f"{name}={value}")
    yield from argument_options(order)
    if order.target is not None:
        yield from ("--target", order.target)
    for name, file in order.secrets.items():
        yield from ("--secret", _fields(f"id={name}", f"src={file}"))
    yield str(order.context)


def _fields(*fields: str) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(fields)
    return text.getvalue()


def _network(client: docker.DockerClient, order: BuildOrder) -> str:
    # An engine without a bridge, as a private one, fails at every RUN step of BuildKit. Its classic builder does not.
    return "none" if order.network == "default" and not client.api.networks(names=["bridge"]) else order.network


def _error(progress: Progress, buildx: Buildx, order: BuildOrder) -> StoreError:
    cut_off = order.network == "default" and _network(buildx.client, order) == "none"
    hint = _NO_NETWORK if cut_off and re.search(r"did not complete", progress.error) else None
    words = progress.error or "buildx ended without an image and without a reason"
    return build_error(words, progress.lines, where=progress.where, hint=hint)
