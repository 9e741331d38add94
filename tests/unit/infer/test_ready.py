"""When an image is ready: as the option says it, and as it is inferred."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.infer.attempt import Attempt
from bench.infer.facts import ImageFacts
from bench.infer.generate import _given_ready
from bench.infer.ready import infer_ready, parse_ready
from bench.util.errors import NotReadyError, UsageError


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("exit", {"when": "exit"}),
        ("exit:3", {"when": "exit", "code": 3}),
        ("first-line", {"when": "first-line"}),
        ("log:ready: to go", {"when": "log", "text": "ready: to go"}),
        ("tcp:6379", {"when": "tcp", "port": 6379}),
        ("http:8080", {"when": "http", "port": 8080, "path": "/"}),
        ("http:8080/a/b?c=1", {"when": "http", "port": 8080, "path": "/a/b?c=1"}),
        ("healthcheck", {"when": "healthcheck"}),
    ],
)
def test_forms(text: str, keys: dict[str, Any]) -> None:
    assert parse_ready(text) == keys


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "exit:",
        "exit:-1",
        "exit:256",
        "exit:x",
        "first-line:x",
        "healthcheck:x",
        "log",
        "log:",
        "log:" + "x" * 201,
        "tcp",
        "tcp:",
        "tcp:0",
        "tcp:65536",
        "tcp:http",
        "tcp:²",
        "http",
        "http:/health",
        "http:80 /x",
        "http:80/ü",
        "http:99999/x",
    ],
)
def test_anything_else_is_named_with_the_forms(text: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_ready(text)
    assert error.value.message.startswith(f"--ready {text}: ")
    assert "http:PORT/PATH" in error.value.hint


@given(st.text())
def test_no_text_is_another_error(text: str) -> None:
    try:
        parse_ready(text)
    except UsageError:
        return


RUNNING = Attempt(watched_s=10)


@pytest.mark.parametrize(
    ("facts", "attempt", "keys", "words"),
    [
        # Without an attempt.
        ({"has_healthcheck": True, "tcp": (80,)}, None, {"when": "healthcheck"}, "takes longer than 120 s has failed"),
        ({"tcp": (6379,)}, None, {"when": "tcp", "port": 6379}, "the image exposes it"),
        ({"tcp": (4369, 5672)}, None, {"when": "tcp", "port": 4369}, "exposes (4369, 5672)"),
        ({"tcp": (443, 8080)}, None, {"when": "tcp", "port": 8080}, "exposes (443, 8080)"),
        ({"tcp": (80, 8080)}, None, {"when": "tcp", "port": 80}, "exposes (80, 8080)"),
        ({"other_ports": ("53/udp",)}, None, {"when": "first-line"}, "53/udp only, which no connection can probe"),
        ({}, None, {"when": "first-line"}, "its first line"),
        # With one.
        ({"has_healthcheck": True}, RUNNING, {"when": "healthcheck"}, "HEALTHCHECK"),
        ({"has_healthcheck": True}, Attempt(watched_s=1, exit_code=0), {"when": "healthcheck"}, "HEALTHCHECK"),
        ({"tcp": (80,)}, Attempt(watched_s=0.31, exit_code=0), {"when": "exit"}, "ended after 0.31 s"),
        ({}, Attempt(watched_s=0.31, exit_code=0, printed=True), {"when": "exit"}, "with code 0"),
        ({"tcp": (80, 443)}, Attempt(watched_s=2, listening=(443,)), {"when": "tcp", "port": 443}, "it listened there"),
        ({"tcp": (80,)}, Attempt(watched_s=2, listening=(3000,)), {"when": "tcp", "port": 3000}, "exposes 80"),
        ({"tcp": (80,)}, RUNNING, {"when": "tcp", "port": 80}, "the image exposes it"),
        ({}, Attempt(watched_s=2, listening=(9000, 9001)), {"when": "tcp", "port": 9000}, "exposes no TCP port"),
        ({}, Attempt(watched_s=10, printed=True), {"when": "first-line"}, "its first line"),
    ],
)
def test_choices(facts: dict[str, Any], attempt: Attempt | None, keys: dict[str, Any], words: str) -> None:
    choice = infer_ready("app", ImageFacts(**facts), attempt)
    assert choice.keys == keys
    assert choice.why.text.startswith("Ready when ")
    assert words in choice.why.text
    assert choice.why.option.startswith("--ready ")
    # What the sentence proposes can be typed, apart from words in capitals.
    proposed = choice.why.option.removeprefix("--ready ").replace("TEXT", "x")
    assert parse_ready(proposed)["when"] != choice.keys["when"]


def test_a_command_that_fails_is_an_error_with_its_last_line() -> None:
    attempt = Attempt(watched_s=0.5, exit_code=1, printed=True, last_line="no \x1b[31mpassword\x1b[0m is set")
    with pytest.raises(NotReadyError) as error:
        infer_ready("postgres:16", ImageFacts(tcp=(5432,), has_healthcheck=True), attempt)
    assert error.value.message == (
        "postgres:16: its command ended with code 1 after 0.5 s when it was tried; it wrote last: no password is set"
    )
    assert "--env NAME=VALUE" in error.value.hint
    assert "--ready exit:1" in error.value.hint


@pytest.mark.parametrize(
    ("last_line", "helps"),
    [
        ("exec /entry.sh: no such file or directory", True),
        ("open /etc/app.conf: no such file or directory", False),
        ("exec: /x: not found", False),
    ],
)
def test_a_program_without_its_interpreter_is_not_asked_for_variables(last_line: str, helps: bool) -> None:
    """So ends a container whose script has lines as under Windows."""
    with pytest.raises(NotReadyError) as error:
        infer_ready("app:1", ImageFacts(), Attempt(watched_s=0.1, exit_code=1, last_line=last_line))
    assert ("CR LF" in error.value.hint) == helps
    assert ("--env" in error.value.hint) != helps


def test_a_silent_command_that_goes_on_cannot_be_told() -> None:
    with pytest.raises(UsageError) as error:
        infer_ready("app:1", ImageFacts(other_ports=("53/udp",)), RUNNING)
    assert "in 10 s it neither ended, nor wrote a line, nor listened" in error.value.message
    assert "53/udp" in error.value.message
    assert "--ready exit" in error.value.hint


ports = st.lists(st.integers(1, 65535), max_size=5, unique=True).map(lambda found: tuple(sorted(found)))


@given(tcp=ports, listening=ports, printed=st.booleans(), healthcheck=st.booleans())
def test_a_port_is_one_that_listens_if_any_does(
    tcp: tuple[int, ...], listening: tuple[int, ...], printed: bool, healthcheck: bool
) -> None:
    attempt = Attempt(watched_s=10, listening=listening, printed=printed)
    try:
        keys = infer_ready("app", ImageFacts(tcp=tcp, has_healthcheck=healthcheck), attempt).keys
    except UsageError:
        assert (tcp, listening, printed, healthcheck) == ((), (), False, False)
        return
    if healthcheck:
        assert keys["when"] == "healthcheck"
    elif tcp or listening:
        assert keys["port"] in (listening or tcp)
    else:
        assert keys["when"] == "first-line"


@pytest.mark.parametrize(
    ("port", "exposed", "said"),
    [(8081, (8080,), "the image exposes 8080, and not this port"), (8080, (8080,), ""), (8081, (), "")],
)
def test_a_port_that_the_image_does_not_expose_is_remarked(port: int, exposed: tuple[int, ...], said: str) -> None:
    reason = _given_ready({"when": "http", "port": port, "path": "/"}, ImageFacts(tcp=exposed))
    assert said in reason.text
    assert bool(reason.text) == bool(said)
    assert _given_ready({"when": "exit"}, ImageFacts(tcp=(8080,))).text == ""
