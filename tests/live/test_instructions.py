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
from bench.instructions.model import SEED
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
    return loaded, build_image(lab.client, loaded, lambda _text: None)


@contextmanager
def _loaded_host() -> Iterator[None]:
    """Keep more processes busy than there are CPUs."""
    burners = [proc.spawn(["sh", "-c", "while :; do :; done"]) for _ in range(3)]
    try:
        yield
    finally:
        for burner in burners:
            proc.stop(burner)


def test_a_vm_counts_the_same_on_an_idle_and_on_a_loaded_host(built: tuple[LoadedScenario, Image]) -> None:
    loaded, image = built
    guest = make_guest("microvm", image, loaded.scenario, seed=SEED, programs={})
    # Unpacking the kernel is half of a start. Without it the count repeats as well, and the test takes half the time.
    guest = replace(guest, kernel=ensure_raw_kernel(find_guest_kernel()))
    idle = boot(guest)
    with _loaded_host():
        busy = boot(guest)
    assert idle == busy
    assert [start.name for start in idle] == ["first"]
    assert 10**8 < idle[0].clock < 10**11


def test_runc_counts_the_same_in_two_guests(built: tuple[LoadedScenario, Image]) -> None:
    loaded, image = built
    guest = make_guest("runc", image, loaded.scenario, seed=SEED, programs={})
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(boot, (guest, guest))
    assert one == other
    assert [start.name for start in one] == ["first", "second"]
    # The second start finds its files in the caches.
    assert one[1].clock - one[1].waited < one[0].clock - one[0].waited
    assert not [found for found in map(str, find_leftovers()) if "boxbench-count" in found]
