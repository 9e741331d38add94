"""The configuration of a box, resolved by the engines' rules."""

from __future__ import annotations

import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.agent.boxconf import BoxConfig, HealthCheck
from bench.image.archive import TreeIndex
from bench.image.config import DEFAULT_PATH, check_directory, config_digest, healthcheck_note, resolve_config
from bench.image.healthcheck import require_healthcheck
from bench.scenario.healthcheck import Healthcheck
from bench.scenario.model import ReadyExit, ReadyHealthcheck, Workload
from bench.util.errors import BuildError
from tests.unit.image.test_archive import folder, index_of, link, member

PASSWD = (
    b"root:x:0:0:root:/root:/bin/sh\nweb:x:33:34:www:/var/www:/bin/false\nbroken line\nbad:x:a:b:c:d:e\n"
    + "odd:x:²:0:o:/:/\n".encode()
)
GROUP = b"root:x:0:\nweb:x:34:\nlog:x:4:adm,web\nadm:x:5:web\nssl:x:50:\n"


@pytest.fixture
def tree(tmp_path: Path) -> TreeIndex:
    return index_of(
        tmp_path,
        folder("etc"),
        folder("srv"),
        folder("usr/bin"),
        (member("etc/passwd"), PASSWD),
        (member("etc/group"), GROUP),
        folder("usr"),
        (member("usr/bin/server"), b""),
        (member("usr/bin/notes.txt", mode=0o644), b""),
        link("bin", "usr/bin"),
        (member("srv/run"), b""),
    )


def resolve(tree: TreeIndex, workload: Workload | None = None, **config: Any) -> BoxConfig:
    return resolve_config("shop", {"Cmd": ["/bin/server"]} | config, workload or Workload(), tree)


def test_entrypoint_and_cmd_are_joined(tree: TreeIndex) -> None:
    assert resolve(tree, Entrypoint=["server", "-f"], Cmd=["-x"]).argv == ("server", "-f", "-x")


def test_the_scenarios_command_replaces_cmd_only(tree: TreeIndex) -> None:
    workload = Workload(command=("--fast",))
    assert resolve(tree, workload, Entrypoint=["server"], Cmd=["--slow"]).argv == ("server", "--fast")


def test_defaults(tree: TreeIndex) -> None:
    config = resolve(tree)
    assert config.env == (f"PATH={DEFAULT_PATH}", "HOSTNAME=boxbench", "HOME=/root")
    assert (config.cwd, config.uid, config.gid, config.groups) == ("/", 0, 0, (0,))
    assert config.stop_signal == 15


def test_environment_is_image_then_scenario_then_home(tree: TreeIndex) -> None:
    workload = Workload(env={"MODE": "prod", "HOME": "/tmp"})
    env = resolve(tree, workload, Env=["PATH=/bin", "MODE=dev", "LANG=C"]).env
    assert env == ("PATH=/bin", "HOSTNAME=boxbench", "MODE=prod", "LANG=C", "HOME=/tmp")


@pytest.mark.parametrize(
    ("user", "ids", "home"),
    [
        ("", (0, 0, (0,)), "/root"),
        ("web", (33, 34, (4, 5, 34)), "/var/www"),
        ("33", (33, 34, (4, 5, 34)), "/var/www"),
        ("web:ssl", (33, 50, (50,)), "/var/www"),
        ("web:77", (33, 77, (77,)), "/var/www"),
        ("1000", (1000, 0, (0,)), "/"),
        ("1000:1000", (1000, 1000, (1000,)), "/"),
    ],
)
def test_user(tree: TreeIndex, user: str, ids: tuple[int, int, tuple[int, ...]], home: str) -> None:
    config = resolve(tree, User=user)
    assert (config.uid, config.gid, config.groups) == ids
    assert f"HOME={home}" in config.env
    assert config.user == user


def test_accounts_are_read_as_engines_read_them(tmp_path: Path) -> None:
    """Columns after the ids may lack, and only a newline ends a line."""
    passwd = "few:x:7:8\nodd:x:9:10:O\u2028D\x0bD:/odd:/bin/sh\r\n".encode()
    tree = index_of(
        tmp_path,
        folder("etc"),
        (member("etc/passwd"), passwd),
        (member("etc/group"), b"team:x:11\n"),
        (member("run"), b""),
    )
    found = resolve(tree, Cmd=["/run"], User="few:team")
    assert (found.uid, found.gid, found.env[-1]) == (7, 11, "HOME=/")
    found = resolve(tree, Cmd=["/run"], User="odd")
    assert (found.uid, found.gid, found.env[-1]) == (9, 10, "HOME=/odd")


@pytest.mark.parametrize("file", ["passwd", "group"])
@pytest.mark.parametrize("kind", [tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE])
def test_engines_do_not_wait_for_accounts_in_a_fifo_or_device(tmp_path: Path, file: str, kind: bytes) -> None:
    entries = (folder("etc"), link(f"etc/{file}", "../pipe"), member("pipe", kind), (member("run"), b""))
    with pytest.raises(BuildError, match=f"/etc/{file} is a"):
        resolve(index_of(tmp_path, *entries), Cmd=["/run"])


def test_user_without_a_passwd_file(tmp_path: Path) -> None:
    tree = index_of(tmp_path, folder("bin"), (member("bin/server"), b""))
    config = resolve(tree)
    assert (config.uid, config.gid, config.groups) == (0, 0, (0,))
    assert "HOME=/" in config.env


@pytest.mark.parametrize(
    ("user", "name"),
    [("nobody", "user 'nobody'"), ("web:staff", "group 'staff'"), ("odd", "user 'odd'"), ("²", "user '²'")],
)
def test_unknown_names_are_errors(tree: TreeIndex, user: str, name: str) -> None:
    with pytest.raises(BuildError, match=name):
        resolve(tree, User=user)


@pytest.mark.parametrize(("name", "number"), [("SIGQUIT", 3), ("QUIT", 3), ("3", 3), (None, 15), ("SIGRTMIN", 34)])
def test_stop_signal(tree: TreeIndex, name: str | None, number: int) -> None:
    assert resolve(tree, StopSignal=name).stop_signal == number


SHELL_CHECK = {"Test": ["CMD-SHELL", "test -e /up"], "Interval": 10**9, "Timeout": 3 * 10**9}


@pytest.mark.parametrize(
    ("config", "check"),
    [
        ({}, None),
        ({"Healthcheck": None}, None),
        ({"Healthcheck": {}}, None),
        ({"Healthcheck": {"Test": []}}, None),
        ({"Healthcheck": {"Test": ["NONE"]}}, None),
        ({"Healthcheck": {"Test": ["CMD", "server", "--check"]}}, HealthCheck(("server", "--check"), 30_000)),
        ({"Healthcheck": {"Test": ["CMD", "server"], "Timeout": 0}}, HealthCheck(("server",), 30_000)),
        ({"Healthcheck": {"Test": ["CMD", "server"], "Timeout": -5}}, HealthCheck(("server",), 1)),
        ({"Healthcheck": {"Test": ["CMD", "server"], "Timeout": 2**63 - 1}}, HealthCheck(("server",), 10**12)),
        ({"Healthcheck": SHELL_CHECK}, HealthCheck(("/bin/sh", "-c", "test -e /up"), 3000)),
        (
            {"Healthcheck": SHELL_CHECK, "Shell": ["/bin/bash", "-ec"]},
            HealthCheck(("/bin/bash", "-ec", "test -e /up"), 3000),
        ),
    ],
)
def test_the_images_health_check(tree: TreeIndex, config: dict[str, Any], check: HealthCheck | None) -> None:
    assert resolve(tree, **config).healthcheck == check


@pytest.mark.parametrize(
    ("given", "check"),
    [
        (Healthcheck(), HealthCheck(("/bin/sh", "-c", "test -e /up"), 3000)),
        (Healthcheck(timeout=10**9), HealthCheck(("/bin/sh", "-c", "test -e /up"), 1000)),
        (Healthcheck(timeout=5), HealthCheck(("/bin/sh", "-c", "test -e /up"), 1)),
        (Healthcheck(test=("CMD", "true")), HealthCheck(("true",), 3000)),
        (Healthcheck(test=("NONE",)), None),
    ],
)
def test_the_scenarios_health_check_replaces_the_images_keys(
    tree: TreeIndex, given: Healthcheck, check: HealthCheck | None
) -> None:
    assert resolve(tree, Workload(healthcheck=given), Healthcheck=SHELL_CHECK).healthcheck == check


def test_waiting_for_a_health_check_needs_one() -> None:
    wanted = ReadyHealthcheck(when="healthcheck")
    with pytest.raises(BuildError, match="image shop has no HEALTHCHECK") as caught:
        require_healthcheck("shop", wanted, None)
    assert "workload.healthcheck" in caught.value.hint
    require_healthcheck("shop", wanted, HealthCheck(("true",), 1))
    require_healthcheck("shop", ReadyExit(when="exit"), None)


INITS = (
    ("/sbin/init", "usr/lib/systemd/systemd", "systemd"),
    ("/usr/lib/systemd/systemd", "usr/lib/systemd/systemd", "systemd"),
    ("init", "usr/sbin/init", "init"),
    ("/sbin/init", "usr/bin/busybox", "busybox's init"),
    ("/init", "init", "s6-overlay's init"),
)


@pytest.mark.parametrize(("command", "file", "said"), INITS)
def test_an_init_that_must_be_pid_1_is_refused(tmp_path: Path, command: str, file: str, said: str) -> None:
    entries: list[Any] = [
        folder("usr"),
        folder("usr/bin"),
        folder("usr/sbin"),
        folder("usr/lib"),
        folder("usr/lib/systemd"),
    ]
    entries += [(member(file), b""), folder("package/admin/s6-overlay-3.2"), link("sbin", "usr/sbin")]
    if file != "usr/sbin/init":
        entries.append(link("usr/sbin/init", f"/{file}"))
    tree = index_of(tmp_path, *entries)
    with pytest.raises(BuildError, match=f"is {said}, which must be PID 1") as caught:
        resolve(tree, Cmd=[command])
    assert "workload.entrypoint" in caught.value.hint


@pytest.mark.parametrize("file", ["app/init", "init", "usr/bin/systemd-notify", "usr/bin/tini"])
def test_other_programs_called_init_run(tmp_path: Path, file: str) -> None:
    tree = index_of(tmp_path, folder("app"), folder("usr"), folder("usr/bin"), (member(file), b""))
    assert resolve(tree, Cmd=[f"/{file}"]).argv == (f"/{file}",)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"Env": [f"V{number}=" for number in range(3000)]}, "3003 variables"),
        ({"Env": ["SMALL=1", f"BIG={'x' * 2**17}"]}, "'BIG' has 131076 bytes"),
        ({"Env": [f"V{number}={'%' * 900}" for number in range(100)]}, "when encoded"),
        ({"Env": ["KEY=hush\0more"]}, "the variable 'KEY' has a null byte"),
        ({"Env": ["=hush"]}, "has no name"),
        ({"Cmd": ["/bin/server", "a\0b"]}, "word 2 of the command has a null byte"),
        ({"Cmd": ["/bin/server", *["x"] * 1024]}, "1025 words"),
        ({"WorkingDir": "/a\0b"}, "the working directory has a null byte"),
        ({"Healthcheck": {"Test": ["CMD", "/x", "a\0b"]}}, "word 2 of the health check"),
    ],
    ids=["variables", "long", "all", "null", "nameless", "argument", "arguments", "directory", "check"],
)
def test_what_no_box_can_take_is_refused_and_never_cut(tree: TreeIndex, config: dict[str, Any], said: str) -> None:
    with pytest.raises(BuildError) as caught:
        resolve(tree, **config)
    assert said in caught.value.message
    assert "hush" not in caught.value.message


@pytest.mark.parametrize("directory", ["../../x", "x", "/a\0b"])
def test_a_working_directory_that_no_engine_takes_is_refused_by_name(directory: str) -> None:
    with pytest.raises(BuildError) as caught:
        check_directory("shop", {"WorkingDir": directory}, Workload())
    assert f"working directory {directory!r} is not an absolute path" in caught.value.message
    check_directory("shop", {"WorkingDir": directory}, Workload(workdir="/srv"))
    check_directory("shop", {}, Workload())


@pytest.mark.parametrize("name", ["SIGWHAT", "65", "²"])
def test_unknown_stop_signal(tree: TreeIndex, name: str) -> None:
    with pytest.raises(BuildError, match=name):
        resolve(tree, StopSignal=name)


@pytest.mark.parametrize(
    ("argv", "cwd"), [("server", "/"), ("/bin/server", "/"), ("/usr/bin/server", "/"), ("./run", "/srv")]
)
def test_a_command_in_the_image_is_accepted(tree: TreeIndex, argv: str, cwd: str) -> None:
    assert resolve(tree, Cmd=[argv], WorkingDir=cwd).argv == (argv,)


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        ("nginx", "'nginx' is not in the image"),
        ("/usr/bin/nope", "looked for /usr/bin/nope"),
        ("/usr/bin", "is not in the image"),
        ("/usr/bin/notes.txt", "is not executable"),
        ("./run", "is not in the image"),
    ],
)
def test_a_command_that_cannot_run_is_named(tree: TreeIndex, argv: str, text: str) -> None:
    with pytest.raises(BuildError, match=text) as caught:
        resolve(tree, Cmd=[argv])
    assert "shop" in caught.value.message


def test_path_of_the_scenario_counts(tree: TreeIndex) -> None:
    with pytest.raises(BuildError, match="looked for /opt/server"):
        resolve(tree, Workload(env={"PATH": "/opt"}), Cmd=["server"])


def test_nothing_to_run(tree: TreeIndex) -> None:
    with pytest.raises(BuildError, match="nothing to run"):
        resolve(tree, Cmd=None)


@pytest.mark.parametrize(
    ("user", "passwd", "group"),
    [
        ("4294967296", b"", b""),
        ("0:4294967296", b"", b""),
        ("sly", b"sly:x:4294967296:0:s:/:/\n", b""),
        ("sly", b"sly:x:7:4294967296:s:/:/\n", b""),
        ("sly", b"sly:x:7:7:s:/:/\n", b"wide:x:4294967296:sly\n"),
        ("sly", b"sly:x:2147483648:7:s:/:/\n", b""),
    ],
)
def test_an_id_that_does_not_fit_is_refused_and_does_not_become_another_one(
    tmp_path: Path, user: str, passwd: bytes, group: bytes
) -> None:
    files = ((member("etc/passwd"), PASSWD + passwd), (member("etc/group"), GROUP + group))
    tree = index_of(tmp_path, folder("etc"), *files, folder("bin"), (member("bin/server"), b""))
    with pytest.raises(BuildError, match=r"has the id \d+; the largest one is 2147483647"):
        resolve(tree, User=user)


def test_ids_of_other_users_do_not_matter(tmp_path: Path) -> None:
    files = ((member("etc/passwd"), PASSWD + b"sly:x:4294967296:0:s:/:/\n"), (member("etc/group"), GROUP))
    tree = index_of(tmp_path, folder("etc"), *files, folder("bin"), (member("bin/server"), b""))
    assert resolve(tree, User="web").uid == 33


def test_a_digest_of_the_configuration_covers_what_runs_and_no_secret() -> None:
    one = BoxConfig(("/usr/bin/server",), ("PATH=/bin", "API_KEY=1234"), "/", 0, 0, (0,), "", 15)
    digest = config_digest(one, ("/data",))
    assert config_digest(replace(one, env=("PATH=/bin", "API_KEY=5678")), ("/data",)) == digest
    others = [
        replace(one, argv=("/usr/bin/server", "--slow")),
        replace(one, env=("PATH=/usr/bin", "API_KEY=1234")),
        replace(one, cwd="/srv"),
        replace(one, uid=33),
        replace(one, stop_signal=2),
    ]
    assert digest not in {config_digest(other, ("/data",)) for other in others}
    assert config_digest(one, ()) != digest


def test_the_scenario_replaces_entry_point_user_directory_and_signal(tree: TreeIndex) -> None:
    workload = Workload(entrypoint=("./run",), user="web", workdir="/srv", stop_signal="HUP")
    config = resolve(tree, workload, Entrypoint=["server"], Cmd=["--slow"], User="root", WorkingDir="/")
    assert (config.argv, config.uid, config.cwd, config.stop_signal) == (("./run",), 33, "/srv", 1)


def test_an_empty_entry_point_leaves_the_command_alone(tree: TreeIndex) -> None:
    workload = Workload(entrypoint=(), command=("/bin/server", "-x"))
    assert resolve(tree, workload, Entrypoint=["other"]).argv == ("/bin/server", "-x")
    with pytest.raises(BuildError, match="has nothing to run"):
        resolve(tree, Workload(entrypoint=()), Entrypoint=["other"])


@pytest.mark.parametrize(
    ("test", "lacking"),
    [
        (["CMD", "/usr/bin/curl", "-f", "http://localhost"], "/usr/bin/curl"),
        (["CMD", "curl", "-f", "http://localhost"], "curl"),
        (["CMD", "server", "check"], None),
        # The shell itself, then what it is to run.
        (["CMD-SHELL", "true"], "/bin/sh"),
        (["NONE"], None),
    ],
)
def test_a_health_check_whose_program_is_missing_gets_a_sentence(
    tree: TreeIndex, test: list[str], lacking: str | None
) -> None:
    said = healthcheck_note(resolve(tree, Healthcheck={"Test": test}), tree)
    assert (said is None) == (lacking is None)
    assert lacking is None or f"HEALTHCHECK runs {lacking!r}, which is not in the image" in str(said)


def test_of_a_shell_command_a_path_is_looked_for(tmp_path: Path) -> None:
    index = index_of(tmp_path, folder("bin"), (member("bin/sh"), b""), (member("bin/server"), b""))
    for command, lacking in (
        ("/bin/server -c", None),
        ("curl -f http://localhost || exit 1", "curl"),
        ("/srv/check", "/srv/check"),
        ("test -f /x", None),
        ("$CHECK", None),
        (" ", None),
    ):
        said = healthcheck_note(resolve(index, Healthcheck={"Test": ["CMD-SHELL", command]}), index)
        assert (said is None) == (lacking is None)
        assert repr(lacking) in str(said)


def test_a_command_in_shell_form_without_a_shell(tree: TreeIndex) -> None:
    with pytest.raises(BuildError, match="'/bin/sh' is not in the image") as caught:
        resolve(tree, Cmd=["/bin/sh", "-c", "server"])
    assert "write it as a list" in caught.value.hint
