"""Instruction counts of real guests: two boots give the same count, whatever else the host does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

import pytest

from bench.image.build import build_image
from bench.image.model import Image
from bench.image.vm.kernel import find_guest_kernel
from bench.image.vm.raw_kernel import ensure_raw_kernel
from bench.instructions.boot import boot
from bench.instructions.guest import make_guest
from bench.instructions.model import SEED, UNTRIED
from bench.instructions.variation import Variation
from bench.run.cleanup import find_leftovers
from bench.scenario.model import LoadedScenario
from bench.util import proc
from tests.lab import Lab

DOCKERFILE: Final = """\
FROM boxbench/base-busybox:latest AS tools
FROM scratch
COPY --from=tools /usr/bin/busybox /bin/busybox
CMD ["/bin/busybox", "echo", "counted"]
"""


@pytest.fixture(scope="module")
def built(lab: Lab, make_scenario: Callable[..., LoadedScenario]) -> tuple[LoadedScenario, Image]:
    loaded = make_scenario(DOCKERFILE, name="icount")
    return loaded, build_image(lab.store, loaded, lambda _text: None)


@contextmanager
def _loaded_host() -> Iterator[None]:
    """Keep more processes busy than there are CPUs. They give way, so that what they disturb ends sooner."""
    burners = [proc.spawn(["nice", "-n", "15", "sh", "-c", "while :; do :; done"]) for _ in range(3)]
    try:
        yield
    finally:
        for burner in burners:
            proc.stop(burner)


def test_counts_are_the_same_on_an_idle_and_on_a_loaded_host(built: tuple[LoadedScenario, Image]) -> None:
    loaded, image = built
    vm, runc, other = (
        make_guest(target, image, loaded.scenario, variation=Variation(SEED, number), programs={})
        for target, number in (("microvm", 0), ("runc", 0), ("runc", 1))
    )
    # Unpacking the kernel is half of a start. Without it the count repeats as well, and the test takes half the time.
    vm = replace(vm, kernel=ensure_raw_kernel(find_guest_kernel()))
    with ThreadPoolExecutor(2) as pool:
        idle = list(pool.map(boot, (vm, runc, other)))
        with _loaded_host():
            busy = list(pool.map(boot, (vm, runc)))
    assert idle[:2] == busy
    assert [[start.name for start in run] for run in busy] == [["first"], ["first", "second"]]
    assert 10**8 < busy[0][0].clock < 10**11
    first, second, varied = (start.clock - start.waited for start in (*busy[1], idle[2][0]))
    # The second start finds its files in the caches.
    assert second < first
    # Neither pays for the kernel's random numbers, which take some 1,000 million instructions.
    assert first < 3 * second
    # Other random numbers and letters move it by less than what is assumed without trying.
    assert abs(varied / first - 1) < UNTRIED
    assert not [found for found in map(str, find_leftovers()) if "boxbench-count" in found]
