"""Images from outside in an engine with the Docker API: pulled from a registry, or loaded from an archive."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import docker
from docker.auth import get_config_header, resolve_repository_name
from docker.errors import APIError, DockerException
from docker.utils.json_stream import json_stream
from requests import Response
from requests.exceptions import RequestException, Timeout
from urllib3.exceptions import ReadTimeoutError

from bench.image.platforms import host_platform
from bench.image.stores.base import Log, StoreError
from bench.image.stores.pulling import SILENCE_LIMIT_S, PullProgress, pull_error, silent_pull
from bench.scenario.image_name import Reference
from bench.util.steps import measured_by

_LOADED: Final = re.compile(r"Loaded image(?: ID)?: (\S+)")


def pull(client: docker.DockerClient, reference: Reference, log: Log) -> None:
    """Pull an image with the user's credentials (config.json, its stores and helpers).

    Raises:
        StoreError: the registry or the engine refused, the connection broke, or nothing came for too long.
        HTTPError: the engine failed.
    """
    progress = PullProgress(str(reference))
    error = ""
    try:
        # The engine ends a pull whose connection is closed.
        with closing(_request(client, reference)) as answer:
            for message in _messages(answer):
                measured_by(lambda: progress.done_bytes, total_bytes=progress.total_bytes)
                error = error or str(message.get("error") or "")
                line = progress.take(message)
                if line is not None:
                    log(line)
    except (Timeout, ReadTimeoutError):
        raise silent_pull(reference) from None
    except (APIError, DockerException, RequestException) as refused:
        error = str(getattr(refused, "explanation", None) or refused)
    if error:
        raise pull_error(reference, error, platform=host_platform())


def _request(client: docker.DockerClient, reference: Reference) -> Response:
    # As docker-py's own pull, which cannot be given a time limit.
    api = client.api
    registry, _ = resolve_repository_name(reference.name)
    with warnings.catch_warnings():
        # A helper that is missing is a warning and then an error, which says the same.
        warnings.filterwarnings("ignore", message=".*not installed or not available in PATH")
        login = get_config_header(api, registry)
    answer = api.post(
        f"{api.base_url}/v{api.api_version}/images/create",
        params={"fromImage": reference.name, "tag": reference.version},
        headers={"X-Registry-Auth": login} if login else {},
        stream=True,
        timeout=SILENCE_LIMIT_S,
    )
    if not answer.ok:
        with closing(answer):
            raise APIError("refused", response=answer, explanation=_explanation(answer))
    return answer


def _explanation(answer: Response) -> str:
    try:
        return str(answer.json()["message"])
    except (ValueError, LookupError, TypeError):
        return answer.text or f"status {answer.status_code}"


def _messages(answer: Response) -> Iterator[dict[str, Any]]:
    for message in json_stream(answer.iter_content(chunk_size=None)):
        if isinstance(message, dict):
            yield message


def load(client: docker.DockerClient, archive: Path) -> str:
    """Load an archive in the form of ``docker save`` with one image; returns the image's id or name.

    Raises:
        StoreError: the engine refused the archive.
        DockerException, RequestException, HTTPError: the engine failed.
    """
    loaded, error = "", ""
    with archive.open("rb") as content:
        total = archive.stat().st_size
        measured_by(content.tell, total_bytes=total)
        for message in client.api.load_image(content):  # type: ignore[no-untyped-call]
            found = _LOADED.search(str(message.get("stream", "")))
            loaded = found[1] if found else loaded
            error = error or str(message.get("error") or "")
        measured_by(lambda: total)
    if error or not loaded:
        raise StoreError(
            f"the engine did not load the image: {error or 'it named none'}",
            hint="check that the engine's data directory has free space, and that the archive is whole",
        )
    return loaded
