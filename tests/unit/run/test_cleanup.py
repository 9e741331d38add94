"""What counts as left over: everything that is ours and dead, nothing of the living, nothing of other people."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import Any, Final

import pytest

from bench.engines.dockerd import box_containers
from bench.host import run_directory as rundir
from bench.host.cgroup import PARENT
from bench.host.mounts import Mount, unmount
from bench.host.run_directory import BOX_LABEL, LABEL, Tag, living_tags, new_tag, owned_dir, parse_tag
from bench.host.scratch import scratch
from bench.run import cleanup
from bench.run.cleanup import Leftover, cgroups, engines, files, find_leftovers, mounts, processes, remove_leftovers
from bench.run.cleanup.mounts import tag_of_mount
from bench.run.cleanup.places import Places, tag_of_group
from bench.util import cache
from bench.util.errors import TeardownError
from tests.needs import host_cannot
from tests.nesting import nested
from tests.unit.host.test_processes import fake

CAMPAIGN: Final = "boxbench-1a2b3c4d"
BOX: Final = f"{CAMPAIGN}-t0001"
RUN: Final = PurePosixPath("/run/boxbench")
PLACES: Final = Places(
    bases=(RUN, PurePosixPath("/cache/boxes")), channels=PurePosixPath("/boxbench"), hierarchies=(PurePosixPath("/"),)
)


@pytest.fixture(autouse=True)
def roots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Run root and boxes root of a host on which nothing else is: a test must never remove what others run here."""
    run = tmp_path / "run"
    monkeypatch.setattr(rundir, "run_root", lambda: run)
    monkeypatch.setenv("BOXBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(files, "LIBVIRT_LOGS", tmp_path / "logs")
    monkeypatch.setattr(files, "find_instances", lambda: ())
    monkeypatch.setattr(cgroups, "_points", lambda: [])
    monkeypatch.setattr(mounts, "read_mounts", lambda: ())
    for module in (processes, engines):
        monkeypatch.setattr(module, "command_lines", lambda: iter(()))
    return run, rundir.boxes_root()


def tags_of(
    root: Path,
    *argv: str,
    inside: str = "/",
    cgroup: str = "/",
    mounts: str = "",
    exe: str = "/usr/bin/sleep",
    uids: str = "0 0 0 0",
) -> set[Tag]:
    """The tags of a process whose entry in /proc says this."""
    fake(root, 77, *(argv or ("sleep", "9")), exe=exe, uids=uids)
    entry = root / "proc" / "77"
    (entry / "root").symlink_to(inside)
    (entry / "cgroup").write_text(f"4:memory:{cgroup}\n0::/\n")
    (entry / "mountinfo").write_text(mounts)
    return {tag for tag in processes.tags_of(77, list(argv), PLACES, root=root) if tag is not None}


def test_a_chrooted_process_is_found(tmp_path: Path) -> None:
    assert tags_of(tmp_path, inside=f"{RUN}/{CAMPAIGN}/{BOX}/root") == {parse_tag(BOX)}


def test_a_process_in_a_group_of_ours_is_found(tmp_path: Path) -> None:
    assert tags_of(tmp_path, cgroup=f"/boxbench/{BOX}/box", uids="1000 1000 1000 1000") == {parse_tag(BOX)}


def test_the_process_of_a_container_is_found_by_its_channel(tmp_path: Path) -> None:
    line = f"90 80 0:25 /boxbench/{CAMPAIGN}/{BOX}/ch /.boxbench/ch rw - tmpfs tmpfs rw\n"
    assert tags_of(tmp_path, mounts=line, uids="7 7 7 7") == {parse_tag(BOX)}


def test_a_service_that_sees_our_mounts_is_not_ours(tmp_path: Path) -> None:
    """Mounts spread into the namespaces of services, which must not be killed for that."""
    line = f"90 80 0:25 / /run/boxbench/{CAMPAIGN}/{BOX}/root rw - overlay {BOX} rw,upperdir=/x/{BOX}/upper\n"
    assert tags_of(tmp_path, mounts=line) == set()


@pytest.mark.parametrize(
    ("exe", "argv"),
    [
        ("/usr/bin/qemu-system-x86_64", ("qemu", "-name", f"guest={BOX},debug-threads=on", f"path={RUN}/{CAMPAIGN}/x")),
        ("/usr/bin/qemu-system-x86_64", ("qemu", "-name", f"guest={BOX}", f'{{"filename":"/cache/boxes/{BOX}/d"}}')),
        ("/usr/bin/podman", ("podman", "--root", f"/cache/boxes/{CAMPAIGN}-podman", "run", "--name", BOX)),
        ("/usr/sbin/runc", ("runc", "--root", f"{RUN}/{CAMPAIGN}/{BOX}/state", "run", BOX)),
        ("/usr/bin/docker-registry", ("docker-registry", "serve", f"{RUN}/{CAMPAIGN}-first0/registry/config.yml")),
        ("/usr/bin/docker", ("docker", "--host", f"unix://{RUN}/{CAMPAIGN}/dockerd/sock", "run")),
        ("/usr/bin/containerd-shim-runc-v2", ("shim", "-namespace", "boxbench", "-id", BOX)),
        ("/usr/bin/containerd-shim-runc-v2", ("shim", "-namespace", "moby", "-address", f"{RUN}/{CAMPAIGN}/s")),
    ],
)
def test_our_programs_outside_of_boxes_are_found(tmp_path: Path, exe: str, argv: tuple[str, ...]) -> None:
    assert {tag.owner for tag in tags_of(tmp_path / "ours", *argv, exe=exe)} == {CAMPAIGN}
    # Another user, or another program, with the same words.
    assert tags_of(tmp_path / "user", *argv, exe=exe, uids="1000 1000 1000 1000") == set()
    assert tags_of(tmp_path / "program", *argv, exe="/usr/bin/python3") == set()


@pytest.mark.parametrize(
    ("exe", "argv", "cgroup"),
    [
        ("/usr/bin/qemu-system-x86_64", ("qemu", "-name", "boxbench-dev"), "/"),
        ("/usr/bin/qemu-system-x86_64", ("qemu", "-drive", "file=/var/lib/libvirt/images/boxbench-dev.qcow2"), "/"),
        ("/usr/bin/qemu-system-x86_64", ("qemu", "-name", f"guest={BOX}", "-drive", "file=/srv/alice/disk"), "/"),
        ("/usr/bin/qemu-system-x86_64", ("qemu", "-name", "guest=boxbench-dev", f"{RUN}/{CAMPAIGN}/x"), "/"),
        ("/usr/bin/runner", ("Runner.Listener",), "/system.slice/actions.runner.boxbench-labs-repo.host1.service"),
        ("/usr/bin/exporter", ("exporter",), "/system.slice/boxbench-exporter.service"),
        ("/usr/bin/sleep", ("sleep",), f"/user.slice/boxbench/{BOX}"),
        ("/usr/bin/sleep", ("sleep",), "/boxbench"),
        ("/usr/bin/vi", ("vi", f"{RUN}/{CAMPAIGN}/{BOX}/box.conf"), "/"),
        ("/usr/bin/podman", ("podman", "run", "--name", BOX), "/"),
        ("/usr/bin/docker", ("docker", "run", "-v", "/home/boxbench-1a2b3c4d:/x"), "/"),
        ("/usr/bin/containerd-shim-runc-v2", ("shim", "-namespace", "moby", "-id", BOX), "/"),
    ],
)
def test_processes_of_other_people_are_not_found(tmp_path: Path, exe: str, argv: tuple[str, ...], cgroup: str) -> None:
    assert tags_of(tmp_path, *argv, exe=exe, cgroup=cgroup) == set()


def test_a_qemu_that_has_given_up_root_is_still_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "vmm_uids", lambda: frozenset((0, 64055)))
    exe, uids = "/usr/bin/qemu-system-x86_64", "64055 64055 64055 64055"
    argv = ("qemu", "-name", f"guest={BOX}", "-run-with", "user=64055:104", f"path={RUN}/{CAMPAIGN}/{BOX}/events")
    assert tags_of(tmp_path / "vm", *argv, exe=exe, uids=uids) == {parse_tag(BOX)}
    assert tags_of(tmp_path / "runc", "runc", f"{RUN}/{CAMPAIGN}", exe="/usr/sbin/runc", uids=uids) == set()


def test_libvirts_own_user_is_trusted_where_root_noted_the_pid(tmp_path: Path) -> None:
    argv = ("qemu", "-name", f"guest={BOX},debug-threads=on", f"path={RUN}/{CAMPAIGN}/{BOX}/events")
    exe, uids = "/usr/bin/qemu-system-x86_64", "64099 64099 64099 64099"
    noted = tmp_path / "ours" / "run" / "libvirt" / "qemu" / f"{BOX}.pid"
    noted.parent.mkdir(parents=True)
    noted.write_text("77")
    assert tags_of(tmp_path / "ours", *argv, exe=exe, uids=uids) == {parse_tag(BOX)}
    assert tags_of(tmp_path / "strangers", *argv, exe=exe, uids=uids) == set()


def test_a_process_that_ended_meanwhile_has_no_tags(tmp_path: Path) -> None:
    assert list(processes.tags_of(1, ["x"], PLACES, root=tmp_path)) == []


def test_a_program_cannot_draw_on_the_terminal() -> None:
    assert processes._shown(0, ["/bin/\x1b[31mred\u202e"]) == "?[31mred?"
    assert processes._shown(0, [""]) == "no command line"


def engine_words(top: Path | str, **changes: str) -> list[str]:
    words = {
        "--pidfile": f"{top}/{CAMPAIGN}/dockerd/pid",
        "--exec-root": f"{top}/{CAMPAIGN}/dockerd/exec",
        "--host": f"unix://{top}/{CAMPAIGN}/dockerd/sock",
    }
    words.update({f"--{name.replace('_', '-')}": value for name, value in changes.items()})
    return ["dockerd", *(word for pair in words.items() for word in pair)]


def test_a_private_engine_is_known_by_user_program_and_all_its_places(tmp_path: Path, roots: tuple[Path, Path]) -> None:
    run = roots[0]
    fake(tmp_path, 7, exe="/usr/sbin/dockerd")
    assert engines.tag_of_engine(7, engine_words(run), root=tmp_path) == parse_tag(CAMPAIGN)
    fresh = [word.replace(CAMPAIGN, f"{CAMPAIGN}-first0") for word in engine_words(run)]
    assert engines.tag_of_engine(7, fresh, root=tmp_path) == parse_tag(f"{CAMPAIGN}-first0")
    fake(tmp_path, 8, exe="/usr/bin/containerd")
    words = ["containerd", "--config", f"{run}/{CAMPAIGN}/containerd/config.toml"]
    assert engines.tag_of_engine(8, words, root=tmp_path) == parse_tag(CAMPAIGN)
    for pid, program in ((9, "libvirtd"), (10, "virtqemud")):
        fake(tmp_path, pid, exe=f"/opt/{program}")
        words = [program, "--config", f"{run}/{CAMPAIGN}/libvirt/etc/daemon.conf", "--pid-file"]
        assert engines.tag_of_engine(pid, [*words, f"{run}/{CAMPAIGN}/libvirt/pid"], root=tmp_path) == parse_tag(
            CAMPAIGN
        )
        assert engines.tag_of_engine(pid, [*words, "/run/libvirtd.pid"], root=tmp_path) is None


@pytest.mark.parametrize(
    "words",
    [
        ["dockerd", "boxbench-x", "--host", "unix:///var/run/docker.sock"],
        ["dockerd", BOX, "--host", "unix:///var/run/docker.sock"],
        ["dockerd", "--data-root", "/srv/boxbench-docker"],
        ["dockerd", CAMPAIGN, "--host"],
        ["dockerd", CAMPAIGN, "--host", "foo://x"],
        engine_words("/run/boxbench", host="unix:///var/run/docker.sock"),
        engine_words("/run/boxbench", host=f"unix:///run/boxbench/{CAMPAIGN}/../../docker.sock"),
        engine_words("/run/boxbench", pidfile="/var/run/docker.pid"),
        engine_words("/run/boxbench", exec_root="/run/boxbench/boxbench-00000000/dockerd/exec"),
        engine_words("/srv/alice/boxbench"),
    ],
)
def test_no_other_engine_is_ours(tmp_path: Path, words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rundir, "run_root", lambda: Path("/run/boxbench"))
    fake(tmp_path, 7, exe="/usr/sbin/dockerd")
    assert engines.tag_of_engine(7, words, root=tmp_path) is None


def test_the_words_alone_make_no_engine(tmp_path: Path, roots: tuple[Path, Path]) -> None:
    words = engine_words(roots[0])
    fake(tmp_path, 7, exe="/usr/bin/python3")  # exec -a dockerd python3 ...
    fake(tmp_path, 8, exe="/usr/sbin/dockerd", uids="1000 1000 1000 1000")
    assert [engines.tag_of_engine(pid, words, root=tmp_path) for pid in (7, 8, 9)] == [None] * 3


@pytest.mark.parametrize(
    ("path", "tag"),
    [
        (f"boxbench/{BOX}", BOX),
        (f"boxbench/{BOX}/inner", BOX),
        (f"{CAMPAIGN}/0123456789abcdef", CAMPAIGN),
        (f"machine/qemu-3-{BOX}.libvirt-qemu/emulator", BOX),
        (f"machine/qemu-embed-6fa00a21-3-{BOX}.libvirt-qemu/vcpu0", BOX),
        (r"machine.slice/machine-qemu\x2d3\x2dboxbench\x2d1a2b3c4d\x2dt0001.scope/libvirt", BOX),
        ("boxbench", None),
        ("boxbench/other", None),
        ("", None),
        (f"docker/{BOX}", None),
        (f"user.slice/boxbench/{BOX}", None),
        (rf"user.slice/user-{os.geteuid() + 1}.slice/user@1.service/machine-qemu\x2d3\x2d{BOX}.scope", None),
        (rf"user.slice/user-{os.geteuid()}.slice/user@1.service/machine-qemu\x2d3\x2d{BOX}.scope", BOX),
        ("boxbench-exporter.service", None),
        ("system.slice/actions.runner.boxbench-labs-repo.host1.service", None),
        ("machine/qemu-3-boxbench-dev.libvirt-qemu", None),
        (f"machine/qemu-3-{BOX}x.libvirt-qemu", None),
    ],
)
def test_control_groups_are_ours_by_place_and_full_name(path: str, tag: str | None) -> None:
    assert tag_of_group(PurePosixPath(path).parts) == (None if tag is None else parse_tag(tag))


def test_in_a_container_the_hierarchy_begins_at_its_own_group() -> None:
    inside = Places(bases=(), channels=RUN, hierarchies=(PurePosixPath("/docker/abc"),))
    assert inside.tag_of_group(f"/docker/abc/boxbench/{BOX}") == parse_tag(BOX)
    assert inside.tag_of_group(f"/boxbench/{BOX}") is None


@pytest.mark.parametrize(
    ("point", "tag"),
    [
        (f"/run/boxbench/{CAMPAIGN}/{BOX}/root", BOX),
        (f"/run/boxbench/{CAMPAIGN}/dockerd/exec/x", CAMPAIGN),
        (f"/cache/boxes/{CAMPAIGN}-podman/overlay", f"{CAMPAIGN}-podman"),
        (f"/run/containerd/io.containerd.runtime.v2.task/boxbench/{BOX}/rootfs", BOX),
        (f"/run/containerd/io.containerd.runtime.v2.task/moby/{BOX}/rootfs", None),
        ("/mnt/boxbench-data", None),
        (f"/mnt/{BOX}", None),
        (f"/run/boxbench/{CAMPAIGN}/../../mnt", None),
        ("/run/boxbench", None),
        ("/run/boxbench/boxbench-dev/x", None),
        ("/run/boxbench-exporter/x", None),
    ],
)
def test_mounts_are_ours_below_the_directories_of_boxes(point: str, tag: str | None) -> None:
    found = tag_of_mount(Mount("/", point, "overlay", ()), PLACES)
    assert found == (None if tag is None else parse_tag(tag))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_mount_in_a_directory_of_another_user_is_not_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any user may mount FUSE below a directory of their own, whatever its name is, and put a link in its place."""
    state = tmp_path / "state"
    point = state / f"io.containerd.runtime.v2.task/boxbench/{BOX}/rootfs"
    point.mkdir(parents=True)
    monkeypatch.setattr(mounts, "read_mounts", lambda: (Mount("/", str(point), "fuse", ()),))
    assert [leftover.name for leftover in find_leftovers(BOX) if leftover.kind == "mount"] == [str(point)]
    os.chown(state, 65534, 65534)
    assert not [leftover for leftover in find_leftovers(BOX) if leftover.kind == "mount"]


def _container(name: str, label: str | None, number: int) -> dict[str, Any]:
    labels = {LABEL: "1"} | ({} if label is None else {BOX_LABEL: label})
    return {"Id": f"id{number}", "Names": [f"/{name}"], "Labels": labels}


def test_a_container_is_ours_by_the_label_that_only_its_creation_sets() -> None:
    """Our images' label is handed down to every container that a user makes of them."""
    listed = [
        _container(BOX, BOX, 1),
        _container("boxbench-debug", None, 2),
        _container(BOX, None, 3),
        _container("boxbench-debug", BOX, 4),  # a user has committed a box and started the image
        _container("boxbench-debug", "boxbench-debug", 5),
    ]
    api = SimpleNamespace(containers=lambda **_: listed)
    client: Any = SimpleNamespace(api=api)
    assert box_containers(client) == {"id1": parse_tag(BOX)}


def directories(tag: str) -> list[Leftover]:
    return [leftover for leftover in find_leftovers(tag) if leftover.kind == "directory"]


def test_directories_are_found_inner_and_outer(roots: tuple[Path, Path]) -> None:
    run, boxes = roots
    (run / CAMPAIGN / BOX).mkdir(parents=True)
    (boxes / BOX).mkdir(parents=True)
    others = ("boxbench-other000", "boxbench-0badcafe", f"{CAMPAIGN}5", f"x{CAMPAIGN}")
    for name in others:
        (run / name).mkdir()
    found = directories(CAMPAIGN)
    assert {leftover.name for leftover in found} == {str(run / CAMPAIGN), str(run / CAMPAIGN / BOX), str(boxes / BOX)}
    # The inner one goes with the outer one, which is no failure.
    assert remove_leftovers(found) == ()
    assert sorted(path.name for path in run.iterdir()) == sorted(others)


def test_a_deep_tree_of_a_workload_is_removed(roots: tuple[Path, Path]) -> None:
    top = roots[1] / BOX
    top.mkdir()
    with nested(top):
        pass
    assert remove_leftovers(directories(CAMPAIGN)) == ()
    assert not top.exists()


def test_a_link_is_not_followed(roots: tuple[Path, Path], tmp_path: Path) -> None:
    run, _ = roots
    run.mkdir()
    (tmp_path / "precious").mkdir()
    (run / CAMPAIGN).symlink_to(tmp_path / "precious")
    assert directories(CAMPAIGN) == []


def test_the_living_are_spared(roots: tuple[Path, Path]) -> None:
    run, boxes = roots
    (boxes / BOX).mkdir(parents=True)
    names = {str(boxes / BOX), str(run / CAMPAIGN)}

    def found(tag: str) -> set[str]:
        return {leftover.name for leftover in directories(tag)} & names

    with owned_dir(run / CAMPAIGN):
        assert living_tags() == (CAMPAIGN,)
        assert found(LABEL) == set()
        assert found(CAMPAIGN) == names  # its own campaign may
    assert living_tags() == ()
    assert found(LABEL) == names


def test_a_directory_that_came_to_life_after_the_search_stays(roots: tuple[Path, Path]) -> None:
    path = roots[0] / new_tag("probe")
    with owned_dir(path):
        pass
    found = directories(LABEL)
    assert [leftover.name for leftover in found] == [str(path)]
    with owned_dir(path):
        assert remove_leftovers(found) == ()
        assert path.is_dir()
    assert remove_leftovers(found) == ()
    assert not path.exists()


def test_scratch_of_a_killed_process_is_found_and_that_of_a_living_one_is_not() -> None:
    dead = rundir.scratch_root() / new_tag("scratch")
    with owned_dir(dead):
        (dead / "tree.tar").write_bytes(b"x")
    with scratch() as alive:
        assert [leftover.name for leftover in directories(LABEL)] == [str(dead)]
        assert remove_leftovers(directories(LABEL)) == ()
        assert alive.is_dir()
    assert list(rundir.scratch_root().iterdir()) == []


def test_half_made_entries_are_found_when_nobody_makes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(path: Path) -> None:
        path.mkdir()
        (path / "half").write_bytes(b"x")
        os.link(path / "half", path.with_name(".other.0a0b0c0d"))  # an entry that somebody still makes
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(cache, "remove_tree", lambda _path: None)
        with pytest.raises(KeyboardInterrupt):
            cache.ensure("tree", "key", killed)
    directory = cache.cache_dir() / "tree"
    lock = os.open(directory / ".other.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX)
    (directory / "done").mkdir()
    (directory / ".hidden").touch()
    found = [leftover for leftover in find_leftovers() if leftover.kind == "half-made entry"]
    assert [Path(leftover.name).name[:5] for leftover in found] == [".key."]
    assert remove_leftovers(found) == ()
    assert {path.name for path in directory.iterdir()} == {
        *(".key.lock", ".other.lock", ".other.0a0b0c0d", "done", ".hidden")
    }
    os.close(lock)
    assert [leftover.kind for leftover in find_leftovers()] == ["half-made entry"]
    assert not [leftover for leftover in find_leftovers(CAMPAIGN) if leftover.kind == "half-made entry"]


def test_the_logs_that_libvirt_keeps_are_found_by_their_full_name(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    for name in (f"{BOX}.log", "boxbench-dev.log", f"{BOX}.txt", f"my-{BOX}.log"):
        (logs / name).touch()
    found = [leftover for leftover in find_leftovers(CAMPAIGN) if leftover.kind == "file"]
    assert [leftover.name for leftover in found] == [str(logs / f"{BOX}.log")]
    assert not [leftover for leftover in find_leftovers(BOX) if leftover.kind == "file"]  # not after every trial
    assert remove_leftovers(found) == ()
    assert len(list(logs.iterdir())) == 3


def test_our_parent_of_control_groups_goes_when_nobody_lives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroups, "_points", lambda: [tmp_path / "memory", tmp_path / "cpu"])
    (tmp_path / "memory" / PARENT / BOX / "inner").mkdir(parents=True)
    (tmp_path / "cpu" / PARENT / "somebodys").mkdir(parents=True)

    def found() -> list[str]:
        return [leftover.name for leftover in find_leftovers() if leftover.kind == "cgroup"]

    parent = tmp_path / "memory" / PARENT
    assert found() == [str(parent / BOX), str(parent)]
    with scratch():
        assert found() == [str(parent / BOX)]
    assert remove_leftovers(leftover for leftover in find_leftovers() if leftover.kind == "cgroup") == ()
    assert not parent.exists()
    assert (tmp_path / "cpu" / PARENT / "somebodys").is_dir()


def test_every_step_is_tried() -> None:
    gone: list[str] = []

    def fails() -> None:
        raise TeardownError("it hangs", hint="look")

    def breaks() -> None:
        raise RecursionError("too deep")

    found = (
        Leftover("process", "1 (x)", fails),
        Leftover("engine", "dockerd 2", breaks),
        Leftover("mount", "/x", lambda: gone.append("/x")),
    )
    assert remove_leftovers(found) == ("process 1 (x): it hangs (look)", "engine dockerd 2: RecursionError: too deep")
    assert gone == ["/x"]


def test_what_appears_during_the_removal_is_removed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tool that was starting a box when the search passed makes more before it is killed."""
    there = ["tool"]

    def end(name: str) -> None:
        there.remove(name)
        if name == "tool":
            there.append("box")

    def search(_tag: str) -> tuple[Leftover, ...]:
        return tuple(Leftover("process", name, lambda name=name: end(name)) for name in there)  # type: ignore[misc]

    said: list[str] = []
    monkeypatch.setattr(cleanup, "find_leftovers", search)
    assert cleanup.remove_all(CAMPAIGN, lambda leftover: said.append(str(leftover))) == ()
    assert (there, said) == ([], ["process tool", "process box"])


def test_what_cannot_be_removed_ends_the_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> None:
        raise TeardownError("it hangs", hint="look")

    said: list[Leftover] = []
    monkeypatch.setattr(cleanup, "find_leftovers", lambda _tag: (Leftover("process", "1 (x)", fails),))
    assert cleanup.remove_all(CAMPAIGN, said.append) == ("process 1 (x): it hangs (look)",)
    assert len(said) == 1


def test_what_is_gone_already_is_no_failure(tmp_path: Path) -> None:
    cgroups._remove(tmp_path / "gone")
    rundir.remove_abandoned(tmp_path / "gone")
    unmount(str(tmp_path / "not-mounted"))


_TRACEFS: Final = """
import os, subprocess, sys
from bench.host.mounts import read_mounts
from bench.host.run_directory import LABEL
from bench.run.cleanup import leftover, remove_leftovers
from bench.run.cleanup.mounts import find_mounts

theirs, ours = sys.argv[1:]
for source, point in (("tracefs", theirs), (LABEL, ours)):
    os.mkdir(point)
    subprocess.run(["mount", "-t", "tracefs", source, point], check=True)
for living in (("somebody",), ()):
    leftover.living_tags = lambda: living
    found = [one for one in find_mounts(leftover.Wanted()) if one.name in (theirs, ours)]
    print([one.name for one in found] == ([] if living else [ours]))
print(remove_leftovers(found) == () and theirs in {mount.point for mount in read_mounts()})
print(ours not in {mount.point for mount in read_mounts()})
"""


@pytest.mark.host
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
def test_a_tracefs_that_a_killed_anatomy_mounted_is_found_and_unmounted(tmp_path: Path) -> None:
    """Nobody else's is, and none while a campaign runs. In a mount namespace of its own: nobody here sees it."""
    if "tracefs" not in Path("/proc/filesystems").read_text():
        host_cannot("this kernel has no tracefs")
    points = [str(tmp_path / name) for name in ("theirs", "ours")]
    apart = ["unshare", "--mount", "--propagation", "private", sys.executable, "-c", _TRACEFS, *points]
    done = subprocess.run(apart, check=False, capture_output=True, text=True)
    assert (done.stdout.split(), done.stderr) == (["True"] * 4, "")
