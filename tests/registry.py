"""A registry of images on loopback (Debian's docker-registry), and a door before it that fails as registries do."""

from __future__ import annotations

import base64
import http.client
import re
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Final

from bench.engines.registry import registry_program
from bench.util import proc
from tests.oci_images import Blob, OciImage, make_index
from tests.waiting import wait_until

USER: Final = "tester"
PASSWORD: Final = "open sesame"
# bcrypt of PASSWORD: the only hash that the registry takes.
_HTPASSWD: Final = f"{USER}:$2y$05$6KdBX/2WxIZ519beiQ4/su1GoONXlNE3y2PQM9ehUer/ilQSHfmsS\n"
_LISTENING: Final = re.compile(rb"listening on (127\.0\.0\.1:\d+)")
_TIMEOUT_S: Final = 60.0
_CONFIG: Final = """\
version: 0.1
log: {{level: info, formatter: text}}
storage: {{filesystem: {{rootdirectory: {storage}}}, delete: {{enabled: true}}}}
http: {{addr: "127.0.0.1:0", secret: {secret}, draintimeout: 1s}}
"""
_AUTH: Final = "auth: {{htpasswd: {{realm: boxbench-test, path: {htpasswd}}}}}\n"


@dataclass(frozen=True)
class Registry:
    """A running registry."""

    address: str
    """HOST:PORT, as it stands before an image's name. Docker speaks plain HTTP with loopback."""
    storage: Path
    authorization: str | None = None
    """The header that opens it; None: it is open to everybody."""

    def push(self, name: str, image: OciImage) -> str:
        """Store an image under NAME:TAG; returns NAME@DIGEST with the registry's address before it."""
        repository, _, tag = name.rpartition(":")
        self._push_parts(repository, image)
        return self._put_manifest(repository, tag, image.manifest)

    def push_index(self, name: str, *images: OciImage) -> str:
        """Store a manifest list of these images under NAME:TAG; returns as ``push``."""
        repository, _, tag = name.rpartition(":")
        for image in images:
            self._push_parts(repository, image)
            self._put_manifest(repository, image.manifest.digest, image.manifest)
        return self._put_manifest(repository, tag, make_index(images))

    def spoil(self, blob: Blob) -> None:
        """Change the content of a stored blob, which keeps its digest and its size."""
        name = blob.digest.removeprefix("sha256:")
        stored = self.storage / "docker/registry/v2/blobs/sha256" / name[:2] / name / "data"
        stored.write_bytes(bytes([blob.content[0] ^ 255]) + blob.content[1:])

    def _push_parts(self, repository: str, image: OciImage) -> None:
        for blob in image.blobs:
            place = self._ask("POST", f"/v2/{repository}/blobs/uploads/", 202)["Location"]
            path = re.sub(r"^https?://[^/]+", "", place)
            self._ask("PUT", f"{path}&digest={blob.digest}", 201, blob)

    def _put_manifest(self, repository: str, tag: str, manifest: Blob) -> str:
        self._ask("PUT", f"/v2/{repository}/manifests/{tag}", 201, manifest)
        return f"{self.address}/{repository}@{manifest.digest}"

    def _ask(self, method: str, path: str, expected: int, blob: Blob | None = None) -> http.client.HTTPMessage:
        headers = {} if blob is None else {"Content-Type": blob.media_type}
        if self.authorization is not None:
            headers["Authorization"] = self.authorization
        with closing(http.client.HTTPConnection(self.address, timeout=_TIMEOUT_S)) as connection:
            connection.request(method, path, b"" if blob is None else blob.content, headers)
            answer = connection.getresponse()
            text = answer.read()
            assert answer.status == expected, f"{method} {path}: {answer.status} {text.decode()}"
            return answer.headers


@contextmanager
def running_registry(directory: Path, *, closed: bool = False) -> Iterator[Registry]:
    """A registry on a free port of loopback; it ends with the context.

    Args:
        directory: exists; gets the registry's configuration, log and storage.
        closed: only USER with PASSWORD may enter.
    """
    storage, log, config = directory / "storage", directory / "log", directory / "config.yml"
    text = _CONFIG.format(storage=storage, secret=secrets.token_hex(8))
    if closed:
        (directory / "htpasswd").write_text(_HTPASSWD)
        text += _AUTH.format(htpasswd=directory / "htpasswd")
    config.write_text(text)
    with log.open("wb") as stream:
        process = proc.spawn([registry_program(), "serve", config], stdout=stream, stderr=subprocess.STDOUT, keep=())
    try:
        found = wait_until(
            lambda: process.poll() is not None or _LISTENING.search(log.read_bytes()), "the registry listens"
        )
        assert isinstance(found, re.Match), log.read_text()
        token = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        yield Registry(found[1].decode(), storage, f"Basic {token}" if closed else None)
    finally:
        proc.stop(process)


@dataclass(frozen=True)
class Fault:
    """What the door does with requests whose path contains ``path``."""

    path: str
    status: int | None = None
    """Answer with this status instead of asking the registry."""
    body: Blob | None = None
    cut_after: int | None = None
    """Break the connection after so many bytes of the answer's body."""


@dataclass
class Door:
    """A proxy before a registry. Tests change its faults while it runs."""

    address: str
    faults: list[Fault] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    """Method and path of every request so far."""


@contextmanager
def door(registry: Registry) -> Iterator[Door]:
    """A proxy before ``registry`` on a free port of loopback; it ends with the context."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    made = Door(f"127.0.0.1:{server.server_port}")
    server.RequestHandlerClass = _handler(registry, made)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(registry: Registry, state: Door) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            state.asked.append(f"{self.command} {self.path}")
            fault = next((fault for fault in state.faults if fault.path in self.path), None)
            if fault is not None and fault.status is not None:
                body = fault.body or Blob("application/json", b'{"errors": []}')
                self._answer(fault.status, body.media_type, body.content)
            else:
                self._forward(None if fault is None else fault.cut_after)

        do_HEAD = do_GET  # noqa: N815 - the base class looks for this name

        def _forward(self, cut_after: int | None) -> None:
            with closing(http.client.HTTPConnection(registry.address, timeout=_TIMEOUT_S)) as connection:
                connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                for name, value in self.headers.items():  # some names occur several times
                    connection.putheader(name, value)
                connection.endheaders()
                answer = connection.getresponse()
                content = answer.read()
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content[:cut_after])
                self.close_connection = cut_after is not None

        def _answer(self, status: int, media_type: str, content: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def log_message(self, *_args: object) -> None:
            pass

    return Handler
