"""Another user of the host, who tries to reach files of ours."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

NOBODY: Final = 65534

_TRY: Final = """
import json, os, socket, sys

os.setgroups([])
os.setgid(int(sys.argv[1]))
os.setuid(int(sys.argv[1]))

def connect(path):
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(path)

WAYS = {
    "look at": os.lstat,
    "list": os.listdir,
    "read": lambda path: os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK)),
    "write": lambda path: os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK)),
    "make": lambda path: os.close(os.open(path + "/x", os.O_WRONLY | os.O_CREAT | os.O_EXCL)),
    "connect to": connect,
}
done = []
for path in json.load(sys.stdin):
    for name, way in WAYS.items():
        try:
            way(path)
        except OSError:
            continue
        done.append(f"{name} {path}")
print(json.dumps(done))
"""


def everything_below(*tops: Path) -> list[Path]:
    """Every path below the directories, without themselves, listed by us."""
    return [path for top in tops for path in top.rglob("*")]


def done_to(paths: Iterable[Path], *, uid: int = NOBODY) -> list[str]:
    """What a user can do to the paths: look at, list, read, write, make a file in, connect to. Needs root."""
    tried = subprocess.run(
        [sys.executable, "-c", _TRY, str(uid)],
        input=json.dumps([str(path) for path in paths]),
        capture_output=True,
        text=True,
        check=True,
    )
    done: list[str] = json.loads(tried.stdout)
    return done
