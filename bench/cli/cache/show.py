"""``boxbench cache show``."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from bench.cache.ceiling import ceiling
from bench.cache.contents import read_contents
from bench.cache.stores import read_stores
from bench.cli.console import console, print_json
from bench.cli.options import Json
from bench.render.commands.cache import cache_json, cache_table
from bench.util.cache import cache_dir


def show(
    entries: Annotated[bool, typer.Option("--entries", help="List every entry and image.")] = False,
    json: Json = False,
) -> None:
    """Sizes are what files occupy on the disk. A private engine that does not run is started to list its images."""
    most_bytes = ceiling()
    contents = read_contents(cache_dir())
    stores = read_stores(contents)
    if json:
        print_json(cache_json(contents, stores, most_bytes=most_bytes))
        return
    console().print(cache_table(contents, stores, most_bytes=most_bytes, now_ns=time.time_ns(), every=entries))
