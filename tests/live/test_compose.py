"""A service of a compose file, and with it every key that replaces a part of the image's configuration."""

from __future__ import annotations

import json
from typing import Final

import pytest

from bench.compose.load import load_compose_service
from bench.image.build import build_image
from bench.scenario.model import LoadedScenario, load_scenario
from bench.util.errors import BuildError
from tests.lab import Lab

COMPOSE: Final = """\
x-common: &common
  restart: unless-stopped
services:
  web:
    <<: *common
    build: {context: image, args: {KIND: "${KIND:-built}"}}
    entrypoint: /bin/busybox sh -c
    command: ["exec /bin/busybox sleep 1000"]
    healthcheck: {test: [CMD, /bin/busybox, sh, /app/check], interval: 1m30s, timeout: 20s, retries: 5}
    user: "1000:1001"
    working_dir: /made/for/it
    stop_signal: SIGINT
    environment: {MODE: box, QUOTED: 'a "b" $$c'}
    env_file: web.env
    volumes: ["./app:/app:ro", /app/modules, "data:/data"]
    configs: [{source: conf, target: /etc/app/app.conf}]
    mem_limit: 128m
volumes: {data: }
configs: {conf: {file: app.conf}}
"""
DOCKERFILE: Final = """\
FROM boxbench/base-busybox:latest AS tools
FROM scratch
ARG KIND=none
COPY --from=tools /usr/bin/busybox /bin/busybox
COPY kept /data/kept
COPY kept /app/modules/of-the-image
ENV MODE=image KIND=$KIND
ENTRYPOINT ["/bin/busybox", "false"]
CMD ["never"]
STOPSIGNAL SIGQUIT
"""
REPORT: Final = """\
b=/bin/busybox
echo "user $($b id -u):$($b id -g)"
echo "directory $($b pwd)"
echo "environment $MODE $KIND $FROM_FILE $QUOTED"
echo "data $($b cat /data/kept)"
echo "modules $($b ls /app/modules)"
echo "config $($b cat /etc/app/app.conf)"
$b stat -c '%u:%g %a %n' /etc/app /etc/app/app.conf /app/report /made/for/it
$b cp /data/kept /tmp/copy 2>/dev/null
echo done
"""
CHECK: Final = """\
seen=$(. /app/report)
[ "$seen" = "$(/bin/busybox cat /app/expected)" ] || { echo $seen; exit 1; }
"""
"""Passes if the box is as expected, else prints what it is like, in one line."""
EXPECTED: Final = """\
user 1000:1001
directory /made/for/it
environment box built file's a "b" $c
data kept
modules of-the-image
config key=value
0:0 755 /etc/app
0:0 604 /etc/app/app.conf
0:0 755 /app/report
0:0 755 /made/for/it
done
"""
FILES: Final = {
    "compose.yaml": COMPOSE,
    "image/Dockerfile": DOCKERFILE,
    "image/kept": "kept\n",
    "app/check": CHECK,
    "app/expected": EXPECTED,
    "app/report": REPORT,
    "app/modules/of-the-host": "hidden by the volume\n",
    "app.conf": "key=value\n",
    "web.env": "FROM_FILE='file\\'s'\nMODE=never\n",
}


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> LoadedScenario:
    """The scenario of the service ``web``."""
    directory = tmp_path_factory.mktemp("compose")
    for name, text in FILES.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text, encoding="utf-8")
    (directory / "app.conf").chmod(0o604)
    (directory / "app/report").chmod(0o755)
    found = load_compose_service(directory / "compose.yaml", "web", {})
    base = {"tag": "boxbench/base-busybox:latest", "packages": ["busybox-static"], "variant": "extract"}
    scenario = {
        "question": "Do all boxes see the service?",
        "name": "compose-web",
        "workload": found.workload | {"base": base, "build": {**found.workload["build"], "network": "none"}},
        "resources": found.resources | {"disk": "64MiB"},
        "ready": (found.ready or {}) | {"timeout": "90s"},
    }
    (directory / "scenario.yaml").write_text(json.dumps(scenario), encoding="utf-8")
    return load_scenario(directory)


@pytest.mark.parametrize("name", ["process", "runc", "containerd", "docker", "podman", "microvm", "libvirt"])
def test_every_box_is_as_the_service_says(lab: Lab, service: LoadedScenario, name: str) -> None:
    boot = lab.run(name, service)
    assert boot.record.outcome == "ok", boot.record.failure
    assert not [doubt for doubt in boot.record.doubts if doubt.startswith("ended:")]
    boot.assert_gone()


@pytest.mark.parametrize(
    ("key", "value"),
    [("files", {"/bin": "app.conf"}), ("workdir", "/bin/busybox"), ("volumes", ("/bin/busybox",))],
)
def test_what_is_in_the_way_is_named(lab: Lab, service: LoadedScenario, key: str, value: object) -> None:
    workload = service.scenario.workload.model_copy(update={"volumes": (), "files": {}, "workdir": None, key: value})
    scenario = service.scenario.model_copy(update={"workload": workload, "name": f"in-the-way-{key}"})
    with pytest.raises(BuildError, match="/bin") as caught:
        build_image(lab.store, service.model_copy(update={"scenario": scenario}), lambda _: None)
    assert "check WORKDIR and VOLUME, and workdir, volumes and files" in caught.value.hint
