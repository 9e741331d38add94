"""box.conf: every directive, and the encoding of words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.agent import boxconf
from bench.agent.boxconf import (
    MOST_TIMEOUT_MS,
    MOST_WORDS,
    BoxConfig,
    HealthCheck,
    decode_bytes,
    decode_word,
    encode_word,
    probe_conf,
    render_boxconf,
    why_unusable,
)
from bench.scenario.model import Ready, ReadyExit, ReadyFirstLine, ReadyHealthcheck, ReadyHttp, ReadyLog, ReadyTcp
from bench.util.errors import ProtocolError

CONFIG = BoxConfig(
    argv=("/bin/sh", "-c", "echo a b"),
    env=("PATH=/bin", "GREETING=hello world\n"),
    cwd="/srv/my app",
    uid=33,
    gid=33,
    groups=(4, 33),
    user="www-data",
    stop_signal=3,
)


def lines(content: bytes) -> list[str]:
    return content.decode("ascii").splitlines()


def test_every_directive_in_full() -> None:
    rendered = render_boxconf(CONFIG, ReadyFirstLine(when="first-line"), root="/dev/vda ext4", poweroff="reboot")
    assert lines(rendered) == [
        "argv /bin/sh",
        "argv -c",
        "argv echo%20a%20b",
        "env PATH=/bin",
        "env GREETING=hello%20world%0A",
        "cwd /srv/my%20app",
        "user 33 33 4,33",
        "hostname boxbench",
        "stop_signal 3",
        "stop_timeout_ms 10000",
        "ready first-line",
        "poll_us 2000",
        "root /dev/vda ext4",
        "poweroff reboot",
    ]


@pytest.mark.parametrize(
    ("ready", "line"),
    [
        (None, "ready started"),
        (ReadyLog(when="log", text="up and running"), "ready log up%20and%20running"),
        (ReadyExit(when="exit", code=3), "ready exit 3"),
        (ReadyTcp(when="tcp", port=5432), "ready tcp 5432"),
        (ReadyHttp(when="http", port=80, path="/a?b=c", status=204), "ready http 80 /a%3Fb=c 204 "),
        (ReadyHttp(when="http", port=80, contains="ok then"), "ready http 80 / 200 ok%20then"),
    ],
)
def test_readiness(ready: Ready | None, line: str) -> None:
    assert line in lines(render_boxconf(CONFIG, ready))


def test_a_health_check_is_told_only_where_readiness_follows_from_it() -> None:
    checked = replace(CONFIG, healthcheck=HealthCheck(("/bin/sh", "-c", "test -e /run/up"), 1500))
    asked = lines(render_boxconf(checked, ReadyHealthcheck(when="healthcheck")))
    assert asked[-6:] == [
        "ready healthcheck",
        "poll_us 100000",
        "health_argv /bin/sh",
        "health_argv -c",
        "health_argv test%20-e%20/run/up",
        "health_timeout_ms 1500",
    ]
    assert not [line for line in lines(render_boxconf(checked, ReadyFirstLine(when="first-line"))) if "health" in line]


def test_a_box_without_a_health_check_cannot_wait_for_one() -> None:
    with pytest.raises(ValueError, match="the image has none"):
        render_boxconf(CONFIG, ReadyHealthcheck(when="healthcheck"))


def test_poll_is_at_least_a_microsecond() -> None:
    assert "poll_us 1" in lines(render_boxconf(CONFIG, ReadyTcp(when="tcp", port=1, poll=5)))


def test_no_vm_directive_without_a_vm() -> None:
    keys = {line.split(" ")[0] for line in lines(render_boxconf(CONFIG, None))}
    assert not keys & {"root", "poweroff", "probe"}


def test_a_probe_has_only_probe_and_poweroff() -> None:
    assert lines(probe_conf()) == ["probe", "poweroff acpi"]
    assert lines(probe_conf(poweroff="reboot")) == ["probe", "poweroff reboot"]


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_words_are_decoded_to_what_was_encoded(text: str) -> None:
    word = encode_word(text)
    assert " " not in word
    assert "\n" not in word
    assert decode_word(word) == text


def test_bytes_that_are_not_text_are_kept() -> None:
    text = b"caf\xe9".decode("utf-8", "surrogateescape")
    assert encode_word(text) == "caf%E9"
    assert decode_bytes("caf%E9") == b"caf\xe9"


@given(st.binary())
def test_decoded_words_are_text_that_a_record_can_hold(raw: bytes) -> None:
    word = encode_word(raw.decode("utf-8", "surrogateescape"))
    assert decode_bytes(word) == raw
    decode_word(word).encode("utf-8")
    decode_word(word, cut=True).encode("utf-8")


def test_an_incomplete_character_is_dropped() -> None:
    assert decode_word("caf%C3") == "caf\ufffd"
    assert decode_word("caf%C3", cut=True) == "caf"
    assert decode_word("%E9caf%E2%82", cut=True) == "\ufffdcaf"
    assert decode_word("caf%C3%A9", cut=True) == "café"


@pytest.mark.parametrize("word", ["%", "100%", "%4", "%zz"])
def test_a_torn_word_is_an_error(word: str) -> None:
    with pytest.raises(ProtocolError, match="percent-encoded"):
        decode_word(word)


def test_the_limits_are_those_of_the_agent() -> None:
    header = (Path(boxconf.__file__).parent / "boxinit/conf.h").read_text()
    for name, limit in (("ARGV", "argv"), ("ENV", "env"), ("GROUPS", "groups")):
        assert f"MAX_{name} = {MOST_WORDS[limit]}," in header
    assert f"CONF_BYTES = {boxconf._CONF_BYTES // 1024} * 1024," in header
    assert f"#define MOST_NUMBER {MOST_TIMEOUT_MS}LL" in header


def test_a_configuration_that_is_taken_fits_into_a_box_conf() -> None:
    largest = replace(CONFIG, env=tuple(f"V{number:04}={'%' * 33}" for number in range(2048)))
    assert why_unusable(largest) is None
    assert "at most" in str(why_unusable(replace(largest, argv=("/bin/sh", "%" * 4000))))
    ready = ReadyHttp(when="http", port=65535, path="/" + "%" * 199, contains="%" * 200)
    assert len(render_boxconf(largest, ready, root="/dev/vda ext4", poweroff="reboot")) < boxconf._CONF_BYTES
