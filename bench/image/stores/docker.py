"""Images in an engine with the Docker API."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path
from typing import IO, Any, Final

import docker
from docker.errors import APIError, DockerException, ImageNotFound, create_api_error_from_http_exception
from requests.exceptions import HTTPError as RequestsHTTPError
from requests.exceptions import RequestException
from urllib3.exceptions import HTTPError

from bench.agent.boxconf import AGENT_IN_BOX, HOSTNAME
from bench.host.run_directory import BOX_LABEL, box_labels, new_tag
from bench.host.scratch import scratch
from bench.image.stores import docker_pull
from bench.image.stores.base import BuildOrder, Built, Log, StoredImage, StoreError, foreign_place
from bench.image.stores.buildkit import build_buildkit, find_buildx
from bench.image.stores.classic import BUILDER, build_classic
from bench.image.stores.layer import rest_of_layer
from bench.scenario.image_name import Reference

_REST: Final = "rest.tar"
_MISPLACED: Final = re.compile(r"not a directory|over existing file|cannot overwrite")
_PLACES_HINT: Final = (
    "a file is where a directory is needed, or the other way round: check WORKDIR and VOLUME, and workdir, volumes and "
    "files of the workload"
)
_DAEMON_HINT: Final = "check that the Docker daemon is running and that its data directory has free space"
_GO_DIRECTORY: Final = 1 << 31
"""The bit of a directory in the modes of Go programs."""


@dataclass(frozen=True)
class _Commit:
    """See ``ImageStore.add_layer``."""

    plain: str
    layer: Path
    config: Mapping[str, Any]
    ref: str
    directories: Sequence[str]


class DockerStore:
    """See ``ImageStore``."""

    def __init__(self, client: docker.DockerClient) -> None:
        self._client = client

    def build(self, order: BuildOrder, log: Log) -> Built:
        """Build by BuildKit where it is there, else by the engine's classic builder. See ``ImageStore.build``."""
        with _engine_errors():
            buildx = find_buildx(self._client)
            if buildx is not None:
                return build_buildkit(buildx, order, log)
            image = build_classic(self._client, order, log)
            return Built(image, BUILDER, str(self._client.version().get("Version", "unknown")))

    def inspect(self, reference: str) -> StoredImage | None:
        """See ``ImageStore.inspect``."""
        with _engine_errors():
            try:
                about = self._client.images.get(reference).attrs
            except ImageNotFound:
                return None
        return StoredImage(
            id=about["Id"],
            config=about["Config"] or {},
            architecture=about["Architecture"],
            os=about["Os"],
            size_bytes=int(about["Size"]),
            layers=tuple(about["RootFS"].get("Layers") or ()),
            repo_digests=tuple(about.get("RepoDigests") or ()),
        )

    def pull(self, reference: Reference, log: Log) -> None:
        """See ``ImageStore.pull``."""
        with _engine_errors():
            docker_pull.pull(self._client, reference, log)

    def load(self, archive: Path) -> str:
        """See ``ImageStore.load``."""
        with _engine_errors():
            return docker_pull.load(self._client, archive)

    def import_tree(self, tarball: Path, tag: str, labels: Mapping[str, str]) -> None:
        """See ``ImageStore.import_tree``."""
        repository, version = split_tag(tag)
        changes = [f"LABEL {name}={value}" for name, value in labels.items()]
        with _engine_errors():
            # docker-py returns the engine's answer also where that is an error.
            answer = self._client.api.import_image_from_file(
                str(tarball), repository=repository, tag=version, changes=changes
            )
            if self.inspect(tag) is None:
                raise StoreError(
                    f"the engine refused to import it: {str(answer).strip()}",
                    hint="check that the engine's data directory has free space",
                )

    def add_layer(
        self, plain: str, layer: Path, config: Mapping[str, Any], ref: str, *, directories: Sequence[str]
    ) -> None:
        """See ``ImageStore.add_layer``."""
        commit = _Commit(plain, layer, config, ref, directories)
        with _engine_errors(), scratch() as folder:
            if config.get("Volumes") and rest_of_layer(layer, directories, folder / _REST):
                self._commit_below_volumes(commit, folder)
            else:
                self._commit(commit)

    def _commit_below_volumes(self, commit: _Commit, folder: Path) -> None:
        # A container has volumes even if it was never started, and what is put below one of them is not committed. A
        # builder does not have them. Triggers would run, but the image that is built on has none.
        first = f"{commit.ref}-first"
        self._commit(replace(commit, config={**commit.config, "OnBuild": None}, ref=first))
        try:
            (folder / "Dockerfile").write_text(f"FROM {first}\nADD {_REST} /\n", encoding="ascii")
            self.build(BuildOrder(folder, "Dockerfile", commit.ref), lambda _line: None)
        finally:
            self._client.images.remove(first, noprune=True)

    def _commit(self, commit: _Commit) -> None:
        repository, tag = split_tag(commit.ref)
        # The image would get the container's labels, and a container of it would then look like a box of ours.
        labels = {**(commit.config.get("Labels") or {}), BOX_LABEL: ""}
        # The engine makes the directory if the image lacks it.
        with self._container(commit.plain, workdir=commit.config.get("WorkingDir")) as name:
            for place in commit.directories:
                self._refuse_foreign(name, place)
            with commit.layer.open("rb") as content:
                self._put_archive(name, content)
            conf = {**commit.config, "Labels": labels}
            self._client.api.commit(name, repository=repository, tag=tag, pause=False, conf=conf)

    def _put_archive(self, container: str, content: IO[bytes]) -> None:
        # docker-py cannot forbid that a file takes the place of a whole directory, or a directory that of a link.
        params = {"path": "/", "noOverwriteDirNonDir": "true"}
        api = self._client.api
        answer = api.put(self._archive_of(container), params=params, data=content, timeout=api.timeout)
        try:
            answer.raise_for_status()
        except RequestsHTTPError as error:
            raise create_api_error_from_http_exception(error) from None

    def _archive_of(self, container: str) -> str:
        api = self._client.api
        return f"{api.base_url}/v{api.api_version}/containers/{container}/archive"

    def _refuse_foreign(self, container: str, place: str) -> None:
        api = self._client.api
        # docker-py can only ask for the status together with the content.
        answer = api.head(self._archive_of(container), params={"path": place}, timeout=api.timeout)
        if answer.status_code == HTTPStatus.NOT_FOUND:
            return
        answer.raise_for_status()
        about = json.loads(base64.b64decode(answer.headers["X-Docker-Container-Path-Stat"]))
        if not about["mode"] & _GO_DIRECTORY:
            raise foreign_place(place, "is not a directory", about.get("linkTarget", ""))

    def export(self, reference: str, path: Path) -> None:
        """See ``ImageStore.export``."""
        with _engine_errors(), self._container(reference) as name, path.open("wb") as file:
            for chunk in self._client.api.export(name):
                file.write(chunk)

    def save(self, reference: str) -> Iterator[bytes]:
        """See ``ImageStore.save``."""
        with _engine_errors():
            yield from self._client.api.get_image(reference)

    @contextmanager
    def _container(self, image: str, *, workdir: str | None = None) -> Iterator[str]:
        """A container that is never started: the image and the mount points that the engine adds."""
        name = new_tag("export")
        try:
            self._client.api.create_container(
                image,
                command=[AGENT_IN_BOX],
                name=name,
                labels=box_labels(name),
                hostname=HOSTNAME,
                working_dir=workdir or None,
            )
            yield name
        finally:
            self._remove_container(name)

    def _remove_container(self, name: str) -> None:
        try:
            self._client.api.remove_container(name, v=True, force=True)
        except APIError as error:
            if error.status_code != 404:
                raise


def split_tag(reference: str) -> tuple[str, str]:
    """Name and tag of a reference. The tag is ``latest`` where it has none; a registry's port is no tag."""
    name, _, tag = reference.rpartition(":")
    return (name, tag) if name and "/" not in tag else (reference, "latest")


@contextmanager
def _engine_errors() -> Iterator[None]:
    try:
        yield
    except (DockerException, RequestException, HTTPError) as error:
        misplaced = _MISPLACED.search(str(error)) is not None
        raise StoreError(f"the engine failed: {error}", hint=_PLACES_HINT if misplaced else _DAEMON_HINT) from None
