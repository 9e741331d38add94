"""What a command does not need is not imported: half of the time of a short one would be for it."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.host

DRAWING = ("matplotlib", "PIL", "pandas", "scipy", "numba", "numpy", "jinja2", "pptx")
REST = ("pydantic", "yaml", "docker", "libvirt", "requests", "rich")
_PROGRAM = """
import sys
from bench.cli import main
try:
    main()
finally:
    print(*sys.modules, file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("words", "not_needed"),
    [(["--help"], (*DRAWING, *REST)), (["--version"], (*DRAWING, *REST)), (["targets"], DRAWING)],
    ids=["help", "version", "targets"],
)
def test_heavy_modules_are_imported_where_they_are_used(words: list[str], not_needed: tuple[str, ...]) -> None:
    ran = subprocess.run([sys.executable, "-c", _PROGRAM, *words], capture_output=True, text=True, check=True)
    imported = set(ran.stderr.split())
    assert "typer" in imported
    assert not imported & set(not_needed)
