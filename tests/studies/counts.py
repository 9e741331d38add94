"""Counts of instructions over eight commits of one image: which changes are told, and which are not.

    python -m tests.studies.counts OUT [TARGETS]

A repository in OUT gets eight commits. Each changes the comment of a script, its letters or its length, so that all
images differ, and seven of them differ in size. The fifth also has a busy loop of some 30 million instructions. Every
commit is counted (5 runs) through ``boxbench gate compare --commits`` or ``boxbench instructions``, and added to a
history. Expected: no gate and no check is red without the loop, the loop is found in its commit, all commits of a cell
are one series, and where a target cannot tell it says so.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from bench.util import proc
from tests.histories import IDENTITY, git

TURNS: Final = 2400
"""Of busybox's shell: some 13,000 instructions each."""
PLANTED: Final = 4
"""The index of the commit with the loop."""
COMMENTS: Final = ("x" * 130, "y" * 130, "z" * 131, "once more", "q" * 130, "r" * 900, "s" * 10, "t" * 4200)
_DOCKERFILE: Final = """\
FROM boxbench/base-busybox:latest AS tools
FROM scratch
COPY --from=tools /usr/bin/busybox /bin/busybox
COPY serve.sh /serve.sh
CMD ["/bin/busybox", "sh", "/serve.sh"]
"""
_SCENARIO: Final = """\
question: Does a change of this script lengthen its start?
name: served
workload:
  base: {tag: boxbench/base-busybox:latest, packages: [busybox-static], variant: extract}
  build: {network: none}
ready: {when: first-line, timeout: 60s}
resources: {cpus: 1, memory: 128MiB, disk: 64MiB}
targets: [process, docker, runc]
baseline: docker
"""


def script(number: int) -> str:
    """The script of a commit."""
    loop = f"i=0; while [ $i -lt {TURNS} ]; do i=$((i+1)); done\n" if number >= PLANTED else ""
    return f"# {COMMENTS[number]}\n{loop}echo up\nexec /bin/busybox sleep 1000000\n"


def make_commits(repository: Path) -> list[str]:
    """Write the repository. Returns the commits, oldest first."""
    repository.mkdir(parents=True)
    git(repository, "init", "-q", "-b", "main")
    (repository / "Dockerfile").write_text(_DOCKERFILE)
    (repository / "scenario.yaml").write_text(_SCENARIO)
    hashes = []
    for number in range(len(COMMENTS)):
        (repository / "serve.sh").write_text(script(number))
        git(repository, "add", ".")
        # A history orders commits by their time, and these would all have the same second.
        when = f"2031-01-{number + 1:02d}T12:00:00+00:00"
        words = ["git", "-C", str(repository), *IDENTITY, "commit", "-q", "-m", f"Commit {number + 1}"]
        proc.run(words, timeout_s=30, env={"GIT_AUTHOR_DATE": when, "GIT_COMMITTER_DATE": when})
        hashes.append(git(repository, "rev-parse", "HEAD").strip())
    return hashes


def boxbench(*words: str | Path) -> int:
    """Run a command with its output on the terminal. Returns its exit code."""
    argv = [sys.executable, "-m", "bench.cli", *map(str, words)]
    sys.stdout.write(f"\n$ boxbench {' '.join(argv[3:])}\n")
    sys.stdout.flush()
    code = subprocess.run(argv, check=False).returncode
    sys.stdout.write(f"exit code {code}\n")
    sys.stdout.flush()
    return code


def _count_all(out: Path, hashes: Sequence[str], targets: str) -> None:
    """Two gates and four counts, each added to the history."""
    repository = out / "repository"
    history = ("--repository", repository, "--dir", out / "history")
    for before in (PLANTED - 1, 0):
        gate = out / f"gate-{before + 1}-{before + 2}"
        pair = hashes[before : before + 2]
        boxbench("gate", "compare", repository, "--commits", *pair, "-t", targets, "--accel", "icount", "-o", gate)
        for side, commit in zip("ab", pair, strict=True):
            boxbench("history", "add", gate / side, "--commit", commit, *history)
    for number in (n for n in range(len(hashes)) if n not in (0, 1, PLANTED - 1, PLANTED)):
        git(repository, "checkout", "-q", hashes[number])
        place = out / f"counts-{number + 1}"
        boxbench("instructions", repository, "-t", targets, "-n", "5", "-o", place)
        boxbench("history", "add", place, "--commit", hashes[number], *history)
    git(repository, "checkout", "-q", "main")
    boxbench("history", "show", *history, "--page", out / "history.html")
    boxbench("history", "check", *history)


def table(out: Path) -> str:
    """The median and the range of the runs of every commit, by cell, in million instructions."""
    cells: dict[str, dict[str, list[Any]]] = {}
    lines = [json.loads(text) for file in (out / "history").glob("*.jsonl") for text in file.read_text().splitlines()]
    for line in sorted(lines, key=lambda line: line["commit"]["committed_at"]):
        for cell, metrics in line["cells"].items():
            point = metrics["instructions"]
            values = [f"{point[name] / 1e6:.3f}" for name in ("median", "low", "high")]
            cells.setdefault(cell, {})[line["commit"]["subject"]] = [line["fingerprint"], *values]
    rows = ["cell, commit: clock, median, low, high (M instructions)"]
    for cell, found in cells.items():
        rows += [f"{cell}, {subject}: {', '.join(values)}" for subject, values in found.items()]
    return "\n".join(rows)


def main(arguments: Sequence[str]) -> None:
    """Make the commits, count them, judge, and print the table."""
    out = Path(arguments[0]).absolute()
    targets = arguments[1] if len(arguments) > 1 else "docker,runc"
    _count_all(out, make_commits(out / "repository"), targets)
    sys.stdout.write(f"\n{table(out)}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
