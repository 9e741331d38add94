"""``ready: {when: healthcheck}`` in real boxes: the image's check runs in the box as the workload does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pytest

from bench.records.record import Endpoint
from bench.scenario.model import LoadedScenario, ReadyHealthcheck
from tests.lab import Lab
from tests.waiting import PATIENCES_S

pytestmark = pytest.mark.live

# The workload is up once a check has failed, for its own user only; the check fails with a message until then. It is a
# shell's text, run by the SHELL of the image, in the image's directory, with its environment.
DOCKERFILE: Final = r"""
FROM boxbench/base-busybox:latest AS tools
FROM scratch
COPY --from=tools /usr/bin/busybox /bin/busybox
COPY passwd group /etc/
COPY check /bin/check
SHELL ["/bin/busybox", "sh", "-uec"]
ENV PATH=/bin STATE=/tmp
WORKDIR /tmp
RUN ["/bin/busybox", "chmod", "1777", "/tmp"]
USER dora
HEALTHCHECK --timeout=20s CMD check "$STATE" "$-"
ENTRYPOINT ["/bin/busybox", "sh", "-c"]
CMD ["until [ -e asked ]; do busybox sleep 0.05; done; umask 077; echo yes > up; exec busybox sleep 1000"]
"""
FILES: Final = {
    "passwd": "root:x:0:0::/root:/bin/sh\ndora:x:1234:2345::/home/dora:/bin/sh\n",
    "group": "root:x:0:\ndora:x:2345:\n",
    "check": (
        "#!/bin/busybox sh\n"
        'case "$2" in *u*e*) ;; *) echo "not by SHELL: $2"; exit 8;; esac\n'
        '[ "$1 $(busybox pwd) $(busybox id -u)" = "/tmp /tmp 1234" ] || { echo "wrong: $1 $PWD"; exit 9; }\n'
        "[ -s up ] || { echo not up yet; : > asked; exit 7; }\n"
        "busybox grep -q yes up\n"
    ),
}
TARGETS: Final = ("process", "runc", "docker", "podman", "gvisor", "uml", "libvirt")


@pytest.fixture(scope="module")
def loaded(make_scenario: Callable[..., LoadedScenario]) -> LoadedScenario:
    made: LoadedScenario = make_scenario(
        DOCKERFILE, name="healthy", files=FILES, ready=ReadyHealthcheck(when="healthcheck", timeout=60 * 10**9)
    )
    (made.directory / "check").chmod(0o755)
    return made


@pytest.mark.parametrize("name", TARGETS)
def test_a_box_is_ready_when_its_health_check_passes(lab: Lab, loaded: LoadedScenario, name: str) -> None:
    trialed = lab.run(name, loaded)
    record = trialed.record
    assert record.outcome == "ok", record.failure and record.failure.message
    assert record.health is not None
    assert record.health.attempts > 1
    assert record.health.cpu_ns > 0
    late_ns = record.resolution_ns[Endpoint.READY]
    assert 10**8 <= late_ns <= record.endpoints_ns[Endpoint.READY], "an interval and two checks"
    trialed.assert_gone()


def test_a_box_that_is_never_healthy_says_what_its_check_said(lab: Lab, loaded: LoadedScenario) -> None:
    """Docker's own check is off: the only one is the agent's."""
    workload = loaded.scenario.workload.model_copy(update={"command": ("exec busybox sleep 1000",)})
    for patience_s in PATIENCES_S:
        ready = ReadyHealthcheck(when="healthcheck", timeout=round(patience_s * 10**9))
        changes = {"workload": workload, "ready": ready}
        trialed = lab.run("docker", loaded.model_copy(update={"scenario": loaded.scenario.model_copy(update=changes)}))
        assert trialed.record.outcome == "timeout"
        assert trialed.record.failure is not None
        said = trialed.record.failure.message
        if "health check" in said:  # the first check has ended in time
            break
    assert "its last health check ended with exit code 7 and wrote 'not up yet'" in said
    trialed.assert_gone()
