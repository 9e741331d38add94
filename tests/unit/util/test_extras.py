"""The command that adds an optional package."""

from __future__ import annotations

import sys

import pytest

from bench.util import extras


@pytest.mark.parametrize(
    ("pip", "command"),
    [
        (object(), "/a b/python -m pip install python-pptx"),
        (None, "uv pip install --python /a b/python python-pptx"),
    ],
)
def test_the_package_comes_to_the_python_that_runs(pip: object, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/a b/python")
    monkeypatch.setattr(extras, "find_spec", lambda _name: pip)
    assert extras.adding("python-pptx") == command.replace("/a b/python", "'/a b/python'")
