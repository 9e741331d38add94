"""The agent as a bare process over real FIFOs: readiness, output, stop, commands, exercises and errors."""

from __future__ import annotations

import fcntl
import os
import resource
import select
import shutil
import signal
import sys
import termios
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from subprocess import PIPE, Popen

import pytest

from bench.agent import compile as native
from bench.agent.boxconf import BoxConfig, decode_bytes, decode_word, encode_word, render_boxconf
from bench.scenario.exercise import MOST_OUTPUT_BYTES
from bench.scenario.model import Ready, ReadyExit, ReadyFirstLine, ReadyHttp, ReadyLog, ReadyTcp
from bench.util import proc
from tests.needs import host_cannot, need
from tests.ports import free_port
from tests.waiting import LIMIT_S, PATIENCES_S, wait_until

pytestmark = pytest.mark.host

HERE = BoxConfig(
    argv=("/bin/true",),
    env=("PATH=/usr/bin:/bin", "GREETING=hello world"),
    cwd="/",
    uid=os.geteuid(),
    gid=os.getegid(),
    groups=(os.getegid(),),
    user="",
    stop_signal=signal.SIGTERM,
)


@pytest.fixture(scope="session")
def binary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not any(shutil.which(name) for name in native.COMPILERS):
        need("no C compiler")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BOXBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        return native.agent_binary()


class Box:
    """An agent that is started with a channel directory, and the lines that it sends."""

    def __init__(self, binary: Path, directory: Path) -> None:
        self.binary = binary
        self.directory = directory
        self.lines: list[str] = []
        self._rest = b""
        for name in ("events", "commands"):
            os.mkfifo(directory / name)
        self.events = os.open(directory / "events", os.O_RDWR | os.O_NONBLOCK)
        self.commands = os.open(directory / "commands", os.O_RDWR)
        self.process: Popen[bytes] | None = None

    def start(self, config: BoxConfig, ready: Ready | None = None, *flags: str) -> Popen[bytes]:
        (self.directory / "box.conf").write_bytes(render_boxconf(config, ready))
        argv = [str(self.binary), "run", *flags, str(self.directory)]
        self.process = proc.spawn(argv, stdout=PIPE, stderr=PIPE)
        return self.process

    def run(self, config: BoxConfig, ready: Ready | None = None, *flags: str) -> tuple[int, bytes, bytes]:
        stdout, stderr = self.start(config, ready, *flags).communicate(timeout=LIMIT_S)
        assert self.process is not None
        self.read()
        return self.process.returncode, stdout, stderr

    def tell(self, line: str) -> None:
        os.write(self.commands, line.encode() + b"\n")

    def wait_for(self, start: str) -> str:
        """Wait for a line with this start, and return the first one."""

        def first() -> str | None:
            self.read()
            return next((line for line in self.lines if line.startswith(start)), None)

        found = wait_until(first, f"a line that starts with {start!r}")
        assert found is not None
        return found

    def wait_for_output(self, line: bytes) -> None:
        """Check that this is the next line that the workload wrote to stdout."""
        assert self.process is not None
        assert self.process.stdout is not None
        assert select.select([self.process.stdout], [], [], LIMIT_S)[0], f"no output within {LIMIT_S} s"
        assert self.process.stdout.readline() == line

    def facts(self) -> dict[str, str]:
        self.tell("facts")
        self.wait_for("BB1 facts-end")
        pairs = (line.split(" ", 3)[2:] for line in self.lines if line.startswith("BB1 fact "))
        return {key: decode_word(value) for key, value in pairs}

    def marks(self) -> list[str]:
        return [line.split(" ")[2] for line in self.lines if line.startswith("BB1 mark ")]

    def close(self) -> None:
        if self.process is not None:
            proc.stop(self.process)
        os.close(self.events)
        os.close(self.commands)

    def read(self) -> None:
        """Take what the agent has written so far."""
        try:
            while chunk := os.read(self.events, 65536):
                *whole, self._rest = (self._rest + chunk).split(b"\n")
                self.lines += [line.decode("ascii") for line in whole]
        except BlockingIOError:
            return


@pytest.fixture
def box(binary: Path, tmp_path: Path) -> Iterator[Box]:
    started = Box(binary, tmp_path)
    yield started
    started.close()


def shell(script: str) -> BoxConfig:
    return replace(HERE, argv=("/bin/sh", "-c", script))


def python(script: str) -> BoxConfig:
    return replace(HERE, argv=(sys.executable, "-c", script))


def test_marks_come_in_order_and_the_code_is_the_workloads(box: Box) -> None:
    before = time.monotonic_ns()
    code, stdout, stderr = box.run(shell("echo out; echo err >&2; exit 7"))
    assert (code, stdout, stderr) == (7, b"out\n", b"err\n")
    assert box.marks() == ["init", "exec", "ready"]
    words = box.lines[-1].split(" ")
    assert words[:4] == ["BB1", "exit", "7", "0"]
    stamps = [int(line.rsplit(" ", 1)[1]) for line in box.lines]
    assert stamps == sorted(stamps)
    assert before < stamps[0] < stamps[-1] < time.monotonic_ns()


def test_exit_reports_the_workloads_resource_usage(box: Box) -> None:
    box.run(python("x = bytearray(50_000_000)\nfor i in range(10**6): pass"))
    utime_us, stime_us, maxrss_kib = map(int, box.wait_for("BB1 exit").split(" ")[4:7])
    assert utime_us > 1000
    assert stime_us >= 0
    assert 50_000 < maxrss_kib < 500_000


def test_first_line_is_a_whole_line_of_stdout(box: Box) -> None:
    started = box.start(shell("printf half; echo noise >&2; exec sleep 1000"), ReadyFirstLine(when="first-line"))
    assert started.stdout is not None
    assert started.stderr is not None
    assert (started.stdout.read(4), started.stderr.readline()) == (b"half", b"noise\n")
    box.tell("ping 1")
    box.wait_for("BB1 pong 1")
    assert box.marks() == ["init", "exec"]


def test_first_line_is_marked_before_the_exit_of_a_short_workload(box: Box) -> None:
    code, stdout, _ = box.run(shell("echo done"), ReadyFirstLine(when="first-line"))
    assert (code, stdout) == (0, b"done\n")
    assert [line.split(" ")[1] for line in box.lines] == ["mark", "mark", "mark", "exit"]
    assert box.marks()[-1] == "ready"


@pytest.mark.parametrize("target", ["", ">&2"])
def test_log_text_split_by_two_writes_is_found(box: Box, target: str) -> None:
    script = f"printf 'now rea' {target}; sleep 0.2; printf 'dy to serve' {target}; sleep 1000"
    box.start(shell(script), ReadyLog(when="log", text="ready to serve"))
    box.wait_for("BB1 mark ready")


def test_log_text_after_much_output_is_found(box: Box) -> None:
    script = "i=0; while [ $i -lt 3000 ]; do echo some line of noise; i=$((i+1)); done; echo READY 1; exec sleep 1000"
    started = box.start(shell(script), ReadyLog(when="log", text="READY 1"))
    drain = threading.Thread(target=lambda: started.stdout and started.stdout.read(), daemon=True)
    drain.start()
    box.wait_for("BB1 mark ready")
    box.tell("stop")
    box.wait_for("BB1 exit 143 15")
    drain.join(LIMIT_S)


@pytest.mark.parametrize(("code", "ready"), [(3, True), (0, False)])
def test_exit_readiness_needs_the_wanted_code(box: Box, code: int, ready: bool) -> None:
    box.run(shell(f"exit {code}"), ReadyExit(when="exit", code=3))
    assert ("ready" in box.marks()) is ready
    assert box.lines[-1].startswith(f"BB1 exit {code} 0 ")


def test_a_stopped_workload_is_not_ready_by_its_exit(box: Box) -> None:
    box.start(shell("trap 'exit 0' TERM; echo up; while :; do sleep 0.01; done"), ReadyExit(when="exit", code=0))
    box.wait_for_output(b"up\n")
    box.tell("stop")
    box.wait_for("BB1 exit 0 0")
    assert box.marks() == ["init", "exec"]


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_tcp_is_ready_when_a_connection_is_accepted(box: Box, address: str) -> None:
    port = free_port()
    script = "import socket,time; s=socket; time.sleep(.2); "
    script += f"x=s.create_server(('{address}',{port}), family=s.AF_INET6 if ':' in '{address}' else s.AF_INET)"
    box.start(python(f"{script}; time.sleep(1000)"), ReadyTcp(when="tcp", port=port))
    box.wait_for("BB1 mark ready")
    assert box.marks() == ["init", "exec", "listening", "ready"]


SERVER = """
import itertools, socket, time
server = socket.create_server(("{address}", {port}), family=socket.{family})
for number in itertools.count():
    connection, _ = server.accept()
    request = connection.recv(4096).decode()
    assert request.startswith("GET {path} HTTP/1.0") and "Connection: close" in request
    assert "Host: {host}" in request
    for part in {answers}[min(number, len({answers}) - 1)]:
        connection.sendall(part.encode())
        time.sleep(0.05)
    connection.close()
    print("answered", flush=True)
"""


def serve(port: int, answers: list[list[str]], path: str = "/", *, v6: bool = False) -> BoxConfig:
    address, family, host = ("::1", "AF_INET6", "[::1]") if v6 else ("127.0.0.1", "AF_INET", "127.0.0.1")
    where = {"port": port, "address": address, "family": family, "host": host}
    return python(SERVER.format(**where, path=path, answers=repr(answers)))


def test_http_marks_listening_ready_and_replied_separately(box: Box) -> None:
    port = free_port()
    starting = ["HTTP/1.1 503 Not yet\r\n\r\n", "starting"]
    empty = ["HTTP/1.1 200 OK\r\n\r\n", "still loading"]
    whole = ["HTTP/1.1 200 ", "OK\r\nX: it works\r\n", "\r\nand it wo", "rks now"]
    ready = ReadyHttp(when="http", port=port, path="/health?full", contains="it works now")
    box.start(serve(port, [starting, empty, whole], "/health?full"), ready)
    box.wait_for("BB1 mark replied")
    assert box.marks() == ["init", "exec", "listening", "ready", "replied"]


@pytest.mark.parametrize("v6", [False, True])
def test_http_without_text_is_replied_with_the_status(box: Box, v6: bool) -> None:
    port = free_port()
    box.start(serve(port, [["HTTP/1.0 204 No Content\r\n\r\n"]], v6=v6), ReadyHttp(when="http", port=port, status=204))
    box.wait_for("BB1 mark replied")


def test_http_wrong_status_is_never_ready(box: Box) -> None:
    port = free_port()
    box.start(serve(port, [["HTTP/1.0 500 Oops\r\n\r\n", "fine"]]), ReadyHttp(when="http", port=port, contains="fine"))
    box.wait_for("BB1 mark listening")
    for _ in range(2):  # the agent reads the first answer before it asks again
        box.wait_for_output(b"answered\n")
    box.tell("ping x")
    box.wait_for("BB1 pong x")
    assert box.marks()[-1] == "listening"


def test_stop_sends_the_images_signal(box: Box) -> None:
    box.start(replace(shell("trap 'echo bye; exit 5' QUIT; echo up; while :; do sleep 0.01; done"), stop_signal=3))
    box.wait_for_output(b"up\n")
    box.tell("stop")
    assert box.wait_for("BB1 exit").startswith("BB1 exit 5 0 ")
    assert box.process is not None
    assert box.process.wait(LIMIT_S) == 5


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGQUIT])
def test_a_signal_to_the_agent_is_a_stop(box: Box, sig: int) -> None:
    started = box.start(shell("exec sleep 1000"))
    box.wait_for("BB1 mark ready")
    started.send_signal(sig)
    box.wait_for("BB1 exit 143 15 ")
    assert started.wait(LIMIT_S) == 143


def test_a_workload_that_ignores_the_stop_is_killed(box: Box) -> None:
    conf = shell("trap '' TERM; echo up; while :; do sleep 0.01; done")
    rendered = render_boxconf(conf, None).replace(b"stop_timeout_ms 10000", b"stop_timeout_ms 100")
    (box.directory / "box.conf").write_bytes(rendered)
    box.process = proc.spawn([box.binary, "run", box.directory], stdout=PIPE, stderr=PIPE)
    box.wait_for_output(b"up\n")
    box.tell("stop")
    box.wait_for("BB1 exit 137 9 ")


def test_environment_and_directory_are_the_configured_ones_only(box: Box, tmp_path: Path) -> None:
    _, stdout, _ = box.run(replace(HERE, argv=("env",), cwd=str(tmp_path)))
    assert stdout.decode().splitlines() == list(HERE.env)
    _, stdout, _ = Box.run(box, replace(HERE, argv=("pwd",), cwd=str(tmp_path)))
    assert stdout.decode().strip() == str(tmp_path)


def test_inherit_keeps_the_engines_environment_and_directory(box: Box) -> None:
    _, stdout, _ = box.run(replace(HERE, argv=("env",), cwd="/nowhere"), None, "--inherit")
    assert b"GREETING" not in stdout


def test_facts_describe_the_box_from_inside(box: Box) -> None:
    box.start(replace(shell("exec sleep 1000"), cwd="/usr"))
    box.wait_for("BB1 mark ready")
    facts = box.facts()
    assert int(facts["cpus"]) == len(os.sched_getaffinity(0))
    assert facts["kernel"] == os.uname().release
    assert facts["cwd"] == "/usr"
    assert facts["env.GREETING"] == "hello world"
    assert [decode_word(word) for word in facts["argv"].split(" ")] == ["/bin/sh", "-c", "exec sleep 1000"]
    assert (int(facts["uid"]), int(facts["gid"])) == (os.geteuid(), os.getegid())
    assert int(facts["mem_total_bytes"]) > int(facts["mem_available_bytes"]) > 2**20
    assert 0 <= int(facts["mem_listed_bytes"]) < int(facts["mem_total_bytes"])
    assert int(facts["uptime_ns"]) > 0
    assert box.process is not None
    assert int(facts["pid"]) == box.process.pid
    assert all(len(line) < 4096 for line in box.lines)


def test_a_value_too_long_for_a_line_is_marked_as_cut(box: Box) -> None:
    box.start(replace(shell("exec sleep 1000"), env=(*HERE.env, "LONG=" + "x y" * 5000)))
    box.wait_for("BB1 mark ready")
    assert box.facts()["env.LONG.cut"].startswith("x yx y")


def test_pings_are_answered_and_unknown_commands_are_errors(box: Box) -> None:
    box.start(shell("exec sleep 1000"))
    box.tell("ping one\nping two\nsing a song\nping three")
    box.wait_for("BB1 pong three")
    answers = [line for line in box.lines if not line.startswith("BB1 mark")]
    assert answers == ["BB1 pong one", "BB1 pong two", "BB1 error unknown%20command%20sing", "BB1 pong three"]


@pytest.mark.parametrize(
    ("argv", "code", "text"),
    [
        (("/bin/nope",), 127, "exec /bin/nope: No such file or directory"),
        (("nope",), 127, "exec nope: No such file or directory"),
        (("/etc/passwd",), 126, "exec /etc/passwd: Permission denied"),
    ],
)
def test_a_command_that_cannot_run_is_named(box: Box, argv: tuple[str, ...], code: int, text: str) -> None:
    returned, _, stderr = box.run(replace(HERE, argv=argv))
    assert returned == code
    assert text in stderr.decode()
    assert decode_word(box.wait_for("BB1 error").split(" ")[2]) == text


def test_a_missing_directory_is_named(box: Box) -> None:
    code, _, _ = box.run(replace(HERE, cwd="/no/such/place"))
    assert code == 127
    assert decode_word(box.wait_for("BB1 error").split(" ")[2]) == "chdir /no/such/place: No such file or directory"


@pytest.mark.parametrize(
    ("conf", "text"),
    [
        (b"argv /bin/true\nfrobnicate 1\n", "unknown directive frobnicate"),
        (b"cwd /\n", "no argv"),
        (b"argv /bin/true\nready http x\n", "x is not a number"),
        (b"argv /bin/true\nready psychic\n", "unknown kind psychic"),
        (b"", "cannot be read or is empty"),
        (b"argv /bin/true\nuser 4294967296 0 \n", "4294967296 is not the id of a user or group"),
        (b"argv /bin/true\nuser 0 4294967295 \n", "4294967295 is not the id of a user or group"),
        (b"argv /bin/true\nuser 0 0 4,4294967296\n", "4294967296 is not the id of a user or group"),
        (b"argv /bin/true\nuser 0 0 4,x\n", "x is not a number"),
        (b"argv x\n" * 2000, "more than 1024 lines of argv"),
        (b"argv " + b"x" * 300_000 + b"\n", "larger than"),
    ],
)
def test_a_mistake_in_box_conf_is_reported_on_the_channel(box: Box, conf: bytes, text: str) -> None:
    (box.directory / "box.conf").write_bytes(conf)
    result = proc.run([box.binary, "run", box.directory], timeout_s=LIMIT_S, check=False)
    assert result.returncode == 127
    assert text in decode_word(box.wait_for("BB1 error").split(" ", 2)[2])


def test_without_a_channel_the_error_is_on_stderr(binary: Path, tmp_path: Path) -> None:
    result = proc.run([binary, "run", tmp_path], timeout_s=LIMIT_S, check=False)
    assert result.returncode == 127
    assert b"events: No such file or directory" in result.stderr


def test_a_large_output_is_forwarded_completely(box: Box) -> None:
    code, stdout, _ = box.run(python("import sys; sys.stdout.write('0123456789abcdef' * 200_000)"))
    assert code == 0
    assert stdout == b"0123456789abcdef" * 200_000


def test_a_closed_output_does_not_stop_the_workload(box: Box) -> None:
    (box.directory / "box.conf").write_bytes(render_boxconf(shell("for i in 1 2 3; do echo $i; sleep 0.1; done"), None))
    started = proc.spawn([box.binary, "run", box.directory], stdout=PIPE)
    assert started.stdout is not None
    started.stdout.close()
    assert started.wait(LIMIT_S) == 0
    box.wait_for("BB1 exit 0 0 ")


def test_a_workload_with_a_signal_mask_of_its_own_starts_clean(box: Box) -> None:
    _, stdout, _ = box.run(shell("grep -E 'SigBlk|SigIgn' /proc/self/status"))
    assert stdout.decode().split() == ["SigBlk:", "0000000000000000", "SigIgn:", "0000000000000000"]


def test_no_channel_leaks_into_the_workload(box: Box) -> None:
    _, stdout, _ = box.run(replace(HERE, argv=("ls", "/proc/self/fd")))
    assert stdout.split() == [b"0", b"1", b"2", b"3"]  # 3 is the directory that ls reads


def test_launcher_joins_a_control_group_and_a_tree(box: Box, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        host_cannot("chroot without root")
    tree = tmp_path / "tree"
    tree.mkdir()
    shutil.copy(box.binary, tree / "agent")
    (tree / "ch").mkdir()
    for name in ("events", "commands"):
        os.link(box.directory / name, tree / "ch" / name)
    # The workload is the agent itself: without arguments it prints its usage and ends with 127.
    conf = render_boxconf(replace(HERE, argv=("/agent",)), ReadyExit(when="exit", code=127))
    (tree / "ch" / "box.conf").write_bytes(conf)
    joined = [tmp_path / "one", tmp_path / "two"]
    for file in joined:
        file.touch()
    flags = [word for file in joined for word in ("--cgroup", str(file))]
    result = proc.run([box.binary, *flags, "--chroot", tree, "run", "/ch"], timeout_s=LIMIT_S, check=False)
    assert result.returncode == 127
    assert b"usage: boxinit" in result.stderr
    box.wait_for("BB1 exit 127 0 ")
    assert box.marks() == ["init", "exec", "ready"]
    assert [file.read_text() for file in joined] == ["0", "0"]


# ---- the rest of the output ----

PIPE_BYTES = 65536
DRAIN_PATIENCE_S = 5
"""How long the agent waits for a host that does not read."""
MANY = 2 * PIPE_BYTES - 4096
"""Bytes that the host's pipe, the workload's pipe and the agent between them can hold."""


def test_a_slow_reader_gets_the_whole_output(box: Box) -> None:
    started = box.start(shell(f"head -c {MANY} /dev/zero; exit 7"))
    box.wait_for("BB1 exit 7")
    assert started.stdout is not None
    pieces = []
    longest_pause_s, read_at = 0.0, time.monotonic()
    for _ in range(6):  # together longer than the agent waits for a host that does not read
        time.sleep(1)
        longest_pause_s, read_at = max(longest_pause_s, time.monotonic() - read_at), time.monotonic()
        pieces.append(os.read(started.stdout.fileno(), MANY // 8))
    if longest_pause_s > DRAIN_PATIENCE_S / 2:
        host_cannot("read once a second: it stalled, and the agent may have given up")
    assert len(b"".join(pieces)) + len(started.stdout.read()) == MANY
    assert not [line for line in box.lines if line.startswith("BB1 error")]


def test_output_that_no_one_reads_is_reported_as_lost(box: Box) -> None:
    started = box.start(shell(f"head -c {MANY} /dev/zero; exit 7"))
    box.wait_for("BB1 error the%20host%20did%20not%20read%20the%20rest%20of%20the%20output")
    assert started.wait(LIMIT_S) == 7


def test_other_writers_of_the_output_do_not_delay_the_exit(box: Box) -> None:
    started = box.start(shell("(exec yes) & sleep 0.2; exit 7"))
    reading = threading.Thread(target=lambda: started.stdout and started.stdout.read(), daemon=True)
    reading.start()
    box.wait_for("BB1 exit 7")
    assert started.wait(LIMIT_S) == 7
    reading.join(LIMIT_S)


def test_a_box_that_the_host_has_cut_off_still_stops(box: Box) -> None:
    started = box.start(shell("exec sleep 1000"))
    box.wait_for("BB1 mark ready")
    for _ in range(2 * PIPE_BYTES // 4000 - 3):  # more than the FIFO holds, less than both FIFOs hold
        box.tell("ping " + "x" * 4000)
    wait_until(lambda: _queued(box.events) > PIPE_BYTES - 4096, "a full FIFO")
    started.terminate()
    assert started.wait(LIMIT_S) == 143


def _queued(fd: int) -> int:
    return int.from_bytes(fcntl.ioctl(fd, termios.FIONREAD, bytes(4)), sys.byteorder)


# ---- the exercise ----


def _exercised(box: Box, stream: str) -> bytes:
    prefix = f"BB1 exercise-{stream} "
    words = [line.removeprefix(prefix) for line in box.lines if line.startswith(prefix)]
    return b"".join(map(decode_bytes, words))


def _exercise(box: Box, *argv: str, limit_ms: int = round(LIMIT_S * 1000)) -> list[int]:
    """Run an exercise in a box with a sleeping workload, and return the numbers of its exit line."""
    box.start(replace(HERE, argv=("sleep", "100"), cwd="/usr"), None)
    box.wait_for("BB1 mark ready")
    return _exercise_in(box, *argv, limit_ms=limit_ms)


def _exercise_in(box: Box, *argv: str, limit_ms: int) -> list[int]:
    box.lines.clear()
    box.tell(" ".join(("exercise", str(limit_ms), *map(encode_word, argv))))
    box.wait_for("BB1 exercise-end")
    line = next(line for line in box.lines if line.startswith("BB1 exercise-exit"))
    return [int(word) for word in line.split(" ")[2:]]


def _group_exists(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def _runs(pid: int) -> bool:
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except OSError:
        return False


def test_an_exercise_runs_like_the_workload_and_its_output_is_sent_completely(box: Box) -> None:
    code, sig, user_us, *_, limit_passed, _ = _exercise(
        box, "sh", "-c", 'echo "$GREETING in $(pwd)"; printf "a\\000b\\377%%\\n"; echo bad >&2'
    )
    assert (code, sig, limit_passed) == (0, 0, 0)
    assert user_us < 60_000_000
    assert _exercised(box, "stdout") == b"hello world in /usr\na\0b\xff%\n"
    assert _exercised(box, "stderr") == b"bad\n"


def test_the_exit_of_an_exercise_is_sent_before_its_remaining_output(box: Box) -> None:
    before_ns = time.monotonic_ns()
    _exercise(box, "sh", "-c", "echo said; sleep 0.2")
    after_ns = time.monotonic_ns()
    kinds = [line.split(" ")[1] for line in box.lines if line.startswith("BB1 exercise")]
    assert kinds == ["exercise-start", "exercise-exit", "exercise-stdout", "exercise-end"]
    start, end = (
        int(next(line for line in box.lines if line.startswith(f"BB1 exercise-{which}")).split(" ")[-1])
        for which in ("start", "exit")
    )
    assert before_ns < start <= end - 200_000_000 < end < after_ns


def test_the_resources_of_an_exercise_are_its_own_and_its_childrens(box: Box) -> None:
    burn = "import time\nwhile time.process_time() < 0.3: pass"
    _, _, user_us, system_us, *_ = _exercise(box, "sh", "-c", f"{sys.executable} -c '{burn}'; true")
    # The upper bound tells another unit. A stall of the machine may count as CPU time of whoever runs meanwhile.
    assert 300_000 <= user_us + system_us < 60_000_000


def test_an_exercise_that_takes_too_long_is_killed_with_its_children(box: Box) -> None:
    box.start(replace(HERE, argv=("sleep", "1000"), cwd="/usr"), None)
    box.wait_for("BB1 mark ready")
    for limit_s in PATIENCES_S:
        code, sig, *_, limit_passed, _ = _exercise_in(
            box, "sh", "-c", "echo $$; sleep 98765; true", limit_ms=round(limit_s * 1000)
        )
        assert (code, sig, limit_passed) == (137, 9, 1)
        if _exercised(box, "stdout"):  # the shell has begun in time
            break
    group = int(_exercised(box, "stdout"))
    wait_until(lambda: not _group_exists(group), "the end of the exercise's children")


def test_an_exercise_that_does_not_exist_exits_like_a_shell(box: Box) -> None:
    code, *_ = _exercise(box, "/no/such/program")
    assert code == 127
    assert _exercised(box, "stderr") == b"exec /no/such/program: No such file or directory\n"
    assert box.process is not None
    assert box.process.poll() is None, "the box lives on"


def test_more_output_than_is_allowed_is_counted_and_not_sent(box: Box) -> None:
    code, *_ = _exercise(box, "sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x")
    assert code == 0
    assert _exercised(box, "stdout") == b"x" * MOST_OUTPUT_BYTES
    assert box.wait_for("BB1 exercise-end") == "BB1 exercise-end 3000000 0"
    assert max(map(len, box.lines)) <= 4096


def test_processes_that_an_exercise_leaves_behind_are_killed(box: Box) -> None:
    code, *_ = _exercise(box, "sh", "-c", "sleep 98765 & echo $!")
    assert code == 0
    left = int(_exercised(box, "stdout"))
    wait_until(lambda: not _runs(left), f"the end of process {left}")


# The exercise exits once a process that has left its session has filled the pipe, and that process writes on.
_WRITES_ON = f"""
import fcntl, os, termios, time
agent = os.getppid()
fcntl.fcntl(1, fcntl.F_SETPIPE_SZ, {2**20})
if os.fork() == 0:
    os.setsid()
    while open(f"/proc/{{agent}}/stat").read().rpartition(")")[2].split()[0] != "T":
        time.sleep(0.01)
    while True:
        os.write(1, bytes(65536))
while int.from_bytes(fcntl.ioctl(1, termios.FIONREAD, bytes(4)), "little") < {2**20}:
    time.sleep(0.01)
"""


def test_of_a_process_that_writes_on_the_agent_reads_only_what_is_there(box: Box) -> None:
    started = box.start(shell("exec sleep 1000"))
    box.wait_for("BB1 mark ready")
    box.tell(" ".join(("exercise", "60000", *map(encode_word, (sys.executable, "-c", _WRITES_ON)))))
    box.wait_for("BB1 exercise-start")
    children = Path(f"/proc/{started.pid}/task/{started.pid}/children")
    leader = wait_until(lambda: children.read_text(encoding="ascii").split()[1:], "the exercise's process")[0]
    started.send_signal(signal.SIGSTOP)
    wait_until(lambda: not _runs(int(leader)), "the end of the exercise")
    started.send_signal(signal.SIGCONT)
    seen = int(box.wait_for("BB1 exercise-end").split(" ")[2])
    assert 2**20 <= seen < 2**20 + 65536


def test_an_exercise_that_gets_no_pipe_leaves_no_descriptor_open(box: Box) -> None:
    started = box.start(shell("exec sleep 1000"))
    box.wait_for("BB1 mark ready")
    before = sorted(int(fd.name) for fd in Path(f"/proc/{started.pid}/fd").iterdir())
    free = [fd for fd in range(max(before) + 4) if fd not in before]
    # Room for one pipe and for half of another.
    resource.prlimit(started.pid, resource.RLIMIT_NOFILE, (free[2] + 1, free[2] + 1))
    box.tell("exercise 1000 true")
    assert "no%20pipe" in box.wait_for("BB1 error")
    assert sorted(int(fd.name) for fd in Path(f"/proc/{started.pid}/fd").iterdir()) == before
