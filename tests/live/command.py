"""The command line as a subprocess, with the session's engine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench.host.campaign_lock import only_campaign_on_host
from bench.run.cleanup import find_containers, find_leftovers
from bench.util import proc
from bench.util.cache import cache_dir
from bench.util.errors import HostUnfitError
from tests.lab import Lab
from tests.needs import in_ci

PROGRAM: Final = Path(sys.executable).with_name("boxbench")
LIMIT_S: Final = 600.0
# Somebody else's campaign on this host: ours waits its turn.
_BUSY: Final = "another boxbench campaign is running on this host"
_CAMPAIGN: Final = re.compile(r"boxbench-[0-9a-f]{8}\b")
_TURN_S: Final = 600.0


@dataclass
class Command:
    """Runs ``boxbench`` in a directory of its own."""

    cwd: Path
    lab: Lab
    env: dict[str, str] = field(default_factory=dict)

    def words(self, *words: str | Path, inside: Sequence[str] = ()) -> list[str]:
        """The whole command line; ``inside`` comes before the program: unshare, setpriv."""
        return [*inside, str(PROGRAM), *map(str, words)]

    def __call__(
        self, *words: str | Path, env: Mapping[str, str] | None = None, inside: Sequence[str] = ()
    ) -> proc.Result:
        """Run to the end."""
        deadline = time.monotonic() + _TURN_S
        while True:
            result = proc.run(
                self.words(*words, inside=inside),
                timeout_s=LIMIT_S,
                check=False,
                cwd=self.cwd,
                env={**self.env, **(env or {})},
            )
            if _BUSY not in result.stderr.decode() or time.monotonic() > deadline:
                return result
            time.sleep(2)

    def start(self, *words: str | Path, env: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start and come back at once; its stderr goes to ``stderr`` in the directory."""
        _wait_for_turn()
        with (self.cwd / "stderr").open("wb") as stderr, (self.cwd / "stdout").open("wb") as stdout:
            return proc.spawn(
                self.words(*words), stdout=stdout, stderr=stderr, cwd=self.cwd, env={**self.env, **(env or {})}
            )

    def on_host(self) -> set[str]:
        """What carries our name on this host and belongs to nobody alive, containers included."""
        found = map(str, (*find_leftovers(), *find_containers(self.lab.client)))
        # Beside us others may try things out by hand; in CI nobody does.
        return {text for text in found if in_ci() or _CAMPAIGN.search(text)}


def _link(source: str, place: str) -> None:
    """A hard link, or a copy on another file system."""
    try:
        os.link(source, place)
    except OSError:
        shutil.copy2(source, place)


def linked_cache(directory: Path, *kinds: str) -> None:
    """Make a cache with these kinds of entries of the session's, where it has them. No link to a cache is pruned."""
    directory.mkdir(mode=0o700)
    for kind in kinds:
        if (cache_dir() / kind).is_dir():
            hidden = shutil.ignore_patterns(".*")
            shutil.copytree(cache_dir() / kind, directory / kind, copy_function=_link, ignore=hidden)
            (directory / kind).chmod(0o700)


def refused(result: proc.Result, code: int, *words: str) -> str:
    """One paragraph with these words and a next step, the right exit code, no traceback. Returns it."""
    said = result.stderr.decode()
    assert result.returncode == code, said
    assert "Traceback" not in said
    paragraph = said[said.index("boxbench: ") :]
    assert "\n\n" not in paragraph
    assert paragraph.count("\n  → ") == 1, paragraph
    for word in words:
        assert word in paragraph, paragraph
    return paragraph


def _wait_for_turn() -> None:
    """Until no campaign runs on this host."""
    deadline = time.monotonic() + _TURN_S
    while time.monotonic() < deadline:
        with suppress(HostUnfitError), only_campaign_on_host():
            return
        time.sleep(1)
