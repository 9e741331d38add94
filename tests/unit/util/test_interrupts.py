"""Signals: the first one ends the program in order, and the next ones do not break that off."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final

import pytest

from bench.util.interrupts import SIGNALS, ended_by_signals, held_back

# The command line around one function, in place of the commands.
PROGRAM: Final = """
import os, signal
from bench import cli
def kill(*numbers):
    for number in numbers:
        os.kill(os.getpid(), number)
def run(**_):
    {body}
cli.make_program = lambda: run
cli.main()
"""
CLEANUP: Final = """
    try:
        kill(signal.SIGINT)
    finally:
        for step in range(3):
            kill(signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
            print("removed", step, flush=True)
"""


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Python's own handler for every signal; pytest's are back afterwards."""
    former = {number: signal.signal(number, signal.default_int_handler) for number in SIGNALS}
    yield
    for number, handler in former.items():
        signal.signal(number, handler)


def send(*numbers: int) -> None:
    for number in numbers:
        signal.raise_signal(number)


@contextmanager
def cleaned(steps: list[str], name: str) -> Iterator[None]:
    """A block with a removal that receives signals, and that handles an error of its own."""
    try:
        yield
    finally:
        try:
            send(*SIGNALS)
            raise OSError
        except OSError:
            send(*SIGNALS)
        steps.append(name)


@pytest.mark.parametrize("first", SIGNALS)
def test_only_the_first_signal_interrupts(first: int) -> None:
    noted: list[None] = []
    steps: list[str] = []

    def work() -> None:
        with ExitStack() as stack:
            stack.enter_context(cleaned(steps, "outer"))
            stack.callback(send, signal.SIGTERM)
            stack.enter_context(cleaned(steps, "inner"))
            send(first)

    with pytest.raises(KeyboardInterrupt), ended_by_signals(lambda: noted.append(None)):
        work()
    assert steps == ["inner", "outer"]
    assert len(noted) == 2 * 2 * len(SIGNALS) + 1


def test_a_signal_counts_as_handled_although_its_error_was_replaced() -> None:
    noted: list[None] = []

    def work() -> None:
        try:
            try:
                send(signal.SIGINT)
            except KeyboardInterrupt:
                raise ValueError("interrupted") from None
        finally:
            send(signal.SIGTERM)

    with pytest.raises(ValueError, match="interrupted"), ended_by_signals(lambda: noted.append(None)):
        work()
    assert len(noted) == 1


def test_an_interrupt_that_python_dropped_can_be_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    dropped: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: dropped.append(unraisable.exc_type))

    class Careless:
        def __del__(self) -> None:
            send(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt), ended_by_signals(lambda: None):  # noqa: PT012
        Careless()
        assert dropped == [KeyboardInterrupt]
        send(signal.SIGINT)


def test_an_ignored_signal_stays_ignored() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with ended_by_signals(lambda: None):
        send(signal.SIGHUP)
        with held_back():
            send(signal.SIGHUP)
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_held_back_signals_take_effect_at_the_end_of_the_block() -> None:
    steps = []
    with pytest.raises(KeyboardInterrupt), held_back():  # noqa: PT012
        for number in SIGNALS:
            send(number)
            steps.append(number)
    assert steps == list(SIGNALS)
    assert [signal.getsignal(number) for number in SIGNALS] == [signal.default_int_handler] * len(SIGNALS)


def test_an_error_of_the_block_does_not_hide_the_signal() -> None:
    with pytest.raises(KeyboardInterrupt) as caught, held_back():  # noqa: PT012
        send(signal.SIGTERM)
        raise ValueError("stuck")
    assert isinstance(caught.value.__context__, ValueError)


def test_threads_have_no_signals_to_hold_back() -> None:
    done: list[bool] = []

    def work() -> None:
        with held_back():
            done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [True]


def run_program(body: str, *before: str) -> subprocess.CompletedProcess[str]:
    words = [*before, sys.executable, "-c", PROGRAM.format(body=body.strip())]
    return subprocess.run(words, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)


@pytest.mark.host
def test_a_cleanup_is_not_broken_off_by_more_signals() -> None:
    ended = run_program(CLEANUP)
    assert ended.stdout == "removed 0\nremoved 1\nremoved 2\n"
    assert ended.returncode == 130
    assert "waiting until nothing of it is left" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.host
def test_a_signal_at_the_very_end_does_not_replace_the_exit_code() -> None:
    """Python removes modules, and with them this object, after it has given up its signal handlers."""
    late = """
    class Late:
        def __del__(self, kill=os.kill, pid=os.getpid(), number=signal.SIGTERM):
            kill(pid, number)
    cli.late = Late()
    kill(signal.SIGINT)
    """
    assert run_program(late).returncode == 130


@pytest.mark.host
def test_nohup_survives_a_logout() -> None:
    ended = run_program('kill(signal.SIGHUP); print("still here")', "nohup")
    assert (ended.stdout, ended.returncode) == ("still here\n", 0)


@pytest.mark.host
@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_every_signal_ends_the_command_line_in_order(number: str) -> None:
    ended = run_program(f'kill(signal.{number}); print("still here")')
    assert (ended.stdout, ended.returncode) == ("", 130)
    assert "Traceback" not in ended.stderr
