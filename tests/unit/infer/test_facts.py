"""What is read from an image's configuration, which is somebody else's text."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.infer.facts import image_facts

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def test_all_parts() -> None:
    facts = image_facts(
        {
            "Entrypoint": ["/entry"],
            "Cmd": ["serve", "-v"],
            "ExposedPorts": {"8080/tcp": {}, "53/udp": {}, "80": {}},
            "Healthcheck": {"Test": ["CMD", "/check"]},
            "User": "app:app",
            "Volumes": {"/data": {}},
        },
        size_bytes=7,
    )
    assert facts.argv == ("/entry", "serve", "-v")
    assert facts.tcp == (80, 8080)
    assert facts.other_ports == ("53/udp",)
    assert facts.has_healthcheck
    assert (facts.user, facts.volumes, facts.size_bytes) == ("app:app", ("/data",), 7)


@pytest.mark.parametrize(
    ("exposed", "tcp"),
    [
        ({"8000-8002/tcp": {}}, (8000, 8001, 8002)),
        ({"0/tcp": {}, "65536/tcp": {}, "65535/TCP": {}}, (65535,)),
        ({"http": {}, "-1": {}, "": {}, "80/tcp ": {}}, (80,)),
        ({"9-3/tcp": {}}, ()),
        (None, ()),
        ("80/tcp", ()),
    ],
)
def test_exposed_ports(exposed: Any, tcp: tuple[int, ...]) -> None:
    assert image_facts({"ExposedPorts": exposed}, size_bytes=0).tcp == tcp


def test_a_range_of_all_ports_is_cut() -> None:
    assert len(image_facts({"ExposedPorts": {"1-65535": {}}}, size_bytes=0).tcp) < 1100


@pytest.mark.parametrize(
    ("healthcheck", "has"),
    [
        ({"Test": ["CMD-SHELL", "true"]}, True),
        ({"Test": ["NONE"]}, False),
        ({"Test": []}, False),
        ({"Interval": 3}, False),
        (None, False),
        ("curl", False),
    ],
)
def test_healthcheck(healthcheck: Any, has: bool) -> None:
    assert image_facts({"Healthcheck": healthcheck}, size_bytes=0).has_healthcheck is has


@given(st.dictionaries(st.sampled_from(["Entrypoint", "Cmd", "ExposedPorts", "Healthcheck", "User", "Volumes"]), JSON))
def test_no_configuration_is_an_error(config: dict[str, Any]) -> None:
    image_facts(config, size_bytes=0)
