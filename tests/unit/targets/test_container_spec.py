"""What we ask container runtimes for: bundles, options, layer names, the words of tools."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from bench.engines.containerd import chain_id
from bench.engines.runtimes import RUNSC_FLAGS, engine_settings
from bench.host.cgroup import parents_for_runtimes
from bench.scenario.target_table import TARGETS
from bench.targets.containers.gvisor import GvisorTarget, gofers_of
from bench.targets.containers.oci import CAPABILITIES, Contents, oci_config, write_bundle
from bench.targets.launcher.namespaces import NamespacesTarget, cgroup_mounts
from bench.targets.smoke_test import tool_message
from bench.targets.table import target_class
from bench.util.errors import UsageError

V1 = (
    "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"
    "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
    "33 31 0:30 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
    "34 31 0:31 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n"
)
HYBRID = f"{V1}41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
V2 = "41 31 0:38 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"


@pytest.fixture
def host(tmp_path: Path) -> Path:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "sys/fs/cgroup/memory").mkdir(parents=True)
    return tmp_path


def config(host: Path, mounts: str, **changes: Any) -> dict[str, Any]:
    (host / "proc/self/mountinfo").write_text(mounts, encoding="ascii")
    contents = Contents(argv=("/agent", "run"), root="/r", memory_bytes=2**20, cpus=(1, 3), cgroup="/b/t", **changes)
    return oci_config(contents, host)


def test_limits_and_place_of_the_group(host: Path) -> None:
    linux = config(host, HYBRID)["linux"]
    assert linux["cgroupsPath"] == "/b/t"
    assert linux["resources"]["cpu"] == {"cpus": "1,3"}
    assert linux["resources"]["memory"] == {"limit": 2**20}


def test_swap_is_limited_where_it_is_accounted(host: Path) -> None:
    (host / "sys/fs/cgroup/memory/memory.memsw.limit_in_bytes").touch()
    assert config(host, HYBRID)["linux"]["resources"]["memory"]["swap"] == 2**20
    (host / "sys/fs/cgroup/memory/memory.memsw.limit_in_bytes").unlink()
    assert config(host, V2)["linux"]["resources"]["memory"]["swap"] == 2**20


def test_a_control_group_namespace_on_version_2_only_as_docker_has_it(host: Path) -> None:
    names = {mounts: {one["type"] for one in config(host, mounts)["linux"]["namespaces"]} for mounts in (HYBRID, V2)}
    assert names[V2] - names[HYBRID] == {"cgroup"}
    assert names[HYBRID] == {"pid", "network", "ipc", "uts", "mount"}


def test_only_root_starts_with_capabilities_in_force(host: Path) -> None:
    of_root = config(host, V2)["process"]["capabilities"]
    of_user = config(host, V2, uid=1234, groups=(7,))["process"]
    assert set(of_root["effective"]) == set(CAPABILITIES) == set(of_user["capabilities"]["bounding"])
    assert of_user["capabilities"]["effective"] == of_user["capabilities"]["permitted"] == []
    assert of_user["user"] == {"uid": 1234, "gid": 0, "additionalGids": [7]}
    assert "CAP_SYS_ADMIN" not in of_root["bounding"]


def test_a_bundle_is_json_with_its_binds(tmp_path: Path) -> None:
    write_bundle(tmp_path / "bundle", Contents(argv=("/agent",), root="/r", binds={"/host/ch": "/box/ch"}))
    written = json.loads((tmp_path / "bundle/config.json").read_text(encoding="utf-8"))
    bind = written["mounts"][-1]
    assert (bind["source"], bind["destination"], bind["type"]) == ("/host/ch", "/box/ch", "bind")
    assert written["process"]["terminal"] is False


def test_device_nodes_in_volumes_do_not_work() -> None:
    contents = Contents(argv=("/agent",), root="/r", binds={"/host/ch": "/box/ch"}, volumes={Path("/v/0"): "/data"})
    bind, volume = oci_config(contents)["mounts"][-2:]
    assert "nodev" not in bind["options"]
    assert (volume["source"], volume["destination"], volume["options"]) == (
        "/v/0",
        "/data",
        ["rbind", "rprivate", "nodev"],
    )


@pytest.mark.parametrize(
    ("mounts", "expected"),
    [
        (HYBRID, ["cpu,cpuacct:cpu,cpuacct", "cpuset:cpuset", "systemd:name=systemd"]),
        (V2, [".:"]),
        ("", []),
    ],
)
def test_what_a_box_of_namespaces_mounts_of_control_groups(host: Path, mounts: str, expected: list[str]) -> None:
    (host / "proc/self/mountinfo").write_text(mounts, encoding="ascii")
    assert cgroup_mounts(host) == expected


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"root": "pivot", "mount": False}, "replace the host's root"),
        ({"user": True, "net": False}, "net is off"),
        ({"user": True, "net": False, "pid": False}, "pid, net is off"),
        ({"cgroup": "no"}, "cannot be 'no'"),
        ({"time": True}, "no option 'time'"),
    ],
)
def test_namespaces_that_cannot_be_together(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        NamespacesTarget(options, None, accel="auto")  # type: ignore[arg-type]


def test_what_is_left_out_of_the_namespaces_is_said() -> None:
    target = NamespacesTarget({"mount": False, "net": False}, None, accel="auto")  # type: ignore[arg-type]
    words = target.describe()
    assert words["isolation"].startswith("namespaces: pid, uts, ipc, cgroup; chroot")
    assert words["network"] == "the host's"


def test_gvisor_has_its_platform_in_the_command_line() -> None:
    target = GvisorTarget({"platform": "ptrace"}, None, accel="auto")  # type: ignore[arg-type]
    assert target.runtime.flags == ("--platform=ptrace", *RUNSC_FLAGS)
    with pytest.raises(UsageError, match="cannot be 'kvm'"):
        GvisorTarget({"platform": "kvm"}, None, accel="auto")  # type: ignore[arg-type]


def test_the_file_server_of_a_box_is_found_by_its_bundle(tmp_path: Path) -> None:
    lines = {
        "10": "runsc-gofer\0--root=/x\0gofer\0--bundle=/run/t0001/bundle\0",
        "11": "runsc-sandbox\0boot\0--bundle=/run/t0001/bundle\0",
        "12": "runsc-gofer\0gofer\0--bundle=/run/t0002/bundle\0",
        "13": "cat\0--bundle=/run/t0001/bundle\0",
        "self": "runsc-gofer\0--bundle=/run/t0001/bundle\0",
    }
    for pid, text in lines.items():
        (tmp_path / pid).mkdir()
        (tmp_path / pid / "cmdline").write_bytes(text.encode())
    (tmp_path / "14").mkdir()  # ended meanwhile
    assert gofers_of("t0001", proc_root=tmp_path) == (10,)


def test_the_name_of_a_stack_of_layers() -> None:
    """By the definition in the image specification, step by step."""
    first, second, third = (f"sha256:{hashlib.sha256(name).hexdigest()}" for name in (b"a", b"b", b"c"))
    two = "sha256:" + hashlib.sha256(f"{first} {second}".encode()).hexdigest()
    assert chain_id([first]) == first
    assert chain_id([first, second]) == two
    assert chain_id([first, second, third]) == "sha256:" + hashlib.sha256(f"{two} {third}".encode()).hexdigest()


@pytest.mark.parametrize(
    ("said", "word"),
    [
        (b"cgroups in hybrid mode not supported\n", "cgroups in hybrid mode not supported"),
        (b'time="x" level=warning msg="old"\nError: no\n', "Error: no"),
        (b'Error: no\ntime="x" level=warning msg="old"\n\n', "Error: no"),
        (b'time="x" level=warning msg="old"\n', 'time="x" level=warning msg="old"'),
        (b'time="x" level=error msg="no \\"a\\" here"\n', 'no "a" here'),
        (
            b'time="x" level=fatal msg="nsexec: busy"\ntime="x" level=error msg="child gone"\n',
            "nsexec: busy; child gone",
        ),
        (b"", "it printed nothing"),
        (b"\xff\xfe\n", "\ufffd\ufffd"),
    ],
)
def test_what_a_tool_says_is_wrong(said: bytes, word: str) -> None:
    assert tool_message(said) == word


def test_an_endless_complaint_is_cut() -> None:
    assert len(tool_message(b"x" * 10_000)) == 300


def test_parents_of_groups_are_usable_and_go_again(host: Path) -> None:
    (host / "proc/self/mountinfo").write_text(HYBRID, encoding="ascii")
    cpuset = host / "sys/fs/cgroup/cpuset"
    for name in ("cpu,cpuacct", "cpuset", "systemd", "unified"):
        (host / "sys/fs/cgroup" / name).mkdir()
    for name in ("cpuset.cpus", "cpuset.mems"):
        (cpuset / name).write_text("0-1\n", encoding="ascii")
    with parents_for_runtimes("tag", root=host):
        assert (cpuset / "boxbench/tag/cpuset.cpus").read_text(encoding="ascii") == "0-1\n"
        assert (host / "sys/fs/cgroup/systemd/boxbench/tag").is_dir()
        (host / "sys/fs/cgroup/systemd/boxbench/tag/conmon").mkdir()
    assert not (host / "sys/fs/cgroup/systemd/boxbench").exists()


def test_an_error_inside_is_not_taken_for_one_of_control_groups(host: Path) -> None:
    (host / "proc/self/mountinfo").write_text("", encoding="ascii")
    with pytest.raises(FileNotFoundError), parents_for_runtimes(root=host):
        (host / "not there").read_text(encoding="ascii")


def test_a_private_engine_is_told_of_the_runtimes_that_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runsc = tmp_path / "runsc"
    runsc.write_text("", encoding="ascii")
    runsc.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("bench.util.proc.SBIN", str(tmp_path))
    assert engine_settings() == {"runtimes": {"runsc": {"path": str(runsc), "runtimeArgs": list(RUNSC_FLAGS)}}}
    runsc.unlink()
    assert engine_settings() == {}


def test_every_target_of_the_table_exists_and_is_explained() -> None:
    assert all(info.summary for info in TARGETS.values())
    assert {target_class(name).name for name in TARGETS} == set(TARGETS)
