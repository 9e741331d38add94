"""The certificate on real engines: boxes that are equal, boxes that were altered, and what a campaign does then."""

from __future__ import annotations

import json
import os
import random
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import pytest

from bench import targets
from bench.agent.channel import Channel
from bench.agent.timeline import Timeline
from bench.certificate.judge import refuse_unequal
from bench.host.run_directory import box_tag
from bench.image.archive import content_digest, read_index, tree_digest
from bench.image.build import build_image
from bench.image.model import Image
from bench.image.tree import ensure_tree_dir
from bench.image.vm import disk as disks
from bench.plan.trials import Cell, Trial
from bench.records.certificate import Certificate
from bench.records.manifest import MANIFEST, read_manifest
from bench.run.box import Setting
from bench.run.certify import FIRST_NUMBER, certify
from bench.run.cleanup import find_leftovers
from bench.run.inspect import NO_AGENT
from bench.run.prepare import Prepared
from bench.run.trial import run_trial
from bench.scenario.model import LoadedScenario, ReadyFirstLine, Resources
from bench.scenario.target_table import TARGETS, has_agent
from bench.targets.base import Order
from bench.util import cache
from bench.util.clock import MonotonicClock
from bench.util.errors import NotEqualError, NotReadyError
from tests.contract.test_target_contract import ASKED_FOR, WHOLE_SYSTEMS
from tests.lab import Lab, ProxiedTarget
from tests.live.command import Command, refused
from tests.needs import host_cannot, in_ci, need
from tests.waiting import LIMIT_S

CHEAP: Final = ("process", "docker")
THREE: Final = ("process", "docker", "libvirt")
NOTE: Final = "a note, to be altered by one byte"
DOCKERFILE: Final = r"""
FROM boxbench/base-busybox:latest AS tools
FROM scratch
COPY --from=tools /usr/bin/busybox /bin/busybox
COPY passwd group /etc/
COPY note /srv/note
COPY secret /srv/secret
COPY ["odd", "/srv/a b%c"]
COPY odd /srv/a/b
COPY odd /srv/a.b
COPY odd /srv/data/kept/odd
RUN ["/bin/busybox", "sh", "-c", "cd /srv && /bin/busybox ln note hard && /bin/busybox ln -s 'no where' link"]
RUN ["/bin/busybox", "mkfifo", "-m", "640", "/srv/fifo"]
RUN ["/bin/busybox", "chown", "1234:77", "/srv/fifo", "/srv/a/b", "/srv/data"]
RUN ["/bin/busybox", "chmod", "4711", "/srv/a.b"]
RUN ["/bin/busybox", "chmod", "600", "/srv/secret"]
ENV PATH=/bin PLAIN=one SPACED="two words" TRICKY="a=b;c%20d \$HOME 'q'" EMPTY=""
ENV UMLAUT="häß"
VOLUME /srv/data /srv/data/kept /volumes/missing
WORKDIR /srv
USER dora
ENTRYPOINT ["/bin/busybox", "sh", "-c"]
CMD ["echo ready; exec busybox sleep 1000"]
"""
FILES: Final = {
    "passwd": "root:x:0:0::/root:/bin/sh\ndora:x:1234:2345::/home/dora:/bin/sh\n",
    "group": "root:x:0:\ndora:x:2345:\nextra:x:77:dora\n",
    "note": NOTE,
    "secret": "for root only",
    "odd": "odd\n",
}

_NOT_SHARED: Final = ("inspection", "tree", "disk", "boxes", "docker", "scratch")

Alter = Callable[[Order], Order]


@dataclass
class Bench:
    """One scenario on some targets."""

    lab: Lab
    loaded: LoadedScenario
    image: Image

    def stage(self, names: tuple[str, ...], altered: Mapping[str, Alter] | None = None) -> Prepared:
        """As ``bench.run.prepare.prepare`` makes it, on the session's engines."""
        stage = Prepared(self.lab.campaign, self.lab.engines)
        for name in names:
            target = self.lab.target(name)
            target.prepare(self.image, self.loaded.scenario.resources, self.loaded.scenario.ready)
            cell = Cell(scenario=self.loaded.scenario.name, target=name, accel=target.accel)
            alter = (altered or {}).get(name)
            stage.settings[cell] = Setting(
                campaign=self.lab.campaign,
                scenario=self.loaded.scenario,
                image=self.image,
                target=ProxiedTarget(target, order=alter) if alter else target,
                cpus=(0,),
                clock=MonotonicClock(),
                daemons=target.daemons(),
            )
            stage.descriptions[cell.box] = target.describe()
        return stage

    def certify(
        self, names: tuple[str, ...], altered: Mapping[str, Alter] | None = None, *, fresh: bool = True
    ) -> Certificate:
        """The certificate of the scenario; nothing is left on the host."""
        scenario = self.loaded.scenario
        found = certify(self.stage(names, altered), [scenario], lambda _text: None, fresh=fresh)[scenario.name]
        tags = (box_tag(self.lab.campaign, f"t{FIRST_NUMBER + number}") for number in range(2 * len(names)))
        assert [str(left) for tag in tags for left in find_leftovers(tag)] == []
        return found

    def with_differs(self, **reasons: str) -> Bench:
        """The same with declared differences."""
        scenario = self.loaded.scenario.model_copy(update={"allowed_differences": reasons})
        return replace(self, loaded=self.loaded.model_copy(update={"scenario": scenario}))


@pytest.fixture(scope="session")
def bench(lab: Lab, make_scenario: Callable[..., LoadedScenario]) -> Bench:
    """An image with everything a digest must tell apart, run by a user who cannot read all of it."""
    # As much memory and time as the hungriest and the slowest target need.
    resources = Resources(cpus=1, memory=256 * 2**20, disk=64 * 2**20)
    ready = ReadyFirstLine(when="first-line", timeout=240 * 10**9)
    loaded = make_scenario(DOCKERFILE, name="certified", files=FILES, resources=resources, ready=ready)
    return Bench(lab, loaded, build_image(lab.store, loaded, lambda _text: None))


@pytest.fixture(scope="session")
def other(lab: Lab, make_scenario: Callable[..., LoadedScenario]) -> Image:
    """The same image with one other byte."""
    files = {**FILES, "note": NOTE.replace("altered", "altereD")}
    loaded = make_scenario(DOCKERFILE, name="altered", files=files)
    return build_image(lab.store, loaded, lambda _text: None)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks, trees and disks of altered boxes must not get into anybody's cache; all else is shared."""
    own, real = tmp_path / "cache", cache.cache_dir()
    own.mkdir()
    for entry in real.iterdir():
        if entry.is_dir() and entry.name not in _NOT_SHARED:
            (own / entry.name).symlink_to(entry)
    monkeypatch.setenv("BOXBENCH_CACHE", str(own))


def unequal(found: Certificate) -> list[str]:
    return [finding.fact for finding in found.findings if finding.status == "unequal"]


# Two boots of each whole system take minutes under emulation: as the contract, when asked for by name.
@pytest.mark.parametrize("name", sorted(set(TARGETS) - (WHOLE_SYSTEMS - ASKED_FOR)))
def test_every_target_gives_what_was_asked_for(bench: Bench, name: str) -> None:
    found = bench.certify((name,))
    if not has_agent(name):
        assert list(found.silent.values()) == [NO_AGENT]
        return
    refuse_unequal([found])
    (box,) = found.boxes
    digest = found.finding("digest")
    assert digest is not None
    assert digest.seen == {box: bench.image.digest}
    untold = [finding.fact for finding in found.findings if finding.must and finding.status != "equal"]
    assert untold in ([], ["memory"])
    unexplained = [finding.fact for finding in found.findings if "no known reason" in finding.why.values()]
    assert unexplained == []


def test_what_differs_between_targets_is_explained(bench: Bench) -> None:
    found = bench.certify(THREE)
    kernel = found.finding("kernel")
    assert kernel is not None
    assert kernel.why["libvirt/tcg"] == "a VM runs its own kernel"
    assert kernel.why["process"] == kernel.why["docker"]
    assert "no known reason" not in {why for finding in found.findings for why in finding.why.values()}


@pytest.mark.parametrize("name", THREE)
def test_one_byte_is_caught(bench: Bench, other: Image, name: str) -> None:
    def alter(order: Order) -> Order:
        image = replace(
            order.image, ref=other.ref, id=other.id, digest=other.digest, content=other.content, tree_tar=other.tree_tar
        )
        return replace(order, image=image)

    found = bench.certify(tuple({"process", name}), {name: alter})
    assert unequal(found) == ["digest"]
    with pytest.raises(NotEqualError, match=f"tree digest in {name}") as caught:
        refuse_unequal([found])
    assert other.digest[:12] in caught.value.message
    assert bench.image.digest[:12] in caught.value.message


@pytest.mark.parametrize("name", THREE)
def test_one_variable_is_caught(bench: Bench, name: str) -> None:
    def alter(order: Order) -> Order:
        config = replace(order.image.config, env=(*order.image.config.env, "EXTRA=1"))
        return replace(order, image=replace(order.image, config=config))

    found = bench.certify((name,), {name: alter})
    assert unequal(found) == ["env"]
    with pytest.raises(NotEqualError, match=r"is EXTRA=1, asked for no such variable"):
        refuse_unequal([found])


@pytest.mark.parametrize("name", THREE)
def test_one_more_cpu_is_caught(bench: Bench, name: str) -> None:
    cpus = tuple(sorted(os.sched_getaffinity(0))[:2])
    if len(cpus) < 2:
        host_cannot("there is one CPU")

    def alter(order: Order) -> Order:
        return replace(order, cpus=cpus, resources=order.resources.model_copy(update={"cpus": 2}))

    assert unequal(bench.certify((name,), {name: alter})) == ["cpus"]


@pytest.mark.parametrize("name", THREE)
def test_more_memory_is_caught(bench: Bench, name: str) -> None:
    def alter(order: Order) -> Order:
        return replace(order, resources=order.resources.model_copy(update={"memory": 264 * 2**20}))

    assert unequal(bench.certify((name,), {name: alter})) == ["memory"]


def test_other_user_directory_and_command_are_caught(bench: Bench) -> None:
    def alter(order: Order) -> Order:
        config = order.image.config
        config = replace(config, uid=0, gid=0, groups=(0,), cwd="/", argv=(*config.argv, "more"))
        return replace(order, image=replace(order.image, config=config))

    assert unequal(bench.certify(("process",), {"process": alter})) == ["argv", "uid", "gid", "groups", "cwd"]


def test_a_box_is_inspected_once_until_the_tree_is_touched(bench: Bench) -> None:
    if os.geteuid() != 0:
        need("needs root")
    said: list[str] = []
    stage = bench.stage(("process",))
    name = bench.loaded.scenario.name
    for _ in range(2):
        found = certify(stage, [bench.loaded.scenario], said.append)[name]
        assert found.equal
    assert said == [f"inspecting process of {name}"]
    tree = ensure_tree_dir(bench.image)
    note = tree / "srv/note"
    kept = note.stat()
    note.write_text(NOTE.replace("altered", "altereD"), encoding="utf-8")
    os.utime(note, ns=(kept.st_atime_ns, kept.st_mtime_ns))
    assert unequal(certify(stage, [bench.loaded.scenario], said.append)[name]) == ["digest"]
    assert len(said) == 2


def test_a_patched_disk_is_caught(bench: Bench) -> None:
    stage = bench.stage(("libvirt",))
    name, size = bench.loaded.scenario.name, bench.loaded.scenario.resources.disk
    assert certify(stage, [bench.loaded.scenario], lambda _text: None)[name].equal
    raw = disks.ensure_disk(bench.image, size).raw
    with raw.open("r+b") as file:
        file.seek(file.read().index(NOTE.encode()))
        file.write(b"A")
    assert unequal(certify(stage, [bench.loaded.scenario], lambda _text: None)[name]) == ["digest"]


def test_a_declared_digest_is_not_computed(bench: Bench) -> None:
    declared = bench.with_differs(digest="only to be quick")
    found = declared.certify(("process",))
    finding = found.finding("digest")
    assert finding is not None
    assert (finding.status, finding.seen) == ("declared", {"process": None})
    refuse_unequal([found])


def test_a_box_that_does_not_come_up_is_named(bench: Bench) -> None:
    def alter(order: Order) -> Order:
        config = replace(order.image.config, cwd="/no/such/directory")
        return replace(order, image=replace(order.image, config=config))

    with pytest.raises(NotReadyError, match="certified/process could not be inspected") as caught:
        bench.certify(("process",), {"process": alter})
    assert "/no/such/directory" in caught.value.message


def test_an_agent_that_cannot_digest_says_why(bench: Bench) -> None:
    cell, setting = next(iter(bench.stage(("process",)).settings.items()))
    errors: list[str] = []
    trial = Trial(number=FIRST_NUMBER, block=0, cell=cell, warmup=True)

    def ask(channel: Channel, timeline: Timeline) -> None:
        channel.send("digest" + " x" * 40)
        timeline.wait_for(timeline.failed, timeout_s=LIMIT_S)
        errors.extend(timeline.errors)

    run_trial(trial, replace(setting, after_ready=ask))
    assert errors == ["digest: /: Argument list too long"]


HASHED: Final = (0, 1, 3, 55, 56, 57, 63, 64, 65, 111, 119, 120, 127, 128, 129, 4096)
READ: Final = (16_383, 16_384, 16_385, 262_143, 262_144, 262_145, 999_999)
"""Sizes around the block of the hash, and around what the agent reads at once."""


def test_the_agents_digest_is_the_builds_for_any_content(bench: Bench, tmp_path: Path) -> None:
    """A tree of random contents, odd names, modes and owners, made as a tar and looked at in a process."""
    rng = random.Random(20)
    tar = tmp_path / "tree.tar"
    with tarfile.open(bench.image.tree_tar) as source, tarfile.open(tar, "w", format=tarfile.PAX_FORMAT) as out:
        for member in source:
            out.addfile(member, source.extractfile(member) if member.isreg() else None)
        for number, size in enumerate(HASHED + READ):
            content = tmp_path / "content"
            content.write_bytes(rng.randbytes(size))
            info = tarfile.TarInfo(f"srv/{number} %\xe4\n=\udcff{size}")
            info.size, info.mode = size, rng.randrange(0o10000)
            info.uid, info.gid = rng.randrange(2**31), rng.randrange(2**31)
            with content.open("rb") as stream:
                out.addfile(info, stream)
        # More entries than the agent looks at together, with directories among them.
        for name in ("srv/many", "srv/plain"):
            info = tarfile.TarInfo(name)
            info.type, info.mode = tarfile.DIRTYPE, 0o755
            out.addfile(info)
        for number in range(200):
            kind = (tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE)[number % 5]
            info = tarfile.TarInfo(f"srv/many/{number}")
            info.type, info.linkname, info.mode = kind, "0" if kind == tarfile.SYMTYPE else "", 0o755
            out.addfile(info)
            if kind == tarfile.DIRTYPE:
                out.addfile(tarfile.TarInfo(f"srv/many/{number}/below"))
        for number in range(70):
            out.addfile(tarfile.TarInfo(f"srv/plain/{number}"))
    digest = tree_digest(read_index(tar))
    unpacked = content_digest(read_index(tar))
    image = replace(bench.image, tree_tar=tar, digest=digest, content=unpacked, entries=None, block_bytes=None)
    # The agent of a guest reads files in another way.
    assert replace(bench, image=image).certify(("process", "libvirt")).equal


def test_certify_on_the_command_line(boxbench: Command) -> None:
    result = boxbench("certify", "hello", "-t", ",".join(CHEAP))
    assert result.returncode == 0, result.stderr
    assert "process and docker agree in 9 of 9 facts that must be equal" in " ".join(result.text.split())
    found = json.loads(boxbench("certify", "hello", "-t", "process", "--json").stdout)
    digest = next(f for f in found["hello"]["findings"] if f["fact"] == "digest")
    assert digest["status"] == "equal"
    assert digest["seen"] == {"process": digest["asked"]}


SITE: Final = """\
from dataclasses import replace
import bench.targets.launcher.process as module
class Altered(module.ProcessTarget):
    def provision(self, order):
        config = replace(order.image.config, env=(*order.image.config.env, "EXTRA=1"))
        return super().provision(replace(order, image=replace(order.image, config=config)))
module.ProcessTarget = Altered
"""


@pytest.fixture
def altering(tmp_path: Path) -> dict[str, str]:
    """An environment in which the process target of any boxbench gives one variable more."""
    (tmp_path / "sitecustomize.py").write_text(SITE, encoding="utf-8")
    return {"PYTHONPATH": os.pathsep.join(filter(None, (str(tmp_path), os.environ.get("PYTHONPATH"))))}


def test_an_unequal_campaign_is_refused(boxbench: Command, altering: dict[str, str]) -> None:
    before = boxbench.on_host()
    words = ("hello", "-t", ",".join(CHEAP), "-b", "1", "-o", "out")
    said = refused(boxbench("run", *words, env=altering), 1, "hello: the boxes are not equal", "EXTRA=1")
    assert "environment in process is EXTRA=1, asked for no such variable" in said
    assert "docker" not in said
    assert not (boxbench.cwd / "out").exists()
    refused(boxbench("certify", "hello", "-t", "process", env=altering), 1, "EXTRA=1")
    # Elsewhere somebody else may be at work on this host.
    assert not in_ci() or boxbench.on_host() - before == set()


def test_a_campaign_carries_its_certificate(boxbench: Command, altering: dict[str, str]) -> None:
    copy = boxbench.cwd / "mine"
    copy.mkdir()
    source = Path(targets.__file__).parents[2] / "scenarios/hello"
    text = (source / "scenario.yaml").read_text(encoding="utf-8")
    (copy / "scenario.yaml").write_text(
        text + "allowed_differences: {env: one variable more for a test}\n", encoding="utf-8"
    )
    (copy / "Dockerfile").write_bytes((source / "Dockerfile").read_bytes())
    result = boxbench("run", "mine", "-t", ",".join(CHEAP), "-b", "1", "-o", "out", env=altering)
    assert result.returncode == 0, result.stderr
    out = boxbench.cwd / "out"
    certificate = read_manifest(out).certificates["hello"]
    finding = certificate.finding("env")
    assert finding is not None
    assert finding.status == "declared"
    words = "declared different: environment (one variable more for a test)"
    assert words in " ".join(result.text.split())
    assert words in (out / "report.md").read_text(encoding="utf-8")
    assert words in (out / "index.html").read_text(encoding="utf-8")
    assert "certificates" in json.loads((out / MANIFEST).read_text(encoding="utf-8"))
