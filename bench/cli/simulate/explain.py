"""``boxbench simulate explain``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.console import console, print_json
from bench.cli.options import Json
from bench.cli.simulate.options import answer_directory, this_command
from bench.render.commands.model import model_json, view_explained, write_model_page
from bench.sim.model.file import model_digest, read_model
from bench.sim.model.schema import model_schema
from bench.util.errors import UsageError

ModelFile = Annotated[
    Path | None,
    typer.Argument(metavar="MODEL", help="A model, as `boxbench simulate fit` wrote it.", show_default=False),
]
PageOut = Annotated[
    Path | None,
    typer.Option(
        "--out",
        "-o",
        metavar="DIR",
        parser=answer_directory,
        help="Also write index.html, figures/ and explained.json into DIR.",
        show_default=False,
    ),
]
Schema = Annotated[bool, typer.Option("--schema", help="Print the JSON Schema of model files instead.")]


def explain(model: ModelFile = None, out: PageOut = None, schema: Schema = False, json: Json = False) -> None:
    """Every parameter with its band, its source, how far the data narrowed it, and what the data could not decide."""
    if schema:
        print_json(model_schema())
        return
    if model is None:
        raise UsageError("no model was named", hint="name a model.json, as in `boxbench simulate explain model.json`")
    found = read_model(model)
    page = None if out is None else write_model_page(found, out, command=this_command())
    if json:
        print_json(model_json(found))
        return
    console().print(view_explained(found, model_digest(found)))
    if page is not None:
        print(f"page: {page}")
