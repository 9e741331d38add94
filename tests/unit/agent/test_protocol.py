from __future__ import annotations

import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.agent.boxconf import encode_word
from bench.agent.protocol import (
    AGENT_MARKS,
    MAX_LINE_BYTES,
    AgentError,
    Exit,
    FactsEnd,
    HealthReport,
    Mark,
    Message,
    Pong,
    ReportedFact,
    parse_message,
)
from bench.records.record import Endpoint
from bench.util.errors import ProtocolError


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"BB1 mark ready 12", Mark(Endpoint.READY, 12)),
        (b"BB1 exit 7 0 1 2 3 4", Exit(7, 0, 1, 2, 3, 4)),
        (b"BB1 fact env.A_b a%20b%0A", ReportedFact("env.A_b", "a b\n")),
        (b"BB1 fact empty ", ReportedFact("empty", "")),
        (b"BB1 facts-end", FactsEnd()),
        (b"BB1 pong p3", Pong("p3")),
        (b"BB1 health 1 0 0 3 900 7 no%20pg", HealthReport(1, 0, False, 3, 900, 7, "no pg")),
        (b"BB1 health 137 9 1 1 0 7 ", HealthReport(137, 9, True, 1, 0, 7, "")),
        (b"BB1 error no%20such%20file", AgentError("no such file")),
    ],
)
def test_every_kind_of_message(line: bytes, message: Message) -> None:
    assert parse_message(line) == message


@pytest.mark.parametrize("name", sorted(set(Endpoint) - AGENT_MARKS))
def test_a_box_cannot_send_the_hosts_endpoints(name: Endpoint) -> None:
    with pytest.raises(ProtocolError):
        parse_message(f"BB1 mark {name.value} 1".encode())


@pytest.mark.parametrize(
    "line",
    [
        *(b"", b"BB1", b"BB1 ", b"BB2 mark ready 1", b"bb1 mark ready 1", b" BB1 mark ready 1", b"BB1  mark ready 1"),
        *(b"BB1 mark ready", b"BB1 mark ready -1", b"BB1 mark ready 1 1", b"BB1 mark ready 1.5", b"BB1 mark ready 0x1"),
        *(b"BB1 mark ready 12345678901234567890", b"BB1 mark ready \xd9\xa1", b"BB1 mark READY 1", b"BB1 reboot now"),
        *(b"BB1 exit 7", b"BB1 exit 7 0 1 2 3 4 5", b"BB1 fact k", b"BB1 fact k*x v", b"BB1 fact k a b"),
        *(
            b"BB1 fact k %zz",
            b"BB1 fact " + b"k" * 401 + b" v",
            b"BB1 facts-end x",
            b"BB1 pong",
            b"BB1 pong " + b"x" * 65,
            b"BB1 error a b",
        ),
        *(b"BB1 health 1 0 0 3 900 7", b"BB1 health 1 0 0 3 900 7 a b", b"BB1 health 1 0 0 3 900 -7 a"),
        *(b"BB1 health 1 0 0 3 9007199254740992 7 a", b"BB1 health 1 0 0 3 900 9223372036854775807 a"),
        b"BB1 error " + b"a" * MAX_LINE_BYTES,
    ],
)
def test_other_lines_are_refused(line: bytes) -> None:
    with pytest.raises(ProtocolError, match=r"not a (message|percent-encoded word)"):
        parse_message(line)


def test_the_refusal_is_short_and_harmless() -> None:
    with pytest.raises(ProtocolError) as caught:
        parse_message(b"\x1b]0;owned\x07\xff" * 1000)
    assert len(caught.value.message) < 500
    assert caught.value.message.isprintable()


@given(st.binary(max_size=200))
def test_no_bytes_break_the_parser(line: bytes) -> None:
    with suppress(ProtocolError):
        parse_message(line)


@given(st.text(max_size=100).filter(lambda text: "\0" not in text))
def test_words_are_decoded_in_facts_and_errors(text: str) -> None:
    try:
        word = encode_word(text)
    except UnicodeEncodeError:
        return  # a lone surrogate that no file system makes
    assert re.fullmatch(r"[A-Za-z0-9_./:=,@+%-]*", word)
    assert parse_message(f"BB1 fact key {word}".encode()) == ReportedFact("key", text)


def test_the_status_after_a_signal_is_that_of_a_shell() -> None:
    assert (Exit(0, 15, 1, 1, 1, 1).status, Exit(7, 0, 1, 1, 1, 1).status) == (143, 7)


def test_a_fact_is_text_and_what_was_cut_ends_in_whole_characters() -> None:
    assert parse_message(b"BB1 fact env.X a%FFb") == ReportedFact("env.X", "a\ufffdb")
    assert parse_message(b"BB1 fact env.X.cut %C3%A9%C3") == ReportedFact("env.X.cut", "é")
    assert parse_message(b"BB1 error %C3%A9%C3") == AgentError("é\ufffd")
