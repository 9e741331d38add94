"""Images as people have them: every target gives their workload the same files, users, devices and signals.

One image has everything that is hard to copy, and its workload reports what it sees. The reports of all targets are
compared with docker's. By default whole systems and some relatives of other targets are left out; name targets in
BOXBENCH_KINDS_ALSO (separated by commas) to add them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from difflib import unified_diff
from pathlib import Path
from typing import Any, Final

import pytest

from bench.agent.compile import FLAGS, compile_program
from bench.scenario.model import LoadedScenario, ReadyExit, ReadyHttp, Resources
from bench.scenario.workload import Base
from tests.lab import Lab, Trialed
from tests.ports import free_port

pytestmark = pytest.mark.live

SOURCE: Final = Path(__file__).with_name("kinds") / "sees.c"
USUAL: Final = (
    "process",
    "bubblewrap",
    "runc",
    "gvisor",
    "podman",
    "docker",
    "containerd",
    "uml",
    "microvm",
    "libvirt",
)
ALSO: Final = tuple(filter(None, os.environ.get("BOXBENCH_KINDS_ALSO", "").split(",")))
FEW: Final = ("process", "docker", "libvirt")
BASE: Final = Base(
    tag="boxbench/base-kinds:latest",
    packages=(
        *("base-files", "coreutils", "dash", "dumb-init", "gosu", "libc-bin", "libcap2-bin", "tini", "tzdata"),
        "util-linux",
    ),
    variant="extract",
)
RESOURCES: Final = Resources(cpus=1, memory=192 * 2**20, disk=512 * 2**20)

# ``places`` is all that the report looks at. The linked resolver file lies where every engine mounts its own.
DOCKERFILE: Final = r"""
ARG BASE=boxbench/base-kinds
ARG TAG=latest
FROM ${BASE}:${TAG}
ARG TAG
SHELL ["/bin/sh", "-euc"]
COPY passwd group /etc/
COPY links/ /etc/
COPY --chmod=755 entry sees /usr/local/bin/
RUN mkdir /odd; cd /odd; echo same > one; ln one two; mkfifo fifo; truncate -s 3000001 sparse; echo end >> sparse; \
    touch "$(printf 'caf\351 \303\244 \012new')"; chmod 1777 /tmp; ln -s one link; chown -h 1234:77 link; \
    cp /usr/local/bin/sees capable; cp capable rooted; setcap cap_net_bind_service+ep capable; chmod 4755 rooted; \
    chown 1234:2345 one; chmod 2750 one
ENV QUOTES="it's \"quoted\" \$HOME" LANG=C.UTF-8 TZ=Asia/Kathmandu FROM_ARG=$TAG
WORKDIR /made/by/workdir
STOPSIGNAL SIGQUIT
ENTRYPOINT ["tini", "-s", "--", "entry"]
CMD report
"""
FILES: Final = {
    "passwd": "root:x:0:0::/root:/bin/sh\ndora:x:1234:2345::/home/dora:/bin/sh\n",
    "group": "root:x:0:\ndora:x:2345:\nextra:x:77:dora\n",
    # As official images have it: root prepares, then the service's user goes on.
    "entry": r"""#!/bin/sh
set -eu
if [ "$(id -u)" = 0 ]; then
    touch /tmp/prepared
    exec gosu dora "$0" "$@"
fi
case "$*" in
"/bin/sh -euc report") ;;
*) exec "$@" ;;
esac
echo "who $(id -u) $(id -g) $(id -G) in $(pwd)"
echo "setpriv $(setpriv --no-new-privs id -u)"
echo "environment $QUOTES $FROM_ARG [$LINES]"
echo "places $(locale charmap) $(date -d @0 +%H:%M)"
for name in localhost boxbench; do
    addresses=$(getent ahosts "$name" | cut -d' ' -f1 | uniq)
    echo "name $name:" $addresses
    sees loopback $addresses
done
echo "name in a file: $(cat /etc/hostname)"
sees /etc/hostname /bin /lib /odd /odd/one /odd/two /odd/fifo /odd/sparse /odd/link /odd/capable /odd/rooted \
    /tmp/prepared /tmp /dev/shm /dev/mqueue /made/by/workdir
cksum < /odd/sparse
/odd/capable privileges
/odd/rooted privileges
exit 23
""",
}


@pytest.fixture(scope="module")
def loaded(make_scenario: Callable[..., LoadedScenario]) -> LoadedScenario:
    made: LoadedScenario = make_scenario(DOCKERFILE, name="kinds", files=FILES, resources=RESOURCES)
    compile_program("gcc", {SOURCE.name: SOURCE.read_bytes()}, made.directory / "sees", flags=FLAGS)
    (made.directory / "links").mkdir()
    (made.directory / "links" / "resolv.conf").symlink_to("../run/systemd/resolve/stub-resolv.conf")
    # It leads out of a tree on the host. Engines replace such a link, or follow it inside the box.
    (made.directory / "links" / "hosts").symlink_to("../../../../../../../../../../run/hosts")
    return changed(made, ready=ReadyExit(when="exit", timeout=120 * 10**9), base=BASE, env={"LINES": "one\ntwo 'q' \""})


def changed(loaded: LoadedScenario, *, ready: Any = None, **keys: Any) -> LoadedScenario:
    """The same scenario with other keys of its workload."""
    scenario = loaded.scenario
    changes = {"workload": scenario.workload.model_copy(update=keys), "ready": ready or scenario.ready}
    return loaded.model_copy(update={"scenario": scenario.model_copy(update=changes)})


def said(trialed: Trialed) -> list[str]:
    """The report of a workload that exited with 23. It is kept because the trial has failed: 0 was awaited."""
    record, output = trialed.record, trialed.output
    assert output is not None, "the trial succeeded"
    assert record.exit_code == 23, (record.failure and record.failure.message, output.stderr[-2000:])
    trialed.assert_gone()
    return output.stdout.decode().splitlines()


@pytest.fixture(scope="module")
def dockers(lab: Lab, loaded: LoadedScenario) -> list[str]:
    """The report in docker, with what must be in it wherever the image runs."""
    report = said(lab.run("docker", loaded))
    assert report[:6] == [
        "who 1234 2345 2345 77 in /made/by/workdir",
        "setpriv 1234",
        'environment it\'s "quoted" $HOME latest [one',
        "two 'q' \"]",
        "places UTF-8 05:30",
        "name localhost: ::1 127.0.0.1",
    ]
    for line in (
        r"name in /odd:caf\xe9\x20\xc3\xa4\x20\x0anew",
        "file /odd/one: mode 102750 owner 1234:2345 links 2 size 5",
        "same file /odd/one /odd/two: 1",
        "file /odd/fifo: mode 10644 owner 0:0 links 1 size 0",
        "file /odd/link: mode 120777 owner 1234:77 links 1 size 0 to one",
        "connection to ::1: works",
        "connection to 127.0.0.1: works",
        "name boxbench: 127.0.0.1",
        "name in a file: boxbench",
        "file /etc/hostname: mode 100644 owner 0:0 links 1 size 9",
        "file /bin: mode 120777 owner 0:0 links 1 size 0 to usr/bin",
        "terminal: works",
        "shared memory: works",
        "shared memory of 65536 KiB",
        "privileges: uid 1234 euid 1234 bind 1",
        "privileges: uid 1234 euid 0 bind 1",
    ):
        assert line in report
    return report


@pytest.mark.parametrize("name", [*(name for name in USUAL if name != "docker"), *ALSO])
def test_a_workload_sees_the_same_in_every_target(
    lab: Lab, loaded: LoadedScenario, dockers: Sequence[str], name: str
) -> None:
    report = said(lab.run(name, loaded))
    if name == "libvirt-full":  # its systemd mounts /dev/shm: half of the memory
        report, dockers = ([line for line in one if "KiB" not in line] for one in (report, dockers))
    if name in WITHOUT_QUEUES:
        report, dockers = ([line for line in one if "/dev/mqueue" not in line] for one in (report, dockers))
    if name in WITHOUT_IPV6:  # ::1 is in /etc/hosts, and getaddrinfo names it last
        assert "name localhost: 127.0.0.1 ::1" in report
        ipv6 = ("name localhost", "connection to ::1")
        report, dockers = ([line for line in one if not line.startswith(ipv6)] for one in (report, dockers))
    if name in WITHOUT_PRIVILEGES:
        assert [line for line in report if line.startswith("privileges")] == [
            "privileges: uid 1234 euid 1234 bind 0"
        ] * 2
        report, dockers = ([line for line in one if not line.startswith("privileges")] for one in (report, dockers))
    assert "\n".join(unified_diff(dockers, report, "docker", name, lineterm="", n=0)) == ""


# bubblewrap sets no_new_privs, and gVisor does not honour these bits: what an executed file gives has no effect there.
WITHOUT_PRIVILEGES: Final = ("bubblewrap", "gvisor")
WITHOUT_QUEUES: Final = ("gvisor",)
WITHOUT_IPV6: Final = ("uml",)
INITS: Final = {
    "tini": ("tini", "-s", "--"),
    "dumb-init": ("dumb-init",),
    "setpriv": ("setpriv", "--reuid=dora", "--regid=dora", "--init-groups", "--"),
}
# Its server has one of localhost's addresses only, as that of a program that takes the first.
WAITS: Final = (
    "trap 'kill $!; exit 5' QUIT; sees serve $(getent ahosts localhost | head -n 1 | cut -d' ' -f1) {port} & "
    "while :; do sleep 0.05; done"
)


# The same agent runs in a VM, so that not every init needs a boot of one.
@pytest.mark.parametrize(
    ("name", "init"), [*((name, init) for name in ("process", "docker") for init in INITS), ("libvirt", "tini")]
)
def test_a_workload_behind_an_init_is_ready_on_localhost_and_gets_its_stop_signal(
    lab: Lab, loaded: LoadedScenario, init: str, name: str
) -> None:
    port = free_port()
    entrypoint, command = INITS[init], ("/bin/sh", "-c", WAITS.format(port=port))
    ready = ReadyHttp(when="http", port=port, contains="here", timeout=60 * 10**9)
    trialed = lab.run(name, changed(loaded, ready=ready, entrypoint=entrypoint, command=command))
    assert trialed.record.outcome == "ok", trialed.record.failure
    assert trialed.record.exit_code == 5
    trialed.assert_gone()


DISTROLESS: Final = """
FROM scratch
COPY --chmod=755 sees /service
COPY passwd /etc/passwd
ONBUILD RUN ["/never", "run"]
USER dora
ENTRYPOINT ["/service", "privileges"]
"""


@pytest.mark.parametrize("name", FEW)
def test_one_static_program_is_an_image(lab: Lab, make_scenario: Callable[..., LoadedScenario], name: str) -> None:
    """No shell, no library and no /tmp, and a trigger for images that are built from it."""
    ready = ReadyExit(when="exit", code=1, timeout=60 * 10**9)
    made = make_scenario(DISTROLESS, name="distroless", files={"passwd": FILES["passwd"]}, ready=ready)
    compile_program("gcc", {SOURCE.name: SOURCE.read_bytes()}, made.directory / "sees", flags=FLAGS)
    trialed = lab.run(name, changed(made, base=None))
    assert trialed.output is not None
    assert trialed.output.stdout == b"privileges: uid 1234 euid 1234 bind 0\n"
    assert trialed.record.exit_code == 0
    trialed.assert_gone()
