"""Every expected error has a hint and an exit code."""

from __future__ import annotations

import inspect

import pytest

from bench.util import errors
from bench.util.errors import BoxbenchError, ExitCode

ALL = [
    cls
    for _name, cls in inspect.getmembers(errors, inspect.isclass)
    if issubclass(cls, BoxbenchError) and cls is not BoxbenchError
]


@pytest.mark.parametrize("cls", ALL, ids=lambda cls: cls.__name__)
def test_every_error_has_a_message_a_hint_and_a_code(cls: type[BoxbenchError]) -> None:
    error = cls("the value 7 is wrong", hint="use 8")
    assert str(error) == error.message == "the value 7 is wrong"
    assert error.hint == "use 8"
    assert error.code == cls.__name__
    assert isinstance(error.exit_code, ExitCode)
    assert isinstance(error.stable, bool)
    assert cls.__doc__


@pytest.mark.parametrize("cls", ALL, ids=lambda cls: cls.__name__)
def test_no_error_can_be_raised_without_a_hint(cls: type[BoxbenchError]) -> None:
    with pytest.raises(TypeError, match="hint"):
        cls("no way out")  # type: ignore[call-arg]


def test_exit_codes_are_the_documented_ones() -> None:
    assert {code.name: int(code) for code in ExitCode} == {
        "OK": 0,
        "ERROR": 1,
        "USAGE": 2,
        "REGRESSION": 3,
        "CANNOT_TELL": 4,
        "HOST_UNFIT": 5,
        "PARTIAL": 6,
        "INTERRUPTED": 130,
    }


@pytest.mark.parametrize(
    ("cls", "code"),
    [
        (errors.ScenarioError, ExitCode.USAGE),
        (errors.CampaignError, ExitCode.USAGE),
        (errors.TargetUnavailableError, ExitCode.HOST_UNFIT),
        (errors.HostUnfitError, ExitCode.HOST_UNFIT),
        (errors.TooFewBootsError, ExitCode.CANNOT_TELL),
        (errors.PartialResultsError, ExitCode.PARTIAL),
        (errors.InterruptedCampaignError, ExitCode.INTERRUPTED),
        (errors.ProcessError, ExitCode.ERROR),
    ],
)
def test_exit_code_of(cls: type[BoxbenchError], code: ExitCode) -> None:
    assert cls.exit_code is code


def test_only_what_may_go_away_by_itself_is_transient() -> None:
    transient = {cls.__name__ for cls in ALL if not cls.stable}
    assert transient == {
        "ExerciseError",
        "InterruptedCampaignError",
        "LateError",
        "LaunchError",
        "NotReadyError",
        "TeardownError",
        "ThreadDiedError",
    }
