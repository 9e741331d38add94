"""How long boxes of an image with 100,000 files take to prepare, by step, from an empty cache.

The tree is like that of a big node_modules: small files, hard links, deep directories. One boot each of process, docker
and libvirt is run, so the times of the whole run have the inspections and the boots too.

``--code DIR`` measures another checkout of Boxbench with the same image, for a comparison of versions. Run it on an
otherwise idle machine: ``nox -s preparation``. CPU time and bytes can be compared on a busy one, with care.

Another version runs with an empty cache of its own, and removes from the host what has the tag of its own campaign. If
it fails and leaves a mount in that cache, the files behind the mount are not removed: the benchmark ends with an error
that names the mount.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import resource
import string
import sys
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from bench.records.manifest import MANIFEST
from bench.util import proc
from bench.util.tree import remove_tree
from bench.util.units import format_bytes, format_ns

FILES: Final = 100_000
TARGETS: Final = "process,docker,libvirt"
LIMIT_S: Final = 3600.0
DOCKERFILE: Final = """\
FROM boxbench/base-busybox:latest
ADD tree.tar /
CMD ["/usr/bin/busybox", "echo", "hello"]
"""
SCENARIO: Final = """\
question: How long does the preparation of so many files take?
name: many-files
workload:
  base: {tag: "boxbench/base-busybox:latest", packages: [busybox-static], variant: extract}
  build: {network: none}
ready: {when: first-line, timeout: 90s}
resources: {cpus: 1, memory: 256MiB, disk: 2GiB}
targets: [process, docker, libvirt]
baseline: docker
design: {blocks: 1, warmups: 0, settle: 20ms}
"""


def write_tree(path: Path, files: int, seed: int = 1) -> None:
    """Write a tar of packages inside packages: 4 KiB a file on average, 1 % hard links, 1 % symbolic links."""
    rng = random.Random(seed)
    words = ["".join(rng.choices(string.ascii_lowercase, k=rng.randint(2, 12))) for _ in range(4000)]
    text = " ".join(rng.choices([*words, "return", "const", "=>", "{", "};\n"], k=600_000)).encode()
    made = 0
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        for package in range(files):
            place = f"app/node_modules/package-{package:05d}"
            place += "".join(f"/node_modules/needed-{rng.randrange(10_000):04d}" for _ in range(rng.choice((0, 1, 8))))
            for below in ("", "/lib", "/dist/esm"):
                for number in range(min(rng.randint(2, 14), files - made)):
                    size = min(400_000, int(rng.lognormvariate(7.1, 1.4)))
                    start = rng.randrange(len(text) - size)
                    _add(archive, f"{place}{below}/file-{number}.js", text[start : start + size])
                    made += 1
                if made < files and rng.random() < 0.1:
                    kind = rng.choice((tarfile.LNKTYPE, tarfile.SYMTYPE))
                    target = f"{place}{below}/file-0.js" if kind == tarfile.LNKTYPE else "file-0.js"
                    _add(archive, f"{place}{below}/link", kind=kind, target=target)
            if made >= files:
                return


def _add(
    archive: tarfile.TarFile, name: str, content: bytes = b"", *, kind: bytes = tarfile.REGTYPE, target: str = ""
) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.type, member.linkname = len(content), 0o644, kind, target
    archive.addfile(member, io.BytesIO(content))


def measure(scenario: Path, out: Path, *, code: Path, cache: Path) -> dict[str, Any]:
    """Run a campaign with one checkout and one cache. Returns wall and CPU time, ns, bytes written, and the steps."""
    before, begun_ns = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic_ns()
    proc.run(
        [sys.executable, "-m", "bench.cli", "run", scenario, "-t", TARGETS, "-o", out, "--seed", "1"],
        timeout_s=LIMIT_S,
        cwd=code,
        env={"PYTHONPATH": str(code), "BOXBENCH_CACHE": str(cache)},
    )
    after, took_ns = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic_ns() - begun_ns
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    manifest = json.loads((out / MANIFEST).read_bytes())
    return {
        "took_ns": took_ns,
        "cpu_ns": round(cpu_s * 1e9),
        "written_bytes": (after.ru_oublock - before.ru_oublock) * 512,
        "preparation": manifest["sittings"][0].get("preparation"),
    }


def show(title: str, found: dict[str, Any]) -> None:
    """Print one measurement."""
    print(f"{title}: {format_ns(found['took_ns'])}, CPU time {format_ns(found['cpu_ns'])}", end="")
    print(f", {format_bytes(found['written_bytes'])} written")
    preparation = found["preparation"]
    if preparation is None:
        print("  this version does not record its preparation")
        return
    print(f"  preparation {format_ns(preparation['took_ns'])}")
    for one in preparation["steps"]:
        size = "" if one["bytes"] is None else f"  {format_bytes(one['bytes'])}"
        print(f"  {one['name']:<16}{format_ns(one['took_ns']):>10}{size}")


def main() -> int:
    """Measure an empty cache, then the same campaign again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=FILES)
    parser.add_argument("--code", type=Path, default=Path.cwd(), help="a checkout of boxbench")
    arguments = parser.parse_args()
    place = Path(tempfile.mkdtemp(prefix="preparation-"))
    try:
        (cache := place / "cache").mkdir(mode=0o700)
        # A classic builder gets all files of the scenario's directory.
        (scenario := place / "many-files").mkdir()
        write_tree(scenario / "tree.tar", arguments.files)
        (scenario / "Dockerfile").write_text(DOCKERFILE, encoding="utf-8")
        (scenario / "scenario.yaml").write_text(SCENARIO, encoding="utf-8")
        os.sync()
        for title in ("empty cache", "again"):
            out = place / title.replace(" ", "-")
            show(title, measure(scenario / "scenario.yaml", out, code=arguments.code.resolve(), cache=cache))
    finally:
        remove_tree(place)
    return 0


if __name__ == "__main__":
    sys.exit(main())
