"""Docker Engines behind TLS, of DOCKER_HOST and of the docker context: a server that demands certificates."""

from __future__ import annotations

import hashlib
import json
import shutil
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from bench.engines.dockerd import running_client
from bench.util import proc
from bench.util.errors import HostUnfitError
from tests.needs import need

pytestmark = pytest.mark.host


class _Engine(BaseHTTPRequestHandler):
    """As much of an engine as finding it needs."""

    def do_GET(self) -> None:
        body = b"OK" if self.path.endswith("/_ping") else json.dumps({"ApiVersion": "1.44"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_words: object) -> None:
        """Print nothing."""


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``ca.pem``, ``cert.pem`` and ``key.pem``: one certificate for localhost, which signs itself."""
    openssl = proc.find_tool("openssl")
    need(None if openssl else "openssl is not installed")
    made = tmp_path_factory.mktemp("certificates")
    words = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
    files = ["-keyout", str(made / "key.pem"), "-out", str(made / "cert.pem")]
    proc.run([str(openssl), *words, *names, *files], timeout_s=60)
    shutil.copy(made / "cert.pem", made / "ca.pem")
    return made


@pytest.fixture
def engine(certificates: Path) -> Iterator[str]:
    """The address of an engine that answers only those who have the certificate."""
    demands = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(certificates / "ca.pem"))
    demands.load_cert_chain(certificates / "cert.pem", certificates / "key.pem")
    demands.verify_mode = ssl.CERT_REQUIRED
    server = HTTPServer(("127.0.0.1", 0), _Engine)
    server.socket = demands.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"tcp://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def _no_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The last two choose other authorities for everything that Python's library requests does.
    docker = ("DOCKER_HOST", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "DOCKER_CONTEXT")
    for name in (*docker, "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    (tmp_path / "docker").mkdir()


def _ping() -> bool:
    client = running_client()
    assert client is not None
    try:
        return bool(client.ping())
    finally:
        client.close()


def test_an_engine_that_is_named_is_asked_with_the_users_certificate(
    engine: str, certificates: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", engine)
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(certificates))
    assert _ping()


def test_without_the_certificate_it_does_not_answer(
    engine: str, certificates: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", engine)
    with pytest.raises(HostUnfitError, match="does not answer"):
        running_client()
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(tmp_path / "none"))
    with pytest.raises(HostUnfitError, match="does not answer") as caught:
        running_client()
    assert "DOCKER_CERT_PATH" in (caught.value.hint or "")


def test_an_engine_whose_certificate_is_another_is_refused(
    engine: str, certificates: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(certificates, tmp_path / "other")
    openssl = str(proc.find_tool("openssl"))
    another = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=x"]
    proc.run([openssl, *another, "-keyout", tmp_path / "k", "-out", tmp_path / "other/ca.pem"], timeout_s=60)
    monkeypatch.setenv("DOCKER_HOST", engine)
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(tmp_path / "other"))
    with pytest.raises(HostUnfitError, match=r"does not answer.*CERTIFICATE_VERIFY_FAILED"):
        running_client()


def test_the_context_of_the_user_brings_its_certificate(engine: str, certificates: Path, tmp_path: Path) -> None:
    (tmp_path / "docker/config.json").write_text(json.dumps({"currentContext": "far"}), encoding="utf-8")
    key = hashlib.sha256(b"far").hexdigest()
    meta, tls = tmp_path / "docker/contexts/meta" / key, tmp_path / "docker/contexts/tls" / key / "docker"
    meta.mkdir(parents=True)
    endpoint = {"Host": engine, "SkipTLSVerify": False}
    text = json.dumps({"Name": "far", "Metadata": {}, "Endpoints": {"docker": endpoint}})
    (meta / "meta.json").write_text(text, encoding="utf-8")
    shutil.copytree(certificates, tls)
    assert _ping()


def test_a_unix_socket_needs_no_certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none")
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    with pytest.raises(HostUnfitError, match="No such file or directory"):
        running_client()
