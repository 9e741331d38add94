"""Images in podman's own storage, for hosts without Docker. Dockerfiles are built by Buildah, which is part of podman.

It is the storage of the user who runs Boxbench, so that what podman has built or pulled is there. The target ``podman``
has another one: its containers are measured, and these are never started.
"""

from __future__ import annotations

import io
import json
import os
import resource
import stat
import subprocess
import tarfile
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any, Final

from bench.agent.boxconf import AGENT_IN_BOX
from bench.host.run_directory import BOX_LABEL, box_labels, new_tag, parse_tag
from bench.host.scratch import scratch
from bench.image.platforms import host_platform
from bench.image.stores.arguments import argument_options, secret_arguments
from bench.image.stores.base import LABELS, BuildOrder, Built, Log, StoredImage, StoreError, foreign_place
from bench.image.stores.failure import build_error
from bench.image.stores.ignored import PODMAN, ignore_list
from bench.image.stores.lines import read_lines
from bench.image.stores.progress import TAIL_LINES
from bench.image.stores.pulling import pull_error
from bench.scenario.image_name import Reference
from bench.util import proc
from bench.util.errors import ProcessError
from bench.util.steps import Highest, measured_by

BUILDER: Final = "Buildah"
_TIMEOUT_S: Final = 60.0
_COPY_TIMEOUT_S: Final = 3600.0
_CHUNK: Final = 2**20
_STALE_S: Final = 24 * 3600
"""How old a container of ours must be to belong to a process that was killed."""
_MOST_FILES: Final = 2**20
"""podman's default for a limit of open files and of processes. It fails where the host's own limit is lower."""
_ENV: Final = {"PODMAN_IGNORE_CGROUPSV1_WARNING": "1"}


class PodmanStore:
    """See ``ImageStore``.

    Raises:
        HostUnfitError: podman is not installed.
    """

    def __init__(self) -> None:
        self._program = [proc.require_tool("podman", package="podman")]
        runc = proc.find_tool("runc")
        if runc is not None:
            # podman's own default, crun, refuses hosts with both versions of control groups.
            self._program += ["--runtime", runc]
        self._remove_abandoned()

    def build(self, order: BuildOrder, log: Log) -> Built:
        """Build a Dockerfile by Buildah."""
        with scratch() as folder:
            ids = folder / "id"
            options = [*_ignored(order, folder), *_build_options(order, ids)]
            code, lines = self._follow(log, "build", *options, env=secret_arguments(order))
            if code != 0 or not ids.is_file():
                hint = "run `podman build` by hand to investigate"
                raise build_error(_error(lines) or "it ended without an image", lines, where=_step(lines), hint=hint)
            built = _full_id(ids.read_text("ascii").strip())
        about = json.loads(self._ask("version", "--format", "json").text)["Client"]["Version"]
        buildah = self._ask("info", "--format", "{{.Host.BuildahVersion}}").text.strip()
        return Built(built, builder=BUILDER, builder_version=f"{buildah}, podman {about}")

    def inspect(self, reference: str) -> StoredImage | None:
        """See ``ImageStore.inspect``."""
        if self._ask("image", "exists", reference, check=False).returncode != 0:
            return None
        about = json.loads(self._ask("image", "inspect", reference).text)[0]
        check = about.get("Healthcheck") or about.get("HealthCheck")  # podman has spelt it in both ways
        return StoredImage(
            id=_full_id(about["Id"]),
            config={**(about["Config"] or {}), **({"Healthcheck": check} if check else {})},
            architecture=about["Architecture"],
            os=about["Os"],
            size_bytes=int(about["Size"]),
            layers=tuple(about["RootFS"].get("Layers") or ()),
            repo_digests=tuple(about.get("RepoDigests") or ()),
        )

    def pull(self, reference: Reference, log: Log) -> None:
        """See ``ImageStore.pull``."""
        # podman takes a digest only without the tag before it.
        wanted = str(reference.at(reference.digest) if reference.digest else reference)
        with scratch() as folder:
            # podman keeps the compressed layers there until the pull is over, and says nothing of their sizes.
            came = Highest(lambda: sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()))
            measured_by(came)
            env = {"TMPDIR": str(folder)}
            code, lines = self._follow(lambda line: log(f"pulling {reference}: {line}"), "pull", wanted, env=env)
            came()
            measured_by(lambda: came.found)
        if code != 0:
            said = _error(lines) or " ".join(lines)
            raise pull_error(reference, said, platform=host_platform(), tool="podman")

    def load(self, archive: Path) -> str:
        """See ``ImageStore.load``."""
        said = self._ask("load", "--quiet", "--input", str(archive), timeout_s=_COPY_TIMEOUT_S).text
        size = archive.stat().st_size
        measured_by(lambda: size)
        found = [line.partition(":")[2].strip() for line in said.splitlines() if line.startswith("Loaded image")]
        if not found:
            raise StoreError("podman loaded no image", hint="check that the archive is whole")
        return found[0]

    def import_tree(self, tarball: Path, tag: str, labels: Mapping[str, str]) -> None:
        """See ``ImageStore.import_tree``."""
        changes = [word for name, value in labels.items() for word in ("--change", f"LABEL {name}={value}")]
        self._ask("import", "--quiet", *changes, str(tarball), tag, timeout_s=_COPY_TIMEOUT_S)

    def add_layer(
        self, plain: str, layer: Path, config: Mapping[str, Any], ref: str, *, directories: Sequence[str]
    ) -> None:
        """See ``ImageStore.add_layer``."""
        with self._container(plain) as name:
            missing = self._look(name, directories, str(config.get("WorkingDir") or ""))
            if missing:
                self._ask("cp", "--archive=false", "-", f"{name}:/", stdin=_directories(missing))
            self._unpack(layer, name)
            changes = [word for change in _changes(config) for word in ("--change", change)]
            self._ask("commit", "--quiet", "--format", "docker", *changes, name, ref, timeout_s=_COPY_TIMEOUT_S)

    def export(self, reference: str, path: Path) -> None:
        """See ``ImageStore.export``."""
        with self._container(reference) as name:
            self._ask("export", "--output", str(path), name, timeout_s=_COPY_TIMEOUT_S)

    def save(self, reference: str) -> Iterator[bytes]:
        """See ``ImageStore.save``."""
        with scratch() as folder:
            archive = folder / "image.tar"
            words = ("save", "--quiet", "--format", "docker-archive", "--output", str(archive), reference)
            self._ask(*words, timeout_s=_COPY_TIMEOUT_S)
            with archive.open("rb") as content:
                while chunk := content.read(_CHUNK):
                    yield chunk

    def _unpack(self, layer: Path, container: str) -> None:
        argv = [*self._program, "cp", "--archive=false", "-", f"{container}:/"]
        with layer.open("rb") as content:
            process = proc.spawn(argv, stdin=content, stderr=subprocess.PIPE, env=_ENV, keep=proc.ENGINE_VARIABLES)
            try:
                _, stderr = process.communicate(timeout=_COPY_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                raise StoreError(
                    f"podman cp was still running after {_COPY_TIMEOUT_S:g} s", hint="is the disk of its storage slow?"
                ) from None
            finally:
                proc.stop(process)
        if process.returncode != 0:
            raise _failed("cp", proc.tail(stderr))

    def _remove_abandoned(self) -> None:
        """Remove containers of ours whose process was killed. Their name and our label are the same tag."""
        listed = self._ask("ps", "--all", "--filter", f"label={BOX_LABEL}", "--format", "json", check=False).stdout
        for container in json.loads(listed or b"[]") or ():
            tag = parse_tag((container.get("Labels") or {}).get(BOX_LABEL, ""))
            old = time.time() - container.get("Created", time.time()) > _STALE_S
            if tag is not None and old and tag.text in (container.get("Names") or ()):
                self._ask("rm", "--force", "--volumes", "--ignore", container["Id"], check=False)

    def _look(self, container: str, directories: Sequence[str], workdir: str) -> tuple[str, ...]:
        """Refuse foreign places, and find what is missing of the image's working directory, which Docker makes.

        Only root sees the files of a container. For others podman still writes only inside of the container, and our
        places are checked in the exported tree.
        """
        if os.geteuid() != 0:
            return ()
        root = Path(self._ask("mount", container).text.strip())
        try:
            for place in directories:
                _refuse_foreign(root, place)
            return _missing(root, workdir)
        finally:
            self._ask("unmount", container, check=False)

    @contextmanager
    def _container(self, image: str) -> Iterator[str]:
        """A container that is never started. Its volumes are left out, so what is below them is the image's own."""
        name = new_tag("export")
        labels = [word for label in box_labels(name).items() for word in ("--label", "=".join(label))]
        options = ("--pull", "never", "--network", "none", "--image-volume", "ignore", "--unsetenv-all")
        try:
            self._ask("create", "--name", name, *options, *labels, "--entrypoint", json.dumps([AGENT_IN_BOX]), image)
            yield name
        finally:
            self._ask("rm", "--force", "--volumes", "--ignore", name, check=False)

    def _ask(
        self, *words: str, check: bool = True, timeout_s: float = _TIMEOUT_S, stdin: bytes | None = None
    ) -> proc.Result:
        """Run a podman command to its end. Raises StoreError."""
        try:
            return proc.run(
                [*self._program, *words],
                timeout_s=timeout_s,
                check=check,
                stdin=stdin,
                env=_ENV,
                keep=proc.ENGINE_VARIABLES,
            )
        except ProcessError as error:
            raise _failed(words[0], error.stderr_tail or error.message) from None

    def _follow(self, log: Log, *words: str, env: Mapping[str, str] = MappingProxyType({})) -> tuple[int, deque[str]]:
        """Run a command that takes long; returns its exit code and last lines. Raises StoreError: it takes too long."""
        argv = [*self._program, *words]
        process = proc.spawn(
            argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**_ENV, **env}, keep=proc.ENGINE_VARIABLES
        )
        last: deque[str] = deque(maxlen=TAIL_LINES)
        try:
            assert process.stdout is not None
            for line in read_lines(process.stdout):
                if line.strip():
                    last.append(line)
                    log(line)
            return process.wait(_TIMEOUT_S), last
        finally:
            proc.stop(process)


def _failed(command: str, said: str) -> StoreError:
    return StoreError(
        f"podman {command} failed: {said}", hint="check that podman's storage has free space, and run it by hand"
    )


def _refuse_foreign(root: Path, place: str) -> None:
    path = root / place.lstrip("/")
    # Parents are asked for before what is in them, so no link has been followed when a place is looked at.
    if os.path.lexists(path) and not stat.S_ISDIR(path.lstat().st_mode):
        raise foreign_place(place, "is not a directory", str(path.readlink()) if path.is_symlink() else "")


def _missing(root: Path, workdir: str) -> tuple[str, ...]:
    """The directories of ``workdir`` that are not there, outermost first; none below a link."""
    missing: list[str] = []
    path = root
    for part in PurePosixPath(workdir.lstrip("/")).parts:
        path /= part
        if part == ".." or path.is_symlink():
            return ()
        if missing or not path.exists():
            missing.append(str(path.relative_to(root)))
    return tuple(missing)


def _directories(places: Sequence[str]) -> bytes:
    """A tar of directories that belong to root and have no time."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for place in places:
            member = tarfile.TarInfo(place)
            member.type, member.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(member)
    return buffer.getvalue()


def _build_options(order: BuildOrder, ids: Path) -> Iterator[str]:
    # Docker's format keeps HEALTHCHECK and ONBUILD.
    yield from ("--format", "docker", "--iidfile", str(ids), "--tag", order.tag, "--rm", "--force-rm")
    yield from ("--file", str(order.context / order.dockerfile))
    for limit in ("nofile", "nproc"):
        most = _most(limit)
        yield from ("--ulimit", f"{limit}={most}:{most}")
    if order.network != "default":
        yield from ("--network", order.network)
    for name, value in LABELS.items():
        yield from ("--label", f"{name}={value}")
    yield from argument_options(order)
    if order.target is not None:
        yield from ("--target", order.target)
    for name, file in order.secrets.items():
        yield from ("--secret", f"id={name},src={file}")
    yield str(order.context)


def _ignored(order: BuildOrder, folder: Path) -> Iterator[str]:
    if order.leave_out:
        file = folder / "ignored"
        file.write_bytes(ignore_list(order, PODMAN))
        yield from ("--ignorefile", str(file))


def _most(limit: str) -> int:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE if limit == "nofile" else resource.RLIMIT_NPROC)
    return _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)


def _changes(config: Mapping[str, Any]) -> Iterator[str]:
    """Instructions that give a committed image what its container has in another form, or has not."""
    # A container of this image is no box of ours.
    yield f"LABEL {BOX_LABEL}="
    for instruction, key in (("ENTRYPOINT", "Entrypoint"), ("CMD", "Cmd")):
        yield f"{instruction} {json.dumps(list(config.get(key) or ()))}"
    stop = str(config.get("StopSignal") or "")
    if stop.isalnum():
        yield f"STOPSIGNAL {stop}"
    directory = str(config.get("WorkingDir") or "")
    if directory and directory.isprintable():
        yield f"WORKDIR {directory}"
    volumes = config.get("Volumes") or {}
    if volumes:
        yield f"VOLUME {json.dumps(list(volumes))}"


def _error(lines: Sequence[str]) -> str:
    """What podman said last of an error; empty if it said nothing."""
    return next((line.removeprefix("Error: ") for line in reversed(lines) if line.startswith("Error: ")), "")


def _step(lines: Sequence[str]) -> str:
    return next((repr(line) for line in reversed(lines) if line.startswith("STEP ")), "")


def _full_id(identity: str) -> str:
    return identity if identity.startswith("sha256:") else f"sha256:{identity}"
