"""Dockerfiles in all common forms: every target runs the command that Docker runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pytest

from bench.records.record import Endpoint
from bench.scenario.model import LoadedScenario, ReadyExit
from tests.lab import Lab

SHELL: Final = (
    "FROM boxbench/base-busybox:latest\n"
    'RUN ["/usr/bin/busybox", "mkdir", "-p", "/bin"]\n'
    'RUN ["/usr/bin/busybox", "ln", "-s", "/usr/bin/busybox", "/bin/sh"]\n'
)
# Each command exits with 23 when everything that it checks is right.
CHECK: Final = '[ \\"$0 $*\\" = \\"me a b c\\" ] && exit 23'
FORMS: Final = {
    "exec-cmd": 'CMD ["/bin/sh", "-c", "exit 23"]',
    "shell-cmd": "CMD exit 23",
    "shell-entrypoint": 'ENTRYPOINT exit 23\nCMD ["ignored"]',
    "entrypoint-and-cmd": f'ENTRYPOINT ["/bin/sh", "-c", "{CHECK}", "me"]\nCMD ["a", "b c"]',
    "on-the-path": 'ENV PATH=/usr/bin\nENTRYPOINT ["busybox", "sh", "-c"]\nCMD ["exit 23"]',
    "relative": 'WORKDIR /usr\nCMD ["bin/busybox", "sh", "-c", "[ $PWD = /usr ] && exit 23"]',
    "numeric-user": 'USER 4321:8765\nCMD ["/bin/sh", "-c", "[ $(id -u):$(id -g) = 4321:8765 ] && exit 23"]',
    "workdir-that-was-removed": (
        'WORKDIR /lost/found\nRUN ["/usr/bin/busybox", "rm", "-r", "/lost"]\n'
        'CMD ["/bin/sh", "-c", "[ $(busybox pwd) = /lost/found ] && exit 23"]'
    ),
}


# The agent and its configuration are the same in every box, so that not every form needs a boot of a VM.
CASES: Final = [(target, form) for target in ("process", "docker") for form in FORMS] + [
    ("libvirt", "entrypoint-and-cmd"),
    ("libvirt", "workdir-that-was-removed"),
]


@pytest.mark.parametrize(("target", "form"), CASES)
def test_a_dockerfiles_form_runs_in_a_target(
    lab: Lab, make_scenario: Callable[..., LoadedScenario], target: str, form: str
) -> None:
    loaded = make_scenario(SHELL + FORMS[form] + "\n", name=f"form-{form}", ready=ReadyExit(when="exit", code=23))
    trialed = lab.run(target, loaded)
    record = trialed.record
    assert (record.outcome, record.exit_code) == ("ok", 23), (record.failure, trialed.output)
    assert Endpoint.READY in record.endpoints_ns
    trialed.assert_gone()
