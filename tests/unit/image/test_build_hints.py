"""The next step after a build that failed."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.image.build_hints import build_hint
from bench.image.stores.base import BuildOrder
from bench.scenario.model import Base

NO_REGISTRY = 'failed to resolve source metadata: Head "https://registry.test/v2/x/manifests/1": no such host'


def order(folder: Path, dockerfile: str) -> BuildOrder:
    (folder / "Dockerfile").write_text(dockerfile)
    (folder / "src").mkdir(exist_ok=True)
    for file in ("server.py", "src/main.c"):
        (folder / file).touch()
    return BuildOrder(context=folder, dockerfile="Dockerfile", tag="made")


@pytest.mark.parametrize(
    ("message", "hint"),
    [
        ('failed to calculate checksum of ref a1::b2: "/serverr.py": not found', "did you mean server.py? paths of"),
        ('failed to calculate checksum of ref a1::b2: "/src/mian.c": not found', "did you mean src/main.c?"),
        ("COPY failed: excluded by .dockerignore: stat servr.py: file does not exist", "did you mean server.py?"),
        ('Error: copier: stat: "/serve.py": no such file or directory', "did you mean server.py?"),
        ('failed to calculate checksum of ref a1::b2: "/zzz": not found', "paths of COPY and ADD"),
        ('failed to calculate checksum of ref a1::b2: "/no/where": not found', "paths of COPY and ADD"),
        ('runc run failed: exec: "/bin/sh": stat /bin/sh: no such file or directory', "RUN in shell form"),
        ("exit code: 7", None),
        ("exit code: 1\n    npm error network registry.test does not answer", None),
        ('exit code: 1\n    failed to calculate checksum of ref a1::b2: "/x": not found', None),
    ],
)
def test_a_file_that_copy_may_have_meant(tmp_path: Path, message: str, hint: str | None) -> None:
    found = build_hint(message, order(tmp_path, "FROM x\n"), None)
    assert (found is None) == (hint is None)
    assert hint is None or str(found).startswith(hint)


@pytest.mark.parametrize(
    ("dockerfile", "tag", "hint"),
    [
        ("FROM boxbench/base-nginxx\n", None, "the bundled scenario"),
        ("FROM boxbench/base-unheard-of-thing:1\n", None, "(`boxbench init` writes one)"),
        (
            "from --platform=linux/amd64 boxbench/base-nginx:latest\n",
            "boxbench/base-web:latest",
            "use one name in both",
        ),
        ("FROM boxbench/base-web\n", "boxbench/base-web:latest", None),
        ("FROM python:3.12\n", None, "`boxbench init` writes a scenario, whose workload.base"),
        ("FROM python:3.12\n", "boxbench/base-web:latest", None),
    ],
)
def test_an_image_that_no_registry_gave(tmp_path: Path, dockerfile: str, tag: str | None, hint: str | None) -> None:
    base = None if tag is None else Base(tag=tag, packages=("nginx",))
    found = build_hint(NO_REGISTRY, order(tmp_path, dockerfile), base)
    assert (found is None) == (hint is None)
    assert hint is None or hint in str(found)
