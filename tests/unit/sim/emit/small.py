"""A small model, for tests of what is made from a model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.records.record import Endpoint
from bench.sim.model.file import Discrepancy, HostEntry, Model, Parameter, SourceEntry, TargetEntry, write_model

MS = 10**6
MIB = 2**20
DRAWS = 3

_UNITS = {"memory_fixed": "bytes", "memory_slope": "bytes", "growth": "ns"}


def make_target(endpoints: tuple[Endpoint, ...], numbers: dict[str, float], **changes: Any) -> TargetEntry:
    """A target of a model; ``numbers`` are its parameters by name."""
    fields: dict[str, Any] = {
        "endpoints": endpoints,
        "parameters": {
            name: Parameter(
                value=value,
                unit=_UNITS.get(name, "ns" if "." in name else "1"),  # type: ignore[arg-type]
                kind="measured",
                note="From made up cells.",
            )
            for name, value in numbers.items()
        },
        "measured": {"boxes": (1, 2, 4), "residents": (1, 3), "memory": (1, 2, 4)},
    }
    return TargetEntry(**{**fields, **changes})


def make_model(**changes: Any) -> Model:
    """A model of docker and an emulated VM; draw ``i`` has all times ``i`` tenths longer than the centre's."""
    targets = {
        "docker": make_target(
            (Endpoint.CREATED, Endpoint.INIT, Endpoint.READY),
            {
                "created.delay": 10 * MS,
                "init.hold_work": 20 * MS,
                "init.work": 40 * MS,
                "init.background": 30 * MS,
                "ready.work": 5 * MS,
                "block_sd": 0.1,
                "box_sd": 0.05,
                "memory_fixed": 60 * MIB,
                "memory_slope": 8 * MIB,
            },
        ),
        "libvirt/tcg": make_target(
            (Endpoint.VMM, Endpoint.KERNEL, Endpoint.READY),
            {"vmm.delay": 50 * MS, "kernel.work": 300 * MS, "ready.work": 900 * MS, "block_sd": 0.1, "box_sd": 0.02},
            measured={"boxes": (1, 2, 4)},
        ),
    }
    fields: dict[str, Any] = {
        "boxbench": "0.1.0",
        "workload": "sha256:abc",
        "sources": (SourceEntry(name="c0ffee42", digest="sha256:1", blocks=20, cells=("hello/docker",)),),
        "host": HostEntry(fingerprint="5f1d0c2ab877", cpus=2, memory_bytes=8 * 2**30, description="a made up host"),
        "targets": targets,
        "discrepancy": Discrepancy(log_sd_per_doubling=0.05, source="METHOD"),
        "weights": (0.25, 0.5, 0.25),
        "draws": {
            label: {
                name: tuple(one.value * (1 + (number - 1) * 0.1 * (one.unit == "ns")) for number in range(DRAWS))
                for name, one in target.parameters.items()
            }
            for label, target in targets.items()
        },
    }
    return Model(**{**fields, **changes})


def model_file(directory: Path, model: Model | None = None) -> Path:
    """The model's file in a directory."""
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / "model.json"
    write_model(file, model or make_model())
    return file
