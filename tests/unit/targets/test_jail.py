"""The jail of a program that runs a guest: it sees the files that it needs, and has no privilege."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from bench.host.cgroup import own_cgroup
from bench.host.mounts import read_mounts
from bench.targets.launcher.held_process import HeldProcess
from bench.targets.vms.uml import NAMESPACES, libraries_of
from bench.util.errors import LaunchError
from tests.waiting import wait_until

pytestmark = [
    pytest.mark.host,
    pytest.mark.skipif(os.geteuid() != 0, reason="mounts and another user need root"),
]

USER: Final = 64321
GROUP: Final = 64322
FILE_BYTES: Final = 2**16
# Words of the shell itself only: the jail has no other program.
SCRIPT: Final = """
for name in /* /.[!.]*; do echo "has $name"; done
(: >/new) 2>/dev/null && echo "can make /new"
(: >/given/new) 2>/dev/null && echo "can make /given/new"
(: >/shown) 2>/dev/null && echo "can write /shown"
(echo kept >/given/file) && echo "can write /given/file"
(: >/tmp/new) && echo "can make /tmp/new"
ulimit -c
ulimit -f
echo looked
read forever </given/fifo
"""


@pytest.fixture
def shell() -> Path:
    return Path("/bin/sh").resolve()


@contextmanager
def jailed(shell: Path, directory: Path, *flags: str) -> Iterator[HeldProcess]:
    """A shell that is held in a jail."""
    given = directory / "given"
    given.mkdir()
    os.mkfifo(given / "fifo", 0o666)
    (given / "file").touch()
    os.chown(given / "file", USER, GROUP)
    (directory / "shown").write_text("secret of nobody\n")
    (directory / "tree").mkdir()
    shown = {shell: "sh", **{path: str(path).lstrip("/") for path in libraries_of(shell)}, directory / "shown": "shown"}
    words = ["--isolate", str(directory / "tree"), "--enter", "pivot", "--jail", str(2**20), "--files", str(FILE_BYTES)]
    words += [word for name in NAMESPACES for word in ("--new", name)]
    words += [word for source, place in shown.items() for word in ("--show", f"{source}:{place}")]
    words += ["--bind", f"{given}:given", *(flags or ("--user", f"{USER}:{GROUP}"))]
    with own_cgroup(f"test-{os.getpid()}-j") as group:
        process = HeldProcess("test", ["/sh", "-c", SCRIPT], group=group, cpus=(0,), log=directory / "log", flags=words)
        try:
            yield process
        finally:
            process.kill()


def test_it_sees_what_it_is_shown_and_writes_to_what_it_is_given(shell: Path, tmp_path: Path) -> None:
    with jailed(shell, tmp_path) as process:
        process.go()
        log = tmp_path / "log"
        wait_until(lambda: "looked\n" in log.read_text(encoding="utf-8"), "what the jailed shell sees")
        said = log.read_text(encoding="utf-8").splitlines()
        libraries = {f"has /{path.parts[1]}" for path in libraries_of(shell)}
        assert {line for line in said if line.startswith("has ")} - {"has /.[!.]*"} == {
            "has /given", "has /sh", "has /shown", "has /tmp", *libraries,
        }  # fmt: skip
        assert [line for line in said if line.startswith("can ")] == ["can write /given/file", "can make /tmp/new"]
        # Of its core and, in blocks of 512 bytes, of any file.
        assert said[said.index("looked") - 2 : said.index("looked")] == ["0", str(FILE_BYTES // 512)]
        assert (tmp_path / "given" / "file").read_text() == "kept\n"


def test_it_has_no_privilege_and_is_alone(shell: Path, tmp_path: Path) -> None:
    with jailed(shell, tmp_path) as process:
        process.go()
        status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
        fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        assert fields["Uid"].split() == [str(USER)] * 4
        assert fields["Gid"].split() == [str(GROUP)] * 4
        assert fields["Groups"].split() == []
        assert {int(fields[name], 16) for name in ("CapPrm", "CapEff", "CapInh", "CapAmb")} == {0}
        assert fields["NoNewPrivs"] == "1"
        assert fields["NSpid"].split()[-1] == "1"
        if os.uname().machine == "x86_64":
            assert fields["Seccomp"] == "2"
        kinds = ("mnt", "pid", "net", "ipc", "uts", "cgroup")
        own, theirs = (
            {str(Path(f"/proc/{pid}/ns/{kind}").readlink()) for kind in kinds} for pid in ("self", process.pid)
        )
        assert len(own) == len(theirs) == len(kinds)
        assert not own & theirs
    assert [mount.point for mount in read_mounts() if str(tmp_path) in mount.point] == []


def test_its_end_ends_all_that_it_has_started(shell: Path, tmp_path: Path) -> None:
    with jailed(shell, tmp_path) as process:
        process.go()
        wait_until(lambda: "looked\n" in (tmp_path / "log").read_text(encoding="utf-8"), "the jailed shell")
        process.kill()
        assert not process.alive()
    assert stat.S_ISFIFO((tmp_path / "given" / "fifo").stat().st_mode)


@pytest.mark.parametrize("user", [("--user", "0:0"), ("--user", "64321")])
def test_a_jail_without_another_user_is_refused(shell: Path, tmp_path: Path, user: tuple[str, str]) -> None:
    with pytest.raises(LaunchError), jailed(shell, tmp_path, *user) as process:
        process.go()
