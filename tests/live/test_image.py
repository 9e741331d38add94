"""Images on a real engine: build, export, disk, kernel, and a boot of the result."""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import docker
import pytest

from bench.agent.boxconf import AGENT_IN_BOX, CHANNEL_IN_BOX, decode_word, render_boxconf
from bench.agent.compile import agent_binary
from bench.image.archive import read_index
from bench.image.build import build_image
from bench.image.model import GuestKernel, Image
from bench.image.stores.docker import DockerStore
from bench.image.tree import ensure_tree_dir
from bench.image.vm import disk as disks
from bench.image.vm.initramfs import ensure_initramfs, with_conf
from bench.image.vm.kernel import find_guest_kernel
from bench.scenario.model import LoadedScenario, load_scenario
from bench.util import proc
from bench.util.errors import BuildError, HostUnfitError
from tests.needs import need
from tests.waiting import LIMIT_S

SCENARIOS = Path(__file__).parents[2] / "scenarios"
BOOT_LIMIT_S = 120.0
BUSYBOX = """\
FROM boxbench/base-busybox:latest AS tools
FROM scratch
COPY --from=tools /usr/bin/busybox /bin/busybox
CMD ["/bin/busybox", "true"]
"""


def built(client: docker.DockerClient, name: str) -> tuple[LoadedScenario, Image]:
    loaded = load_scenario(SCENARIOS / name)
    return loaded, build_image(DockerStore(client), loaded, lambda _: None)


@pytest.fixture(scope="session")
def hello(docker_client: docker.DockerClient) -> tuple[LoadedScenario, Image]:
    return built(docker_client, "hello")


@pytest.fixture(scope="session")
def web(docker_client: docker.DockerClient) -> tuple[LoadedScenario, Image]:
    return built(docker_client, "web")


@pytest.fixture(scope="session")
def kernel() -> GuestKernel:
    try:
        return find_guest_kernel()
    except HostUnfitError as error:
        need(error.message)
        raise


def made_scenario(tmp_path: Path, dockerfile: str, **changes: object) -> LoadedScenario:
    """The scenario hello with another Dockerfile."""
    loaded = load_scenario(SCENARIOS / "hello")
    (tmp_path / "Dockerfile").write_text(dockerfile)
    scenario = loaded.scenario.model_copy(update={"name": f"made-{secrets.token_hex(3)}", **changes})
    return LoadedScenario(scenario=scenario, directory=tmp_path, text="")


def test_hello_is_small_and_runs_busybox(hello: tuple[LoadedScenario, Image]) -> None:
    _, image = hello
    assert image.config.argv[0] == "/bin/busybox"
    assert image.sizes_bytes["unpacked"] < 8 * 2**20
    assert len(image.digest) == 64


def test_web_runs_as_its_user(web: tuple[LoadedScenario, Image]) -> None:
    _, image = web
    assert (image.config.user, image.config.cwd) == ("www-data", "/srv")
    assert image.config.uid == image.config.gid != 0
    assert read_index(image.tree_tar).read("/srv/www/index.html")


def test_building_again_gives_the_same(docker_client: docker.DockerClient, hello: tuple[LoadedScenario, Image]) -> None:
    assert built(docker_client, "hello")[1] == hello[1]


def test_nothing_is_left_in_the_engine(docker_client: docker.DockerClient, hello: tuple[LoadedScenario, Image]) -> None:
    names = [container.name for container in docker_client.containers.list(all=True)]
    assert not [name for name in names if name and name.startswith("boxbench-export")]


def test_tree_keeps_owners_and_has_devices(web: tuple[LoadedScenario, Image]) -> None:
    if os.geteuid() != 0:
        need("needs root")
    tree = ensure_tree_dir(web[1])
    assert (tree / "srv/run").stat().st_uid == web[1].config.uid
    assert (tree / "dev/null").is_char_device()
    assert os.access(tree / AGENT_IN_BOX.lstrip("/"), os.X_OK)
    assert (tree / CHANNEL_IN_BOX.lstrip("/")).is_dir()
    assert tree.parent.stat().st_mode & 0o077 == 0


def test_an_empty_directory_of_one_image_is_not_in_another(docker_client: docker.DockerClient, tmp_path: Path) -> None:
    """An empty /tmp is not part of the digest, but a workload may need it, so it must not be shared or lost."""
    without, at_tmp = (
        build_image(DockerStore(docker_client), made_scenario(tmp_path, dockerfile), lambda _: None)
        for dockerfile in (BUSYBOX, f"{BUSYBOX}WORKDIR /tmp\n")
    )
    assert without.digest == at_tmp.digest
    assert not (ensure_tree_dir(without) / "tmp").exists()
    assert (ensure_tree_dir(at_tmp) / "tmp").is_dir()
    assert disks.ensure_disk(without, 64 * 2**20).raw != disks.ensure_disk(at_tmp, 64 * 2**20).raw


def test_disk_is_clean_and_keeps_owners(web: tuple[LoadedScenario, Image]) -> None:
    loaded, image = web
    disk = disks.ensure_disk(image, loaded.scenario.resources.disk)
    assert disk.logical_bytes == loaded.scenario.resources.disk
    assert image.sizes_bytes["unpacked"] <= disk.allocated_bytes < image.sizes_bytes["unpacked"] * 1.5
    checked = proc.run([proc.require_tool("e2fsck", package="e2fsprogs"), "-fn", disk.raw], timeout_s=60)
    assert checked.returncode == 0
    debugfs = proc.require_tool("debugfs", package="e2fsprogs")
    about = proc.run([debugfs, "-R", "stat /srv/run", disk.raw], timeout_s=60).text
    assert f"User: {image.config.uid:5}" in about


def test_disk_is_the_same_every_time(
    hello: tuple[LoadedScenario, Image], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = []
    for name in ("one", "two"):
        monkeypatch.setenv("BOXBENCH_CACHE", str(tmp_path / name))
        contents.append(disks.ensure_disk(hello[1], 64 * 2**20).raw.read_bytes())
    assert contents[0] == contents[1]


def test_overlay_is_small_and_has_its_base(hello: tuple[LoadedScenario, Image], tmp_path: Path) -> None:
    disk = disks.ensure_disk(hello[1], 64 * 2**20)
    overlay = tmp_path / "overlay.qcow2"
    disks.new_overlay(disk, overlay)
    assert overlay.read_bytes() == disk.overlay_template.read_bytes()
    assert overlay.stat().st_blocks * 512 < 64 * 1024
    qemu_img = proc.require_tool("qemu-img", package="qemu-utils")
    info = proc.run([qemu_img, "info", "--backing-chain", overlay], timeout_s=30).text
    assert str(disk.raw) in info


def test_the_error_for_a_small_disk_has_the_size_that_is_needed(web: tuple[LoadedScenario, Image]) -> None:
    with pytest.raises(BuildError, match=r"64\.0 MiB cannot hold its tree, which needs about \d+"):
        disks.ensure_disk(web[1], 64 * 2**20)


@pytest.mark.parametrize(("buildkit", "step"), [("1", r"\[2/2\] RUN .* \(Dockerfile:2\)"), ("0", "Step 2/3")])
def test_a_failing_step_is_named(
    docker_client: docker.DockerClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, buildkit: str, step: str
) -> None:
    monkeypatch.setenv("DOCKER_BUILDKIT", buildkit)
    dockerfile = 'FROM boxbench/base-busybox:latest\nRUN ["/usr/bin/busybox", "sh", "-c", "echo sorry; exit 9"]\n'
    loaded = made_scenario(tmp_path, dockerfile)
    lines: list[str] = []
    with pytest.raises(BuildError, match=step) as caught:
        build_image(DockerStore(docker_client), loaded, lines.append)
    assert "sorry" in caught.value.message
    assert "sorry" in map(str.strip, lines)


def test_a_command_that_is_not_in_the_image_is_named(docker_client: docker.DockerClient, tmp_path: Path) -> None:
    dockerfile = 'FROM boxbench/base-busybox:latest\nCMD ["/bin/nginx"]\n'
    with pytest.raises(BuildError, match="'/bin/nginx' is not in the image"):
        build_image(DockerStore(docker_client), made_scenario(tmp_path, dockerfile), lambda _: None)


@contextmanager
def channel(directory: Path, conf: bytes) -> Iterator[int]:
    """A channel directory with FIFOs that every user of the box may open; yields the descriptor of the events."""
    directory.mkdir()
    directory.chmod(0o755)
    for name in ("events", "commands"):
        os.mkfifo(directory / name)
        (directory / name).chmod(0o666)
    (directory / "box.conf").write_bytes(conf)
    events = os.open(directory / "events", os.O_RDWR)
    commands = os.open(directory / "commands", os.O_RDWR)
    try:
        yield events
    finally:
        os.close(events)
        os.close(commands)


def lines_until(descriptor: int, last: str) -> list[str]:
    """The agent's lines up to the first that starts with ``last``."""
    text = ""
    deadline = time.monotonic() + BOOT_LIMIT_S
    while not any(line.startswith(last) for line in text.split("\n")[:-1]):
        assert time.monotonic() < deadline, text
        chunk = os.read(descriptor, 65536).decode("ascii")
        assert chunk, f"the channel was closed after: {text}"
        text += chunk
    return text.split("\n")[:-1]


def marks(lines: list[str]) -> list[str]:
    return [line.split(" ")[2] for line in lines if line.startswith("BB1 mark")]


def test_web_answers_in_docker(
    docker_client: docker.DockerClient, web: tuple[LoadedScenario, Image], tmp_path: Path
) -> None:
    loaded, image = web
    with channel(tmp_path / "ch", render_boxconf(image.config, loaded.scenario.ready)) as events:
        container = docker_client.containers.create(
            image.ref,
            entrypoint=[AGENT_IN_BOX],
            command=["run", "--inherit", CHANNEL_IN_BOX],
            network_mode="none",
            volumes={str(tmp_path / "ch"): {"bind": CHANNEL_IN_BOX, "mode": "rw"}},
        )
        try:
            container.start()
            lines = lines_until(events, "BB1 mark replied")
            container.stop(timeout=round(LIMIT_S))
            assert container.wait()["StatusCode"] == 0
        finally:
            container.remove(force=True)
    assert marks(lines) == ["init", "exec", "listening", "ready", "replied"]


def boot(kernel: GuestKernel, initrd: Path, overlay: Path, memory_mib: int, stop_after: str) -> tuple[list[str], str]:
    """Boot under TCG, stop the box after a line with this start, and return the agent's lines and stdout."""
    work = initrd.parent
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(work / "events"))
        listener.listen(1)
        listener.settimeout(BOOT_LIMIT_S)
        process = proc.spawn(qemu_words(kernel, initrd, overlay, memory_mib))
        try:
            connection, _ = listener.accept()
            with connection:
                lines = lines_until(connection.fileno(), stop_after)
                connection.sendall(b"facts\n")
                lines += lines_until(connection.fileno(), "BB1 facts-end")
                connection.sendall(b"stop\n")
                lines += lines_until(connection.fileno(), "BB1 exit")
            assert process.wait(BOOT_LIMIT_S) == 0
        finally:
            proc.stop(process)
    return lines, (work / "stdout").read_text(encoding="utf-8")


def qemu_words(kernel: GuestKernel, initrd: Path, overlay: Path, memory_mib: int) -> list[str]:
    work = initrd.parent
    qemu = proc.require_tool("qemu-system-x86_64", package="qemu-system-x86")
    ports = []
    for name, backend in (
        ("events", f"socket,path={work}/events"),
        ("stdout", f"file,path={work}/stdout"),
        ("stderr", f"file,path={work}/stderr"),
    ):
        ports += ["-chardev", f"{backend},id={name}"]
        ports += ["-device", f"virtserialport,chardev={name},name=boxbench.{name}"]
    machine = "-nodefaults -no-user-config -no-reboot -display none -M q35 -accel tcg -cpu qemu64"
    return [
        *(qemu, *machine.split(), "-m", str(memory_mib), "-kernel", str(kernel.image), "-initrd", str(initrd)),
        *("-append", "quiet panic=-1", "-drive", f"id=disk,if=none,format=qcow2,file={overlay}"),
        *("-device", "virtio-blk-pci,drive=disk", "-device", "virtio-serial-pci", *ports),
    ]


def boot_scenario(
    pair: tuple[LoadedScenario, Image], kernel: GuestKernel, work: Path, last: str
) -> tuple[list[str], str]:
    loaded, image = pair
    resources = loaded.scenario.resources
    disks.new_overlay(disks.ensure_disk(image, resources.disk), work / "overlay.qcow2")
    conf = render_boxconf(image.config, loaded.scenario.ready, root="/dev/vda ext4", poweroff="acpi")
    with_conf(ensure_initramfs(kernel, agent_binary()), conf, work / "initrd")
    return boot(kernel, work / "initrd", work / "overlay.qcow2", resources.memory // 2**20, last)


def facts_of(lines: list[str]) -> dict[str, str]:
    pairs = (line.split(" ", 3)[2:] for line in lines if line.startswith("BB1 fact "))
    return {key: decode_word(value) for key, value in pairs}


def test_hello_boots_in_a_vm(hello: tuple[LoadedScenario, Image], kernel: GuestKernel, tmp_path: Path) -> None:
    lines, stdout = boot_scenario(hello, kernel, tmp_path, "BB1 mark ready")
    assert marks(lines) == ["init", "root", "exec", "ready"]
    assert lines[-1].startswith("BB1 exit 143 15 ")
    assert stdout == "hello from the box\n"
    facts = facts_of(lines)
    assert facts["kernel"] == kernel.release
    assert facts["hostname"] == "boxbench"
    assert (facts["cpus"], facts["pid"], facts["cgroup_version"]) == ("1", "1", "2")


def test_web_boots_in_a_vm_as_in_a_container(
    web: tuple[LoadedScenario, Image], kernel: GuestKernel, tmp_path: Path
) -> None:
    lines, _ = boot_scenario(web, kernel, tmp_path, "BB1 mark replied")
    assert marks(lines) == ["init", "root", "exec", "listening", "ready", "replied"]
    config = web[1].config
    facts = facts_of(lines)
    assert (int(facts["uid"]), int(facts["gid"]), facts["cwd"]) == (config.uid, config.gid, config.cwd)
    assert {f"{key[4:]}={value}" for key, value in facts.items() if key.startswith("env.")} == set(config.env)


def test_a_directory_that_does_not_exist_is_an_error_in_a_vm(
    hello: tuple[LoadedScenario, Image], kernel: GuestKernel, tmp_path: Path
) -> None:
    broken = replace(hello[1].config, cwd="/no/such/place")
    disks.new_overlay(disks.ensure_disk(hello[1], 64 * 2**20), tmp_path / "overlay.qcow2")
    with_conf(
        ensure_initramfs(kernel, agent_binary()),
        render_boxconf(broken, None, root="/dev/vda ext4"),
        tmp_path / "initrd",
    )
    with pytest.raises(AssertionError, match="error chdir%20/no/such/place"):
        boot(kernel, tmp_path / "initrd", tmp_path / "overlay.qcow2", 128, "BB1 mark ready")
