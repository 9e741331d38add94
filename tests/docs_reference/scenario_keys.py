"""The page of all keys of a scenario file, made from its JSON Schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from bench.scenario.fields import FORMS, VALUE_NAME
from bench.scenario.schema import scenario_schema
from tests.docs_reference.markdown import code, page, shown, table

_MOST_NAMES: Final = 8
_PLURALS: Final = {"minLength": "at least {} characters", "maxLength": "at most {} characters"}
_SINGLE: Final = {"minItems": "not empty", "uniqueItems": "each once"}
_WORDS: Final = {"integer": "whole number", "number": "number", "boolean": "true or false", "null": ""}
_INTRO: Final = (
    "[Scenarios](scenario.md) explains them with examples. A size has a unit: B, KiB, MiB, GiB, kB, MB or GB; it is at "
    "most 1048576GiB. A duration has one, too: ns, us, ms, s, min, h or d; it is at most 10080min, and more than 0 "
    "unless its default is 0. A key that is not listed is refused."
)
Part = Mapping[str, Any]


def text() -> str:
    """The page."""
    schema = scenario_schema()
    top = ("## The file", "", *_table("", schema, schema))
    return page("Keys of a scenario", (_INTRO, ""), top, *(_sections(name, schema) for name in schema["properties"]))


def _sections(name: str, schema: Part) -> Iterator[str]:
    """A section for each object below a key of the file."""
    key = schema["properties"][name]
    yield from _below(name, key, schema)


def _below(path: str, key: Part, schema: Part) -> Iterator[str]:
    choices = key.get("oneOf", ())
    for one in choices or _objects(key):
        part = _part(one, schema)
        kind = part["properties"].get("when", {}).get("const")
        yield from (f"## {path}" + (f": {kind}" if kind else ""), "", shown(part["description"]), "")
        yield from _table("" if choices else f"{path}.", part, schema)
        for name, inner in part["properties"].items():
            yield from _below(f"{path}.{name}", inner, schema)


def _objects(key: Part) -> Iterator[Part]:
    """The references to objects in a key: itself, a choice, or what stands under a name."""
    for one in (key, *key.get("anyOf", ())):
        if "$ref" in one:
            yield one
        if "$ref" in _named(one):
            yield _named(one)


def _named(key: Part) -> Part:
    """What stands under each name of an object whose names are free; empty for others."""
    found = next(iter(key.get("patternProperties", {}).values()), key.get("additionalProperties"))
    return found if isinstance(found, dict) else {}


def _part(reference: Part, schema: Part) -> Part:
    found: Part = schema["$defs"][reference["$ref"].rpartition("/")[2]]
    return found


def _table(prefix: str, part: Part, schema: Part) -> Iterator[str]:
    required = part.get("required", ())
    rows = (
        (
            code(prefix + name),
            _type(key, schema),
            "required" if name in required else _default(key),
            _limits(key),
            shown(key.get("description", "")) + _many(key),
        )
        for name, key in part["properties"].items()
        if "const" not in key
    )
    return table(("key", "type", "default", "limits", "meaning"), rows)


def _many(key: Part) -> str:
    """The names of a key that has so many that they would fill the column of types; empty for others."""
    found = next((one for one in _within(key) if len(one.get("enum", ())) > _MOST_NAMES), None)
    return "" if found is None else f" Names: {', '.join(map(code, found['enum']))}."


def _within(key: Part) -> Iterator[Part]:
    for one in (key, *key.get("anyOf", ())):
        yield from (one, one.get("items", {}), one.get("propertyNames", {}))


def _type(key: Part, schema: Part) -> str:
    if "enum" in key:
        few = len(key["enum"]) <= _MOST_NAMES
        return ", ".join(code(str(one)) for one in key["enum"]) if few else "names"
    if "anyOf" in key:
        kinds = [kind for one in key["anyOf"] if (kind := _type(one, schema))]
        return " or ".join("list of them" if kind == f"list of {kinds[0]}" else kind for kind in kinds)
    if "$ref" in key or "oneOf" in key:
        return "keys, see below"
    if key.get("type") == "array":
        return f"list of {_type(key.get('items', {'type': 'string'}), schema)}"
    if key.get("type") == "object":
        inner = _named(key)
        return f"by name: {_type(inner, schema)}" if inner else "keys"
    return _word(key)


def _word(key: Part) -> str:
    if key.get("type") != "string":
        return _WORDS[key["type"]]
    kinds = {"[bB]": "size", "bit/s": "bandwidth", "|min|": "duration"}
    return next((kind for unit, kind in kinds.items() if unit in key.get("pattern", "")), "text")


def _default(key: Part) -> str:
    if "default" not in key:
        return ""  # The keys below it have theirs.
    value = key["default"]
    if isinstance(value, list):
        return ", ".join(code(str(one)) for one in value) or "none"
    if isinstance(value, bool):
        return code(str(value).lower())
    return "none" if value in (None, {}, "") else code(str(value))


def _limits(key: Part) -> str:
    """What the values of a key must keep, in words."""
    one = next((one for one in (key, *key.get("anyOf", ())) if one.get("type") not in {None, "null"}), key)
    inner = one.get("items", {})
    found = [_range(one) or _range(inner), *_lengths(one), *(text for name, text in _SINGLE.items() if one.get(name))]
    form = FORMS.get(one.get("pattern", ""), "")
    if VALUE_NAME in (one.get("pattern"), next(iter(one.get("patternProperties", ())), None)):
        form = FORMS[VALUE_NAME]
    return shown(", ".join(filter(None, [*found, form])))


def _range(one: Part) -> str:
    least, most, above = one.get("minimum"), one.get("maximum"), one.get("exclusiveMinimum")
    if least is not None and most is not None:
        return f"{least} to {most}"
    if above is not None:
        return f"more than {above}"
    return f"at least {least}" if least is not None else ""


def _lengths(one: Part) -> Iterator[str]:
    for name, words in _PLURALS.items():
        if one.get(name, 0) > (1 if name == "minLength" else 0):
            yield words.format(one[name])
    if one.get("minLength") == 1:
        yield "not empty"
