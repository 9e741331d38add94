"""Another user of the host, who tries to reach files of ours."""

from __future__ import annotations

import json
import os
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


_READ_PROCESSES: Final = """
import json, os, sys

os.setgroups([])
os.setgid(int(sys.argv[1]))
os.setuid(int(sys.argv[1]))
found = []
for pid in filter(str.isdigit, os.listdir("/proc")):
    for name in ("cmdline", "environ"):
        try:
            with open(f"/proc/{pid}/{name}", "rb") as stream:
                content = stream.read()
        except OSError:
            continue
        if sys.argv[2].encode() in content and int(pid) != os.getpid():
            found.append(f"{name} of {pid}: {content.decode(errors='replace')}")
print(json.dumps(found))
"""


def everything_below(*tops: Path) -> list[Path]:
    """Every path below the directories, without themselves, listed by us; of a box's /proc and /sys their names."""
    found = []
    for top in tops:
        for directory, folders, files in os.walk(top):
            found += [Path(directory, name) for name in (*folders, *files)]
            folders[:] = [name for name in folders if name not in ("proc", "sys")]
    return found


def done_to(paths: Iterable[Path], *, uid: int = NOBODY) -> list[str]:
    """What a user can do to the paths: look at, list, read, write, make a file in, connect to. Needs root."""
    return _as_user(uid, _TRY, stdin=json.dumps([str(path) for path in paths]))


def processes_that_show(text: str, *, uid: int = NOBODY) -> list[str]:
    """The command lines and environments of all processes that a user can read and that have ``text``. Needs root."""
    return _as_user(uid, _READ_PROCESSES, text)


def _as_user(uid: int, script: str, *arguments: str, stdin: str = "") -> list[str]:
    # As the interpreter may be in a directory that no other user can enter, the script gives root up by itself.
    argv = [sys.executable, "-c", script, str(uid), *arguments]
    answer: list[str] = json.loads(subprocess.run(argv, input=stdin, capture_output=True, text=True, check=True).stdout)
    return answer
