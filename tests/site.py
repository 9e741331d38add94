"""Builds the documentation site and checks it: ``python -m tests.site [DIRECTORY] [--external]``.

Every warning of Sphinx is a problem, and so is what ``tests.site_check`` finds. Without a directory the site is built
into a temporary one. With ``--external`` links to other sites are followed, too, which needs a network.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from tests import site_check

ROOT: Final = Path(__file__).parent.parent


def build(place: Path, builder: str = "html") -> int:
    """Build the site into a directory, anew. Prints warnings, and returns Sphinx's exit code: not 0 if there are any.

    Args:
        builder: ``html``, or ``linkcheck``, which follows links to other sites.
    """
    words = ("--quiet", "--fail-on-warning", "--nitpicky", "--fresh-env", "--builder", builder, "--conf-dir", "docs")
    argv = [sys.executable, "-m", "sphinx", *words, "--doctree-dir", str(place / ".doctrees"), ".", str(place)]
    return subprocess.run(argv, cwd=ROOT, check=False).returncode


def main(arguments: list[str]) -> int:
    """Build, then check. Returns 1 if there is a problem."""
    places = [word for word in arguments if word != "--external"]
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(places[0] if places else scratch).resolve()
        failed = build(place) or site_check.main([str(place)])
        if "--external" in arguments and not failed:
            failed = build(Path(scratch) / "external", "linkcheck")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
