"""What the kernel's tables say about ports on which a tried image listens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench.run.look import look
from bench.run.look.watch import listening_ports
from bench.scenario.targets import parse_targets

ID = "c0ffee" * 10
HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"


def write(root: Path, table: str, text: str) -> None:
    """A table of process 7."""
    place = root / "proc/7/net"
    place.mkdir(parents=True, exist_ok=True)
    (root / "proc/7/cgroup").write_text(f"3:cpu:/docker/{ID}\n0::/\n")
    (place / table).write_text(text)


def test_both_tables_and_only_listening_sockets(tmp_path: Path) -> None:
    listening = "   0: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 1 1\n"
    connected = "   1: 0100007F:0050 0100007F:9999 01 00000000:00000000 00:00000000 00000000 0 0 2 1\n"
    write(tmp_path, "tcp", HEAD + listening + connected)
    six = "   0: 00000000000000000000000000000000:18EB 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 3 1\n"
    write(tmp_path, "tcp6", HEAD + six + listening.replace("00000000:1F90", f"{'0' * 32}:1F90"))
    assert listening_ports(7, ID, tmp_path) == (6379, 8080)


@pytest.mark.parametrize("text", ["", HEAD, HEAD + "x\n", HEAD + "0: nonsense 0 0A\n", HEAD + "0: 0:0:zz 0 0A\n"])
def test_other_text(text: str, tmp_path: Path) -> None:
    write(tmp_path, "tcp", text)
    assert listening_ports(7, ID, tmp_path) == ()


def test_a_process_that_is_gone(tmp_path: Path) -> None:
    assert listening_ports(7, ID, tmp_path) == ()


def test_a_process_of_this_host_with_the_pid_of_one_elsewhere(tmp_path: Path) -> None:
    write(tmp_path, "tcp", HEAD + "   0: 00000000:1F90 00000000:0000 0A 0:0 0:0 0 0 0 1 1\n")
    assert listening_ports(7, ID, tmp_path) == (8080,)
    assert listening_ports(7, "0" * 64, tmp_path) == ()


@pytest.mark.parametrize(
    ("asked", "lacking", "checked"),
    [
        ("docker,podman", (), ["docker"]),
        ("docker,podman", ("docker",), ["docker", "podman"]),
        ("process,podman", (), ["process", "podman"]),
    ],
)
def test_podman_is_checked_where_it_is_wanted(
    asked: str, lacking: tuple[str, ...], checked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(look, "usable_target", lambda spec, *_: "no" if spec.label in lacking else object())
    engines: Any = None
    assert look._unusable(engines, parse_targets(asked.split(",")), said.append) == dict.fromkeys(lacking, "no")
    assert said == [f"checking target {label}" for label in checked]
