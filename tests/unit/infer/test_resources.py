"""Memory, disk and CPUs from the size of an image, from what it used, and from the host."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.infer.resources import GIB, MIB, infer_sizes

HOST = 16 * GIB


@pytest.mark.parametrize(
    ("size", "anon", "host", "memory", "words"),
    [
        (5 * MIB, None, HOST, 256 * MIB, "a VM needs some for its kernel"),
        (600 * MIB, None, HOST, 512 * MIB, "the image has 600 MiB"),
        (3 * GIB, None, HOST, GIB, "the image has 3.00 GiB"),
        (5 * MIB, 10 * MIB, HOST, 256 * MIB, "a VM needs some"),
        (5 * MIB, 300 * MIB, HOST, GIB, "it used 300 MiB when it was tried"),
        (3 * GIB, 300 * MIB, HOST, GIB, "the image has"),
        (3 * GIB, 3 * GIB, 4 * GIB, 2 * GIB, "half of this host's; 8GiB were better"),
        (5 * MIB, None, 0, 256 * MIB, "a VM needs some"),
    ],
)
def test_memory(size: int, anon: int | None, host: int, memory: int, words: str) -> None:
    sizes = infer_sizes(size, anon_bytes=anon, host_bytes=host)
    assert sizes.memory == memory
    assert words in sizes.why["memory"].sentence
    assert "--memory" in sizes.why["memory"].sentence


@given(
    size=st.integers(0, 100 * GIB), anon=st.none() | st.integers(0, 100 * GIB), host=st.integers(512 * MIB, 1000 * GIB)
)
def test_bounds(size: int, anon: int | None, host: int) -> None:
    sizes = infer_sizes(size, anon_bytes=anon, host_bytes=host)
    assert 128 * MIB <= sizes.memory <= max(256 * MIB, host // 2)
    assert sizes.memory % MIB == 0
    assert sizes.disk >= max(2 * GIB, size + GIB // 2)
    assert sizes.cpus == 1
    assert set(sizes.why) == {"cpus", "memory", "disk"}
