"""One service of a compose file: what becomes of each key."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bench.compose.keys import HONOURED, MEANINGLESS, REFUSED, REFUSED_VALUES, REMARKS, SERVICE
from bench.compose.load import ComposeService, load_compose_service
from bench.scenario.model import Workload
from bench.util.errors import ScenarioError

OURS = {"x86_64": "linux/amd64", "aarch64": "linux/arm64"}.get(platform.machine(), "linux/amd64")

SPECIFIED = """
annotations attach blkio_config build cap_add cap_drop cgroup cgroup_parent command configs container_name
cpu_count cpu_percent cpu_period cpu_quota cpu_rt_period cpu_rt_runtime cpu_shares cpus cpuset credential_spec
depends_on deploy develop device_cgroup_rules devices dns dns_opt dns_search domainname entrypoint env_file
environment expose extends external_links extra_hosts gpus group_add healthcheck hostname image init ipc
isolation label_file labels links logging mac_address mem_limit mem_reservation mem_swappiness memswap_limit
models network_mode networks oom_kill_disable oom_score_adj pid pids_limit platform ports post_start pre_stop
privileged profiles provider pull_policy pull_refresh_after read_only restart runtime scale secrets
security_opt shm_size stdin_open stop_grace_period stop_signal storage_opt sysctls tmpfs tty ulimits
use_api_socket user userns_mode uts volumes volumes_from working_dir
"""
"""The keys of a service in the JSON Schema of the Compose Specification."""


def load(
    tmp_path: Path, service: str, *, top: str = "", environment: Mapping[str, str] | None = None, image: bool = True
) -> ComposeService:
    """Load the service ``web``, whose keys are ``service``."""
    lines = [f"    {line}" for line in [*(["image: redis:7"] if image else []), *service.splitlines()]]
    text = "services:\n  web:\n" + "\n".join(lines) + "\n" + top
    (tmp_path / "compose.yaml").write_text(text, encoding="utf-8")
    return load_compose_service(tmp_path / "compose.yaml", "web", environment or {})


def problems(tmp_path: Path, service: str, **options: Any) -> str:
    with pytest.raises(ScenarioError) as caught:
        load(tmp_path, service, **options)
    return caught.value.advice


@pytest.mark.parametrize(
    ("service", "workload"),
    [
        ("", {}),
        ("command: serve -p 80 'a b'", {"command": ["serve", "-p", "80", "a b"]}),
        ("command: [serve, -p, 80]", {"command": ["serve", "-p", "80"]}),
        ("command: sh -c 'a && b | c'", {"command": ["sh", "-c", "a && b | c"]}),
        ('command: sh -c "a; b"', {"command": ["sh", "-c", "a; b"]}),
        ("command: null", {}),
        ("entrypoint: /entry.sh --now", {"entrypoint": ["/entry.sh", "--now"]}),
        ("entrypoint: []\ncommand: [a]", {"entrypoint": [], "command": ["a"]}),
        ('entrypoint: ""\ncommand: a', {"entrypoint": [], "command": ["a"]}),
        ("entrypoint: /e\ncommand: []", {"entrypoint": ["/e"]}),
        ("user: web", {"user": "web"}),
        ("user: 1000", {"user": "1000"}),
        ("working_dir: /srv", {"workdir": "/srv"}),
        ("stop_signal: SIGQUIT", {"stop_signal": "SIGQUIT"}),
        ("pull_policy: always", {"pull": "always"}),
        ("pull_policy: if_not_present", {}),
        (
            "environment: {A: 1, B: on, C: true, D: 1.50, E: 'x', F: ''}",
            {"env": {"A": "1", "B": "on", "C": "true", "D": "1.5", "E": "x", "F": ""}},
        ),
        ("environment: [A=1, B=a=b, 'C=']", {"env": {"A": "1", "B": "a=b", "C": ""}}),
        ("environment: [GIVEN]", {"env": {"GIVEN": "yes"}}),
        ("environment: {GIVEN: }", {"env": {"GIVEN": "yes"}}),
        ("environment: {A: $$x}", {"env": {"A": "$x"}}),
        ("healthcheck: {test: curl localhost}", {"healthcheck": {"test": "curl localhost"}}),
        (
            "healthcheck: {test: [CMD, check, -a], interval: 5s, timeout: 1m30s, retries: 3, start_period: 1s}",
            {"healthcheck": {"test": ["CMD", "check", "-a"], "timeout": "90s"}},
        ),
        ("healthcheck: {test: [CMD-SHELL, 'a || exit 1']}", {"healthcheck": {"test": ["CMD-SHELL", "a || exit 1"]}}),
        ("healthcheck: {test: [NONE]}", {"healthcheck": {"test": ["NONE"]}}),
        ("healthcheck: {disable: true}", {"healthcheck": {"test": ["NONE"]}}),
        ("healthcheck: {interval: 10s}", {}),
        ("healthcheck: {timeout: 10s}", {"healthcheck": {"timeout": "10s"}}),
        ("volumes: [/data]", {"volumes": ["/data"]}),
        ("volumes: ['store:/data:rw', '/more']", {"volumes": ["/data", "/more"]}),
        ("volumes: [{type: volume, source: store, target: /data}]", {"volumes": ["/data"]}),
        ("volumes: ['./app.conf:/etc/app.conf:ro']", {"files": {"/etc/app.conf": "app.conf"}}),
        ("volumes: ['./conf:/etc/app']", {"files": {"/etc/app": "conf"}}),
        ("volumes: ['.:/app', '/app/node_modules']", {"files": {"/app": "."}, "volumes": ["/app/node_modules"]}),
        ("volumes: ['~/app.conf:/a']", {"files": {"/a": "HOME/app.conf"}}),
        ("volumes: [{type: bind, source: ./app.conf, target: /a, read_only: true}]", {"files": {"/a": "app.conf"}}),
        ("volumes: [{type: tmpfs, target: /scratch, tmpfs: {size: 1000}}]", {"volumes": ["/scratch"]}),
        ("tmpfs: /run", {"volumes": ["/run"]}),
        ("tmpfs: ['/run:size=64m', /tmp, /dev/shm]", {"volumes": ["/run", "/tmp"]}),
        ("configs: [app]", {"files": {"/app": "app.conf"}}),
        ("configs: [{source: app, target: /etc/app.conf, mode: 0440}]", {"files": {"/etc/app.conf": "app.conf"}}),
        ("secrets: [password]", {"files": {"/run/secrets/password": "password.txt"}}),
        ("secrets: [{source: password, target: pw}]", {"files": {"/run/secrets/pw": "password.txt"}}),
        (f"platform: {OURS}", {}),
        ("network_mode: none", {}),
        ("ipc: private", {}),
        ("privileged: false", {}),
        ("x-own: {anything: 1}", {}),
    ],
)
def test_keys_of_the_workload(tmp_path: Path, service: str, workload: dict[str, Any]) -> None:
    for name in ("app.conf", "password.txt"):
        (tmp_path / name).touch()
    (tmp_path / "conf").mkdir()
    top = "volumes: {store: }\nconfigs: {app: {file: app.conf}}\nsecrets: {password: {file: ./password.txt}}\n"
    loaded = load(tmp_path, service, top=top, environment={"GIVEN": "yes", "HOME": str(tmp_path)})
    expected = {"image": "redis:7"} | workload
    expected["files"] = {box: path.replace("HOME", str(tmp_path)) for box, path in workload.get("files", {}).items()}
    assert loaded.workload == {key: value for key, value in expected.items() if key != "files" or value}


@pytest.mark.parametrize(
    ("build", "workload"),
    [
        ("build: app", {"context": "app"}),
        ("build: ./app/", {"context": "app"}),
        ("build: {context: app, dockerfile: other.Dockerfile}", {"context": "app", "dockerfile": "other.Dockerfile"}),
        (
            "build: {context: app, args: {A: 1, GIVEN: , NONE: }}",
            {"context": "app", "build": {"args": {"A": "1", "GIVEN": "yes"}}},
        ),
        ("build: {context: app, args: [A=1]}", {"context": "app", "build": {"args": {"A": "1"}}}),
        (
            "build: {context: app, target: prod, network: host}",
            {"context": "app", "build": {"target": "prod", "network": "host"}},
        ),
        ("build: {context: app, secrets: [key]}", {"context": "app", "build": {"secrets": {"key": "key.txt"}}}),
        (
            "build: {context: app, secrets: [{source: key, target: id}]}",
            {"context": "app", "build": {"secrets": {"id": "key.txt"}}},
        ),
        ("build: {context: app, tags: [a], cache_from: [b], labels: {c: d}}", {"context": "app"}),
    ],
)
def test_build(tmp_path: Path, build: str, workload: dict[str, Any]) -> None:
    (tmp_path / "app").mkdir()
    for name in ("app/Dockerfile", "app/other.Dockerfile", "key.txt"):
        (tmp_path / name).touch()
    loaded = load(tmp_path, build, top="secrets: {key: {file: key.txt}}\n", environment={"GIVEN": "yes"}, image=False)
    assert loaded.workload == workload
    Workload.model_validate(loaded.workload, strict=False)


@pytest.mark.parametrize(
    ("service", "resources"),
    [
        ("", {}),
        ("mem_limit: 512m", {"memory": "512MiB"}),
        ("mem_limit: 1000000", {"memory": "1000000B"}),
        ("mem_limit: 0", {}),
        ("cpus: 2", {"cpus": 2}),
        ("cpus: '0.5'", {"cpus": 1}),
        ("deploy: {resources: {limits: {cpus: '1.5', memory: 1g}}}", {"cpus": 2, "memory": "1GiB"}),
        ("mem_limit: 1g\ndeploy: {resources: {limits: {memory: 1g}}}", {"memory": "1GiB"}),
        ("deploy:", {}),
    ],
)
def test_resources(tmp_path: Path, service: str, resources: dict[str, Any]) -> None:
    assert load(tmp_path, service).resources == resources


def test_ready_and_ports(tmp_path: Path) -> None:
    loaded = load(tmp_path, "ports: ['8080:80', '22:22']\nexpose: [9000]")
    assert (loaded.ports, loaded.ready) == ((80, 22, 9000), None)
    assert load(tmp_path, "healthcheck: {test: check}").ready == {"when": "healthcheck"}
    assert load(tmp_path, "healthcheck: {disable: true}").ready is None


@pytest.mark.parametrize(
    ("service", "note"),
    [
        ("restart: always", "restart has no meaning in a box."),
        (
            "restart: always\ncontainer_name: c\nlabels: [a]",
            "restart, container_name and labels have no meaning in a box.",
        ),
        ("depends_on: [db, cache]", "depends_on is left out: the box runs alone, without db, cache."),
        ("depends_on: {db: {condition: service_healthy}}", "depends_on is left out: the box runs alone, without db."),
        ("links: ['db:database']", "links is left out: the box runs alone, without db."),
        ("networks: [front]", "networks is left out: a box has no network but its loopback device."),
        ("network_mode: host", "network_mode: host is left out: a box has no network but its loopback device."),
        ("ports: ['80']", "ports: nothing is published on the host; the ports are the box's own."),
        ("ports: ['53/udp']", "ports: 53/udp cannot be probed: only TCP ports can."),
        ("cap_add: [NET_ADMIN]", "cap_add is left out: a box has the capabilities that its target gives."),
        ("shm_size: 1g", "shm_size is left out: /dev/shm has 64 MiB, and in libvirt-full half of the memory."),
        ("ulimits: {nofile: 99}", "ulimits is left out: a box has the limits that its target gives (nofile)."),
        ("cpus: 0.5", "cpus: a box has whole CPUs, so it has 1 instead of 0.5."),
        ("stop_grace_period: 1m", "stop_grace_period is left out: a box has 10 s between its stop signal and SIGKILL."),
        ("environment: [NONE, MORE]", "environment: NONE, MORE has no value here, so the box does not have it."),
        ("pull_policy: daily", "pull_policy: daily is left out: an image is pulled when it is missing."),
        ("tmpfs: /run", "tmpfs: /run is a new volume of the box and not in memory."),
        (
            "volumes: ['a:/a']",
            "volumes: every box has its own of a: it begins with what the image has there, not with the data of "
            "earlier runs.",
        ),
        (
            "volumes: ['./f:/etc/f']",
            "volumes: f is copied to /etc/f when the image is prepared, as root's; a box changes its own copy.",
        ),
        (
            "volumes: ['.:/app']",
            "volumes: its directory is copied to /app when the image is prepared, as root's, beside what the "
            "image has there; a box changes its own copy.",
        ),
        (
            "deploy: {replicas: 3, resources: {limits: {pids: 5}, reservations: {cpus: '1'}}}",
            "deploy.replicas, deploy.resources.reservations, deploy.resources.limits.pids is left out: one box is "
            "measured at a time, with its own limits.",
        ),
    ],
)
def test_notes(tmp_path: Path, service: str, note: str) -> None:
    (tmp_path / "f").touch()
    assert load(tmp_path, service, top="volumes: {a: }\n").notes[:1] == (note,)


@pytest.mark.parametrize(
    "service",
    [
        "restart: 'no'",
        "tty: false",
        "stop_grace_period: 10s",
        "cap_add: []",
        "privileged: false",
        "command: a",
        "cpus: 2",
    ],
)
def test_what_changes_nothing_is_not_mentioned(tmp_path: Path, service: str) -> None:
    assert load(tmp_path, service).notes == ()


@pytest.mark.parametrize(
    ("service", "text"),
    [
        ("imag: x", "compose.yaml:4: services.web.imag: unknown key (did you mean 'image'?)"),
        ("zzz: x", "compose.yaml:4: services.web.zzz: unknown key (keys of your own begin with x-)"),
        ("privileged: true", "services.web.privileged: cannot be honoured: no box gives its workload the host's"),
        ("devices: ['/dev/kvm']", "services.web.devices: cannot be honoured: a box has no devices of the host"),
        ("pid: host", "services.web.pid: cannot be honoured"),
        ("network_mode: 'service:db'", "services.web.network_mode: 'service:db' cannot be honoured"),
        ("ipc: host", "services.web.ipc: 'host' cannot be honoured"),
        ("deploy: {resources: {reservations: {devices: [{capabilities: [gpu]}]}}}", "reservations.devices: cannot be"),
        (
            "environment:\n  A: x\n  B: ${NONE}",
            "compose.yaml:6: services.web.environment.B: the variable NONE is not set",
        ),
        ("command: [a, $NONE]", "services.web.command.1: the variable NONE is not set"),
        ("command: ${NONE:?say which}", "the variable NONE is required: say which"),
        ("command: a && b", "services.web.command: has '&', which no shell would read"),
        ("command: a > b", "services.web.command: has '>'"),
        ("command: 'a \"b'", "services.web.command: cannot be split into words"),
        ("command: []", "services.web.command: is empty"),
        ("command: {a: b}", "services.web.command: must be text (given: keys and values)"),
        ("environment: text", "services.web.environment: must be keys and values"),
        ("environment: {A: [1]}", "services.web.environment.A: must be text (given: a list)"),
        ("ports: 80", "services.web.ports: must be a list"),
        ("ports: [web]", "services.web.ports.0: must be a port"),
        ("volumes: ['b:/a']", "services.web.volumes.0: there is no volume 'b'"),
        ("volumes: ['./none:/a']", "none does not exist"),
        ("volumes: ['/a:ro']", "services.web.volumes.0: 'ro' is no absolute path in the box"),
        ("volumes: ['a:/b:c:d']", "services.web.volumes.0: must be VOLUME:PATH"),
        ("volumes: ['a:/b:rx']", "services.web.volumes.0: must be VOLUME:PATH"),
        ("volumes: ['/:/host:ro']", "services.web.volumes.0: mounts /, which belongs to the running host"),
        ("volumes: ['/var/run/docker.sock:/var/run/docker.sock']", "which belongs to the running host"),
        ("volumes: ['./pipe:/a']", "pipe, which is neither a file nor a directory"),
        ("volumes: [{type: npipe, source: a, target: /b}]", "a mount of type 'npipe', which a box cannot have"),
        ("volumes: [{type: bind, source: a}]", "services.web.volumes.0: has no type or no target"),
        ("volumes: [{type: volume, source: a, target: /b, sub: c}]", "services.web.volumes.0.sub: unknown key"),
        ("volumes: ['./f:/a']\nconfigs: [{source: f, target: /a}]", "/a is mounted twice"),
        ("configs: [none]", "there is no config 'none'"),
        ("configs: [inline]", "configs.inline: is no file (content), so it cannot be copied"),
        ("secrets: [outside]", "secrets.outside: is no file (external)"),
        ("mem_limit: lots", "services.web.mem_limit: must be a size such as 512m"),
        ("cpus: lots", "services.web.cpus: must be a number of CPUs"),
        (
            "cpus: 1\ndeploy: {resources: {limits: {cpus: '2'}}}",
            "services.web.cpus: differs from deploy.resources.limits",
        ),
        ("deploy: {resource: {}}", "services.web.deploy.resource: unknown key (did you mean 'resources'?)"),
        ("healthcheck: {test: [curl, localhost]}", "services.web.healthcheck.test: begins with 'curl'"),
        ("healthcheck: {test: [CMD-SHELL, a, b]}", "begins with 'CMD-SHELL' and has 3 words"),
        ("healthcheck: {test: [CMD]}", "services.web.healthcheck.test: begins with 'CMD' and has 1 words"),
        ("healthcheck: {test: a, timeout: soon}", "services.web.healthcheck.timeout: must be a duration"),
        ("healthcheck: {tests: a}", "services.web.healthcheck.tests: unknown key (did you mean 'test'?)"),
        ("stop_grace_period: soon", "services.web.stop_grace_period: must be a duration"),
        ("platform: windows/amd64", "'windows/amd64' does not run on this host, which is linux/"),
        ("env_file: none.env", "services.web.env_file: "),
        ("env_file: bad.env", "bad.env:1: A: the variable NONE is not set"),
        ("env_file: [{path: f, format: odd}]", "a path, with no format or the format raw"),
        ("environment: {DATE: 2026-01-02}", "put it in quotes"),
    ],
)
def test_problems(tmp_path: Path, service: str, text: str) -> None:
    (tmp_path / "f").touch()
    (tmp_path / "bad.env").write_text("A=$NONE\n", encoding="utf-8")
    os.mkfifo(tmp_path / "pipe")
    top = "volumes: {a: }\nconfigs: {f: {file: f}, inline: {content: x}}\nsecrets: {outside: {external: true}}\n"
    assert text in problems(tmp_path, service, top=top)


@pytest.mark.parametrize(
    ("build", "text"),
    [
        ("user: a", "services.web: has neither image nor build"),
        ("build: none", "none does not exist"),
        ("build: {context: ., dockerfile: None}", "services.web.build.dockerfile: "),
        ("build: 'https://example.org/app.git'", "is an address, not a directory"),
        ("build: {dockerfile_inline: FROM a}", "services.web.build.dockerfile_inline: cannot be honoured"),
        ("build: {context: ., additional_contexts: {a: b}}", "a build has one context"),
        ("build: {context: ., ssh: [default]}", "a build gets no keys of the user"),
        ("build: {context: ., contxt: a}", "services.web.build.contxt: unknown key (did you mean 'context'?)"),
        ("build: {context: ., network: front}", "'front' is not one of default, none, host"),
        ("build: {context: ., platforms: [linux/s390x]}", "'linux/s390x' does not run on this host"),
        ("build: {context: ., secrets: [none]}", "there is no secret 'none'"),
    ],
)
def test_problems_of_a_build(tmp_path: Path, build: str, text: str) -> None:
    (tmp_path / "Dockerfile").touch()
    assert text in problems(tmp_path, build, image=False)


def test_all_problems_are_reported_together(tmp_path: Path) -> None:
    text = problems(tmp_path, "privileged: true\nmem_limit: x\nlabel: a")
    assert text.startswith("3 problems:")
    assert [f"compose.yaml:{line}:" in text for line in (4, 5, 6)] == [True] * 3


def test_a_built_service_says_that_its_image_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").touch()
    loaded = load(tmp_path, "build: .")
    assert loaded.workload == {"context": "."}
    assert loaded.notes == ("image: the service is built, so redis:7 is not used.",)


def test_env_files(tmp_path: Path) -> None:
    (tmp_path / "a.env").write_text("A=1\nB=1\nC=$OUT\n", encoding="utf-8")
    (tmp_path / "b.env").write_text('B=2\nD="${A}!"\n', encoding="utf-8")
    (tmp_path / "raw.env").write_text('E="$x"\n', encoding="utf-8")
    service = """env_file:
  - a.env
  - path: b.env
  - {path: raw.env, format: raw}
  - {path: missing.env, required: false}
environment: {A: 9}"""
    loaded = load(tmp_path, service, environment={"OUT": "o"})
    assert loaded.workload["env"] == {"A": "9", "B": "2", "C": "o", "D": "1!", "E": '"$x"'}


def test_every_key_of_the_specification_has_one_treatment() -> None:
    assert set(SPECIFIED.split()) == SERVICE
    treatments = (HONOURED, MEANINGLESS, REMARKS.keys(), REFUSED.keys())
    assert sum(map(len, treatments)) + len(REFUSED_VALUES.keys() - HONOURED) == len(SERVICE)


def test_a_link_to_what_belongs_to_the_host_is_no_other_place(tmp_path: Path) -> None:
    """/proc has files whose size is that of all memory."""
    (tmp_path / "innocent").symlink_to("/proc")
    with pytest.raises(ScenarioError, match="belongs to the running host"):
        load(tmp_path, "volumes: ['./innocent:/data']")
