"""What boxes and counting guests say: lines, streams of them through a real FIFO, reports of a guest's PID 1."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Final

from bench.agent.boxconf import decode_bytes, decode_word, encode_word
from bench.agent.channel import Channel, Fifos
from bench.agent.protocol import MAX_LINE_BYTES, Message, parse_message
from bench.agent.timeline import Timeline
from bench.instructions.boot import parse_report
from bench.records.record import Endpoint
from bench.util.clock import VirtualClock
from bench.util.errors import ProtocolError
from tests.fuzz import mutate
from tests.fuzz.reader import Reader, same
from tests.guest_report import REPORT

LINES: Final = (
    b"BB1 mark init 123456789",
    b"BB1 mark ready 1",
    b"BB1 exit 0 0 1000 2000 3000 123456789",
    b"BB1 fact env.PATH /usr/bin:/bin",
    b"BB1 fact kernel.cut 6.18%C3",
    b"BB1 fact hostname %F0%9F%A6%80%00%1B%5B31m",
    b"BB1 facts-end",
    b"BB1 pong token-1",
    b"BB1 digest " + b"ab" * 32,
    b"BB1 error exec%20/bin/x:%20No%20such%20file",
    b"BB1 exercise-start 5",
    b"BB1 exercise-stdout a%0Ab%FF",
    b"BB1 exercise-stderr %00",
    b"BB1 exercise-exit 1 9 1 2 3 1 4",
    b"BB1 exercise-end 3 1",
    b"BB1 health 1 0 0 3 1500 120000000 curl:%20%287%29%20Failed%C3",
)
_STREAM: Final = b"\n".join(LINES) + b"\n"
_REPORT: Final = REPORT.replace("ready\n", "log something\nready\n").encode()
_PIPE_BYTES: Final = 60_000


def _check_line(data: bytes, _scratch: Path) -> None:
    message = parse_message(data)
    timeline = Timeline(VirtualClock())
    timeline.receive(message, 5)
    checked = () if timeline.health is None else (timeline.health.line,)
    for text in (*timeline.facts.values(), *timeline.errors, *checked):
        text.encode()


def _check_word(data: bytes, _scratch: Path) -> None:
    """Any bytes survive being one word of a line; any line of words is decoded or refused."""
    text = os.fsdecode(data)
    same(os.fsdecode(decode_bytes(encode_word(text))), text)
    if not set(encode_word(text)) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./:=,@+-%"):
        raise AssertionError("a character that would end the word")
    word = data.decode("latin-1")
    decode_word(word, cut=len(data) % 2 == 0).encode()


def _stream(rng: Random, seeds: Sequence[bytes]) -> bytes:
    return mutate.mixed(mutate.lines, mutate.text)(rng, seeds)[:_PIPE_BYTES]


def _check_stream(data: bytes, scratch: Path) -> None:
    """The lines of a FIFO arrive as if each had been parsed alone, however they are cut into pieces."""
    directory = scratch / "channel"
    directory.mkdir(exist_ok=True)
    for file in directory.iterdir():
        file.unlink()
    timeline, got = Timeline(VirtualClock()), list[Message | ProtocolError]()

    def receive(message: Message | ProtocolError, stamp_ns: int) -> None:
        got.append(message)
        timeline.receive(message, stamp_ns)

    fifos = Fifos(directory, agent=os.geteuid())
    channel = Channel(fifos, now_ns=lambda: 7, on_message=receive)
    rng = Random(len(data))
    try:
        at = 0
        while at < len(data):
            at += os.write(fifos.connect(-1) or -1, data[at : at + rng.choice((1, 7, 100, 4096, 60_000))])
        channel.send("ping 1")
    finally:
        channel.close()
    if all(len(line) <= MAX_LINE_BYTES for line in data.split(b"\n")):
        same([type(message) for message in got], [type(message) for message in _alone(data)])
    same(timeline.has(Endpoint.REQUESTED), False)
    timeline.relative_ns()


def _alone(data: bytes) -> list[Message | ProtocolError]:
    """The messages of whole lines."""
    found: list[Message | ProtocolError] = []
    for line in data.split(b"\n")[:-1]:
        try:
            found.append(parse_message(line))
        except ProtocolError as error:
            found.append(error)
    return found


def _check_report(data: bytes, _scratch: Path) -> None:
    for start in parse_report("runc", data.decode("ascii", "replace").splitlines()):
        assert all(step.name for step in start.steps)
        assert isinstance(start.clock, int)


READERS: Final = (
    Reader("agent.line", lambda: LINES, mutate.text, _check_line, share=400),
    Reader(
        "agent.word",
        lambda: (b"/bin/sh", b"%41%42", b"a b"),
        mutate.text,
        _check_word,
        share=200,
    ),
    Reader("agent.stream", lambda: (_STREAM,), _stream, _check_stream, share=60),
    Reader("guest.report", lambda: (_REPORT,), mutate.mixed(mutate.lines, mutate.text), _check_report, share=200),
)
