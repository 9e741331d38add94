from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from typing import Any

import pytest

from bench.agent import channel as channels
from bench.agent.channel import Channel, ChannelEnds, Fifos, ListeningSocket
from bench.agent.protocol import MAX_LINE_BYTES, Mark, Pong
from bench.records.record import Endpoint
from bench.util.errors import ProtocolError
from tests.waiting import LIMIT_S

Heard = Queue[tuple[Any, int]]


@contextmanager
def listening(
    ends: ChannelEnds, now_ns: Callable[[], int] = lambda: 42, on_error: Callable[[], object] = lambda: None
) -> Iterator[tuple[Channel, Heard]]:
    heard: Heard = Queue()
    channel = Channel(
        ends, now_ns=now_ns, on_message=lambda message, stamp: heard.put((message, stamp)), on_error=on_error
    )
    try:
        yield channel, heard
    finally:
        channel.close()


@pytest.fixture
def fifos(tmp_path: Path) -> Fifos:
    return Fifos(tmp_path, os.geteuid())


def box_says(directory: Path, data: bytes) -> None:
    fd = os.open(directory / "events", os.O_WRONLY)
    os.write(fd, data)
    os.close(fd)


def test_lines_arrive_stamped(fifos: Fifos) -> None:
    with listening(fifos) as (_, heard):
        box_says(fifos.directory, b"BB1 mark init 1\nBB1 mark exec 2\n")
        assert heard.get(timeout=LIMIT_S) == (Mark(Endpoint.INIT, 1), 42)
        assert heard.get(timeout=LIMIT_S) == (Mark(Endpoint.EXEC, 2), 42)


def test_a_line_may_come_in_pieces(fifos: Fifos) -> None:
    with listening(fifos) as (_, heard):
        for piece in (b"BB1 po", b"ng p", b"1\nBB1 pong p2\n"):
            box_says(fifos.directory, piece)
        assert [heard.get(timeout=LIMIT_S)[0] for _ in range(2)] == [Pong("p1"), Pong("p2")]


def test_lines_that_have_arrived_are_read_before_closing(fifos: Fifos) -> None:
    with listening(fifos) as (_, heard):
        box_says(fifos.directory, b"BB1 pong last\n")
    assert heard.get_nowait()[0] == Pong("last")


def test_a_line_without_end_is_cut(fifos: Fifos) -> None:
    with listening(fifos) as (_, heard):
        for _ in range(3):
            box_says(fifos.directory, b"x" * (MAX_LINE_BYTES // 2))
        assert isinstance(heard.get(timeout=LIMIT_S)[0], ProtocolError)
        box_says(fifos.directory, b"\nBB1 pong still\n")
        answers = [heard.get(timeout=LIMIT_S)[0] for _ in range(2)]
        assert answers[-1] == Pong("still")


def test_a_flooded_channel_is_closed(fifos: Fifos, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channels, "MAX_MESSAGES", 20)
    ended = threading.Event()
    with listening(fifos, on_error=ended.set) as (_, heard):
        box_says(fifos.directory, b"spam\n" * 10)
        assert isinstance(heard.get(timeout=LIMIT_S)[0], ProtocolError)
        assert not ended.is_set()
        box_says(fifos.directory, b"spam\n" * 20)
        last = [heard.get(timeout=LIMIT_S)[0] for _ in range(30)][-1]
        assert isinstance(last, ProtocolError)
        assert ended.wait(LIMIT_S)
        assert "closed after more than 20 messages" in last.message
        box_says(fifos.directory, b"spam\n")
        box_says(fifos.directory, b"spam\n")
    assert heard.qsize() == 0


def test_a_box_that_reads_its_own_fifo_does_not_end_the_channel(fifos: Fifos, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every process of the box may read the FIFO, so bytes that poll() has reported may be gone."""
    read, stolen = channels._read, [None, None]
    monkeypatch.setattr(channels, "_read", lambda fd: stolen.pop() if stolen else read(fd))
    with listening(fifos) as (_, heard):
        box_says(fifos.directory, b"BB1 pong here\n")
        assert heard.get(timeout=LIMIT_S)[0] == Pong("here")
    assert not stolen


def test_no_data_yet_is_not_the_end_of_the_stream() -> None:
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    assert channels._read(reader) is None
    os.close(writer)
    assert channels._read(reader) == b""
    os.close(reader)


def test_commands_reach_the_box_and_never_block(fifos: Fifos) -> None:
    box = os.open(fifos.directory / "commands", os.O_RDONLY | os.O_NONBLOCK)
    try:
        with listening(fifos) as (channel, _):
            channel.send("ping p1")
            assert os.read(box, 100) == b"ping p1\n"
            for _ in range(10_000):
                channel.send("ping a-box-that-does-not-read")
    finally:
        os.close(box)


def test_closing_twice_without_any_message(fifos: Fifos) -> None:
    with listening(fifos) as (channel, _):
        channel.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "boxbench-events"]


def test_the_connection_of_a_vmm_is_reported(tmp_path: Path) -> None:
    connected = threading.Event()
    ends = ListeningSocket(tmp_path / "events", connected.set)
    with listening(ends) as (channel, heard), socket.socket(socket.AF_UNIX) as vmm:
        assert not connected.is_set()
        channel.send("ping nobody")
        vmm.connect(str(tmp_path / "events"))
        vmm.sendall(b"BB1 mark init 1\n")
        assert heard.get(timeout=LIMIT_S)[0] == Mark(Endpoint.INIT, 1)
        assert connected.is_set()
        channel.send("ping p1")
        assert vmm.recv(100) == b"ping p1\n"
    assert not (tmp_path / "events").exists()


def test_closing_does_not_wait_for_a_vmm_that_never_connects(tmp_path: Path) -> None:
    with listening(ListeningSocket(tmp_path / "events", lambda: None)):
        pass


def test_commands_to_a_closed_connection_are_dropped(tmp_path: Path) -> None:
    with listening(ListeningSocket(tmp_path / "events", lambda: None)) as (channel, heard):
        with socket.socket(socket.AF_UNIX) as vmm:
            vmm.connect(str(tmp_path / "events"))
            vmm.sendall(b"BB1 pong here\n")
            heard.get(timeout=LIMIT_S)
        for _ in range(3):
            channel.send("stop")
