"""Optional packages of Python: how one is added to the Python that runs Boxbench."""

from __future__ import annotations

import shlex
import sys
from importlib.util import find_spec


def adding(package: str) -> str:
    """The command that installs a package: ``/usr/bin/python3 -m pip install python-pptx``.

    It names the package and no extra of Boxbench, since a registry may have another package of our name. It names the
    Python, since the shell's ``pip`` may belong to another one. Environments of uv have no pip.
    """
    if find_spec("pip") is None:
        return shlex.join(["uv", "pip", "install", "--python", sys.executable, package])
    return shlex.join([sys.executable, "-m", "pip", "install", package])
