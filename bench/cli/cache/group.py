"""The commands of ``boxbench cache``."""

from __future__ import annotations

from typing import ClassVar, Final

from bench.cli.lazy import CommandEntry, LazyGroup, Panels, lazy_typer


class CacheGroup(LazyGroup):
    """The group of cache commands."""

    panels: ClassVar[Panels] = {
        "Commands": {
            "show": CommandEntry("bench.cli.cache.show:show", "Show what is in the cache, its size and last use."),
            "prune": CommandEntry("bench.cli.cache.prune:prune", "Remove by age, down to a size, or everything."),
        }
    }


cache: Final = lazy_typer(
    CacheGroup,
    name="cache",
    text="Show and prune what was prepared for boxes: images, disks, kernels, stores of private engines. All of it is "
    "made again when it is needed. (`boxbench clean` removes what dead runs left: containers, processes, mounts.)",
)
