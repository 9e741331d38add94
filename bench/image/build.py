"""From a Dockerfile to an Image: build it, add the agent, export the tree, resolve the configuration."""

from __future__ import annotations

import io
import tarfile
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import docker
from docker.errors import APIError, DockerException
from requests.exceptions import ReadTimeout, RequestException
from urllib3.exceptions import HTTPError, ReadTimeoutError

from bench.agent.boxconf import AGENT_IN_BOX, DIRECTORY_IN_BOX
from bench.agent.compile import agent_binary
from bench.host.run_directory import box_labels, new_tag
from bench.image.archive import (
    content_digest,
    digest_exclusions,
    read_index,
    refuse_foreign_places,
    tree_digest,
)
from bench.image.base import ensure_base
from bench.image.config import resolve_config
from bench.image.model import Image
from bench.image.volumes import add_missing_places, volume_places
from bench.scenario.model import LoadedScenario
from bench.util import cache
from bench.util.clock import MonotonicClock
from bench.util.deadline import deadline_after
from bench.util.errors import BuildError

LABELS: Final = {"boxbench": "1"}
CONTENT_RECIPE: Final = "content-1"
"""Part of the cache key of content digests. Change it when they are computed in another way."""

SILENCE_LIMIT_S: Final = 3600
"""How long a build may write nothing."""
TOTAL_LIMIT_S: Final = 6 * 3600.0
"""How long a build may take."""
_TAIL_LINES: Final = 30
_WRAPPER: Final = f"FROM {{image}}\nCOPY boxbench {DIRECTORY_IN_BOX}\n"

Log = Callable[[str], None]


def build_image(client: docker.DockerClient, loaded: LoadedScenario, log: Log) -> Image:
    """Build a scenario's Dockerfile, put the agent into the image and export the image's tree.

    Args:
        client: any engine with the Docker API. The classic builder is used, so that BuildKit is not needed.
        log: called with every line of the build's output.

    Raises:
        BuildError: the build failed or took longer than a limit, the image has no command that can run, or it has
            something of its own where Boxbench puts its files.
        HostUnfitError: a tool is missing on this host.
    """
    scenario = loaded.scenario
    if scenario.workload.base is not None:
        log(f"base image {scenario.workload.base.tag}")
        ensure_base(client, scenario.workload.base)
    try:
        plain = _build_workload(client, loaded, log)
        ref = _add_agent(client, scenario.name, plain, log)
        about = client.images.get(ref).attrs
        volumes = tuple(about["Config"].get("Volumes") or ())
        tar = _export(client, scenario.name, about["Id"], volumes)
    except (DockerException, RequestException, HTTPError) as error:
        raise BuildError(
            f"scenario {scenario.name}: the engine failed: {error}",
            hint="check that the Docker daemon is running and that its data directory has free space",
        ) from None
    index = read_index(tar)
    refuse_foreign_places(scenario.name, index, agent_binary().read_bytes())
    config = resolve_config(scenario.name, about["Config"], scenario.workload, index)
    digest = _cached_digest(cache.content_key(tar.stem, *digest_exclusions()), lambda: tree_digest(index))
    content = _cached_digest(cache.content_key(tar.stem, CONTENT_RECIPE), lambda: content_digest(index))
    sizes = {"unpacked": index.content_bytes(), "tar": tar.stat().st_size, "layers": int(about["Size"])}
    return Image(
        name=scenario.name,
        ref=ref,
        id=about["Id"],
        digest=digest,
        content=content,
        config=config,
        tree_tar=tar,
        sizes_bytes=sizes,
        volumes=volume_places(scenario.name, volumes, index),
    )


def _build_workload(client: docker.DockerClient, loaded: LoadedScenario, log: Log) -> str:
    workload = loaded.scenario.workload
    return _build(
        client,
        loaded.scenario.name,
        log,
        path=str(loaded.directory / workload.context),
        dockerfile=workload.dockerfile,
        tag=f"boxbench/{loaded.scenario.name}:workload",
        buildargs=dict(workload.build.args),
        network_mode=None if workload.build.network == "default" else workload.build.network,
    )


def _add_agent(client: docker.DockerClient, name: str, plain: str, log: Log) -> str:
    agent = agent_binary().read_bytes()
    ref = f"boxbench/{name}:{cache.content_key(plain, agent, _WRAPPER)}"
    context = _wrapper_context(plain, agent)
    _build(client, name, log, fileobj=context, custom_context=True, tag=ref)
    return ref


def _build(client: docker.DockerClient, name: str, log: Log, **options: Any) -> str:
    """Build an image with these options of the API; returns its id. Raises BuildError, also when it takes too long."""
    try:
        # docker-py sets no time limit of its own for builds. This one is for each read.
        output = client.api.build(**options, labels=LABELS, rm=True, forcerm=True, decode=True, timeout=SILENCE_LIMIT_S)
        # The engine ends a build whose connection is closed.
        with closing(output):
            return _follow(output, name, log)
    except (ReadTimeout, ReadTimeoutError):
        raise _too_slow(name, f"wrote nothing for {SILENCE_LIMIT_S} s") from None


def _too_slow(name: str, what: str) -> BuildError:
    return BuildError(
        f"scenario {name}: the build of the image {what}, so it was ended",
        hint="see in the output which step hangs; build the parts that take long by hand, as an image for FROM",
    )


def _wrapper_context(plain: str, agent: bytes) -> io.BytesIO:
    """A build context: the agent, and the empty directory that channels are mounted on. No times, owned by root."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        _add_file(archive, "Dockerfile", _WRAPPER.format(image=plain).encode(), mode=0o644)
        _add_file(archive, "boxbench/boxinit", agent, mode=0o755)
        channel = tarfile.TarInfo("boxbench/ch")
        channel.type, channel.mode = tarfile.DIRTYPE, 0o755
        archive.addfile(channel)
    buffer.seek(0)
    return buffer


def _add_file(archive: tarfile.TarFile, name: str, content: bytes, *, mode: int) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), mode
    archive.addfile(member, io.BytesIO(content))


def _follow(output: Iterator[dict[str, Any]], name: str, log: Log) -> str:
    """Read a build's messages to the end; returns the image id. Raises BuildError with the step and the tail."""
    clock, limit_ns = MonotonicClock(), deadline_after(TOTAL_LIMIT_S)
    lines: deque[str] = deque(maxlen=_TAIL_LINES)
    step, image, error = "", "", ""
    for message in output:  # also after an error, since the connection stays open until everything was read
        if clock.now_ns() >= limit_ns:
            raise _too_slow(name, f"took more than {TOTAL_LIMIT_S:g} s")
        for line in str(message.get("stream", "")).splitlines():
            if line.strip():
                lines.append(line)
                log(line)
            step = line if line.startswith("Step ") else step
        error = error or str(message.get("error", ""))
        image = (message.get("aux") or {}).get("ID", image)
    if error:
        raise BuildError(_explain(name, step, error, lines), hint=_hint(error))
    if not image:
        raise BuildError(
            f"scenario {name}: the builder ended without an image; its last line: {lines[-1] if lines else '(none)'}",
            hint="check whether this engine's classic builder is switched off",
        )
    return image


def _explain(name: str, step: str, error: str, lines: deque[str]) -> str:
    where = f" at {step!r}" if step else ""
    tail = "".join(f"\n    {line}" for line in lines)
    return f"scenario {name}: the image could not be built{where}: {error.strip()}{tail}"


def _hint(error: str) -> str:
    # "/v2/" is the path of every registry's API.
    if any(word in error for word in ("pull", "manifest", "registry", "/v2/")):
        return "no registry answered; with workload.base the FROM image is made from this host's packages"
    if "BuildKit" in error:
        return "images are built by the engine's classic builder; write this step without features of BuildKit"
    return "run `docker build` by hand to investigate"


def _export(client: docker.DockerClient, name: str, image_id: str, volumes: tuple[str, ...]) -> Path:
    def write(path: Path) -> None:
        _export_to(client, image_id, path)
        if volumes:
            add_missing_places(path, name, volumes)

    kind = "-volumes" if volumes else ""
    return cache.ensure("tar", f"{image_id.removeprefix('sha256:')[:32]}{kind}.tar", write)


def _export_to(client: docker.DockerClient, image_id: str, path: Path) -> None:
    name = new_tag("export")
    try:
        # The container is never started, so the export is the image plus the mount points that the engine adds.
        client.api.create_container(
            image_id, command=[AGENT_IN_BOX], name=name, labels=box_labels(name), hostname="boxbench"
        )
        with path.open("wb") as file:
            for chunk in client.api.export(name):
                file.write(chunk)
    finally:
        _remove_container(client, name)


def _remove_container(client: docker.DockerClient, name: str) -> None:
    try:
        client.api.remove_container(name, v=True, force=True)
    except APIError as error:
        if error.status_code != 404:
            raise


def _cached_digest(key: str, compute: Callable[[], str]) -> str:

    def write(path: Path) -> None:
        path.write_text(compute(), encoding="ascii")

    return cache.ensure("digest", key, write).read_text(encoding="ascii")
