"""Starting processes: time limits, clear errors, and no process left behind."""

from __future__ import annotations

import contextlib
import os
import resource
import secrets
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from bench.host.orphans import adopting_orphans
from bench.util import proc
from bench.util.errors import HostUnfitError, ProcessError
from tests.waiting import LIMIT_S, wait_until

pytestmark = pytest.mark.host


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def _with_variable(mark: str) -> list[int]:
    """The processes that have ``NAME=value`` in their environment; one that has ended has no environment."""
    found = []
    for file in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if mark.encode() in file.read_bytes().split(b"\0"):
                found.append(int(file.parent.name))
    return found


def test_run_returns_both_streams_and_the_code() -> None:
    result = proc.run(["sh", "-c", "echo out; echo err >&2; exit 3"], timeout_s=LIMIT_S, check=False)
    assert (result.text, result.stderr, result.returncode) == ("out\n", b"err\n", 3)


def test_a_failure_names_command_code_and_stderr() -> None:
    with pytest.raises(ProcessError, match=r"`sh -c .*` ended with exit code 7: disk on fire") as caught:
        proc.run(["sh", "-c", "echo disk on fire >&2; exit 7"], timeout_s=LIMIT_S)
    assert caught.value.hint
    assert caught.value.stderr_tail == "disk on fire"


def test_only_the_tail_of_stderr_is_in_the_error() -> None:
    with pytest.raises(ProcessError) as caught:
        proc.run(["sh", "-c", "yes first | head -c 100000 >&2; echo last >&2; exit 1"], timeout_s=LIMIT_S)
    assert len(caught.value.message) < proc.TAIL_BYTES + 200
    assert caught.value.message.endswith("last")


def test_a_missing_tool_is_a_host_that_is_unfit() -> None:
    with pytest.raises(HostUnfitError, match="'no-such-tool-here'"):
        proc.run(["no-such-tool-here"], timeout_s=LIMIT_S)


def test_a_missing_working_directory_is_not_called_a_missing_tool(tmp_path: Path) -> None:
    with pytest.raises(ProcessError, match=r"directory .*gone"):
        proc.run(["true"], timeout_s=LIMIT_S, cwd=tmp_path / "gone")


def test_a_file_that_may_not_be_run_is_an_expected_error(tmp_path: Path) -> None:
    tool = tmp_path / "tool"
    tool.write_text("#!/bin/sh\n", encoding="ascii")
    with pytest.raises(HostUnfitError, match="Permission denied"):
        proc.run([tool], timeout_s=LIMIT_S)


def test_stdin_env_and_cwd_reach_the_tool(tmp_path: Path) -> None:
    result = proc.run(
        ["sh", "-c", "cat; pwd; echo $BOX $HOME"], timeout_s=LIMIT_S, stdin=b"in ", cwd=tmp_path, env={"BOX": "1"}
    )
    assert result.text == f"in {tmp_path}\n1 {os.environ['HOME']}\n"


def test_stdin_is_empty_unless_given() -> None:
    assert proc.run(["cat"], timeout_s=LIMIT_S).stdout == b""


def test_output_can_go_to_a_file(tmp_path: Path) -> None:
    with (tmp_path / "out").open("wb") as file:
        result = proc.run(["echo", "big"], timeout_s=LIMIT_S, stdout_to=file)
    assert result.stdout == b""
    assert (tmp_path / "out").read_bytes() == b"big\n"


def test_no_shell_ever_sees_the_words() -> None:
    assert proc.run(["echo", "$HOME; `id`", "a b"], timeout_s=LIMIT_S).text == "$HOME; `id` a b\n"


def test_a_time_limit_ends_the_whole_group() -> None:
    mark = f"TEST_OF_THE_TIME_LIMIT={secrets.token_hex(8)}"
    name, _, value = mark.partition("=")
    with pytest.raises(ProcessError, match=r"still running after 0\.3 s") as caught:
        proc.run(["sh", "-c", "sleep 3600 & wait"], timeout_s=0.3, env={name: value})
    assert caught.value.hint
    wait_until(lambda: not _with_variable(mark), "the end of the whole process group")


def test_stop_asks_then_insists_then_kills() -> None:
    stubborn = (
        "import signal, time\nfor s in (2, 15): signal.signal(s, signal.SIG_IGN)\nprint(flush=True)\ntime.sleep(60)"
    )
    process = proc.spawn([sys.executable, "-c", stubborn], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    steps: list[str] = []
    proc.stop(
        process, on_step=steps.append, ladder=((signal.SIGINT, 0.1), (signal.SIGTERM, 0.1), (signal.SIGKILL, LIMIT_S))
    )
    assert steps == ["SIGINT", "SIGTERM", "SIGKILL"]
    assert process.returncode == -signal.SIGKILL


def test_stop_kills_what_the_leader_left_behind() -> None:
    process = proc.spawn(["sh", "-c", "sleep 60 & echo $!"], stdout=subprocess.PIPE)
    assert process.stdout is not None
    child = int(process.stdout.readline())
    process.wait(LIMIT_S)
    assert _alive(child)
    proc.stop(process)
    wait_until(lambda: not _alive(child), f"the end of the child {child}")


def test_stop_of_an_ended_process_does_nothing() -> None:
    process = proc.spawn(["true"])
    process.wait(LIMIT_S)
    steps: list[str] = []
    proc.stop(process, on_step=steps.append)
    assert steps == []


def test_spawn_makes_its_own_session() -> None:
    process = proc.spawn(["sleep", "60"])
    try:
        assert os.getsid(process.pid) == process.pid != os.getsid(0)
    finally:
        proc.stop(process)


def test_require_tool_finds_what_is_in_sbin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert proc.require_tool("mke2fs", package="e2fsprogs").endswith("sbin/mke2fs")


def test_require_tool_names_the_package() -> None:
    with pytest.raises(HostUnfitError) as caught:
        proc.require_tool("no-such-tool-here", package="no-such-package")
    assert "no-such-package" in caught.value.hint


_BURN: Final = "import time\nwhile time.process_time() < 1: pass"
# Its grandchild becomes an orphan at once. It ends after that.
_WITH_AN_ORPHAN: Final = """\
pid=$(sh -c '"$0" -c "$1" >/dev/null & echo $!' "$0" "$1")
while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
"""


def _children_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def test_a_programs_cpu_time_has_its_childrens_and_nobody_elses() -> None:
    before_ns = proc.ran_ns()
    burnt = proc.run(["sh", "-c", '"$0" -c "$1"; exit 0', sys.executable, _BURN], timeout_s=LIMIT_S)
    assert burnt.cpu_ns is not None
    assert burnt.cpu_ns >= 10**9
    assert proc.ran_ns() - before_ns == burnt.cpu_ns
    of_all_s = _children_s()
    with adopting_orphans():
        # We wait for the orphan while the program runs, and so it counts in the sum over all our children.
        beside = proc.run(["sh", "-c", _WITH_AN_ORPHAN, sys.executable, _BURN], timeout_s=LIMIT_S)
    assert beside.cpu_ns is not None
    # An identity of the kernel's accounts, which a slow host cannot break: what is not the program's is the orphan's.
    # Accounts are in microseconds.
    assert _children_s() - of_all_s - beside.cpu_ns / 1e9 >= 1 - 1e-3


def test_only_named_variables_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KEPT", "KEPT_NOT", "LC_ALL", "LC_TIME", "NO_PROXY"):
        monkeypatch.setenv(name, "x")

    def names(**choices: Any) -> set[str]:
        return set(proc.run(["env"], timeout_s=LIMIT_S, **choices).text.replace("=", "\n").split()) - {"x"}

    assert names(keep=("KEPT", "LC_*")) & {"KEPT", "KEPT_NOT", "LC_ALL", "LC_TIME", "NO_PROXY"} == {
        *("KEPT", "LC_ALL", "LC_TIME"),
    }
    assert "PATH" in names(keep=())
    assert names(keep=("LC_*",), without=("LC_ALL",)) & {"LC_ALL", "LC_TIME", "KEPT"} == {"LC_TIME"}
    assert {"KEPT", "KEPT_NOT", "LC_ALL"} <= names()
    assert "KEPT" not in names(without=("KEPT",))
