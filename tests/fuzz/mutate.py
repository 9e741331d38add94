"""Ways to damage a valid input. All chance comes from the ``Random`` that is handed in."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Final

from tests.fuzz.reader import Mutate

MOST_BYTES: Final = 256 * 1024
_MOST_REPEATED: Final = 5000

TOKENS: Final = tuple(
    text.encode("utf-8", "surrogatepass")
    for text in (
        "\0",
        "\x1b[31m",
        "\x7f",
        "\x85",
        "\u2028",
        "\u202e",
        "\ud800",
        "\ufeff",
        "²",
        "٣",
        "𝟗",
        "\U0010ffff",
        "-",
        "-1",
        "0",
        "1e400",
        "1e-400",
        "NaN",
        "-Infinity",
        "0x10",
        "1_0",
        "18446744073709551616",
        "9" * 30,
        "9" * 400,
        "9" * 5000,
        "0." + "3" * 400,
        "null",
        "true",
        "[]",
        "{}",
        '""',
        "[" * 3000,
        "{" * 3000,
        "(" * 200,
        "%",
        "%00",
        "%0A",
        "%zz",
        "..",
        "/../..",
        "\r",
        "\n",
        "\r\n",
        "\n\n",
        "\t",
        " ",
        ",",
        ":",
        "=",
        "'",
        '"',
        "#",
        "\\",
        "\\134",
        "\\777",
        "&a [*a]",
        "!!binary x",
        "!!set {a}",
        "2026-99-99",
        "2026-11-27",
        "::error::x",
        "##[error]x",
        "<script>alert(1)</script>",
        "](http://x)",
        "[bold]",
        "{{ 1 }}",
        "${{ x }}",
        "__class__",
        "inf",
        "1970-01-01T00:00:00+51:30",
    )
)
"""Texts at which readers have stumbled before, here or elsewhere."""

_NUMBERS: Final[tuple[Any, ...]] = (
    -1,
    0,
    1,
    2,
    255,
    2**31,
    2**32,
    2**53 + 1,
    2**63 - 1,
    2**63,
    2**64,
    -(2**63) - 1,
    10**30,
    10**400,
    0.0,
    -0.0,
    0.5,
    1e-320,
    1e18,
    1e308,
    float("inf"),
    float("-inf"),
    float("nan"),
)
_VALUES: Final[tuple[Any, ...]] = (
    *_NUMBERS,
    None,
    True,
    False,
    "",
    [],
    {},
    [[]],
    {"": {}},
    [1, "x"],
    {"x": 1},
    "x" * 3000,
)


def text(rng: Random, seeds: Sequence[bytes]) -> bytes:
    """A seed with some places changed: bytes, pieces, lines, tokens."""
    data = bytearray(rng.choice(seeds))
    for _ in range(_few(rng)):
        rng.choice(_EDITS)(rng, data, seeds)
    del data[MOST_BYTES:]
    return bytes(data)


def lines(rng: Random, seeds: Sequence[bytes]) -> bytes:
    """A seed with lines dropped, repeated, exchanged or taken from other seeds, and some of them damaged."""
    rows = rng.choice(seeds).split(b"\n")
    for _ in range(_few(rng)):
        at = rng.randrange(len(rows))
        match rng.randrange(5):
            case 0:
                rows.insert(at, rng.choice(rng.choice(seeds).split(b"\n")))
            case 1:
                rows.insert(at, rows[rng.randrange(len(rows))])
            case 2 if len(rows) > 1:
                del rows[at]
            case 3:
                other = rng.randrange(len(rows))
                rows[at], rows[other] = rows[other], rows[at]
            case _:
                rows[at] = text(rng, [rows[at]])
    return b"\n".join(rows)[:MOST_BYTES]


def structure(rng: Random, seeds: Sequence[bytes]) -> bytes:
    """A JSON seed whose values, keys and items are changed, so that it stays well-formed."""
    document = json.loads(rng.choice(seeds))
    for _ in range(_few(rng)):
        document = _changed(rng, document)
    return json.dumps(document, ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")


def records(rng: Random, seeds: Sequence[bytes]) -> bytes:
    """A seed of JSON lines, one of which gets another structure, or with lines damaged."""
    if rng.random() < 0.3:
        return lines(rng, seeds)
    rows = rng.choice(seeds).split(b"\n")
    for _ in range(_few(rng)):
        at = rng.randrange(len(rows))
        if rows[at].strip():
            rows[at] = _structured_or_text(rng, rows[at])
    return b"\n".join(rows)[:MOST_BYTES]


def _structured_or_text(rng: Random, row: bytes) -> bytes:
    try:
        return structure(rng, [row])
    except (ValueError, RecursionError):
        return text(rng, [row])


def mixed(*ways: Mutate) -> Mutate:
    """One of several ways, each equally often."""

    def mutate(rng: Random, seeds: Sequence[bytes]) -> bytes:
        way = rng.choice(ways)
        try:
            return way(rng, seeds)
        except (ValueError, RecursionError):
            # A seed that an earlier input became is not well-formed any more.
            return text(rng, seeds)

    return mutate


def _few(rng: Random) -> int:
    """1 most often, seldom more than 5."""
    count = 1
    while count < 12 and rng.random() < 0.45:
        count += 1
    return count


def _span(rng: Random, data: bytearray) -> tuple[int, int]:
    begin = rng.randint(0, len(data))
    size = rng.choice((1, 2, 4, 8, 16, 64, 512))
    return begin, min(len(data), begin + rng.randint(0, size))


Edit = Callable[[Random, bytearray, Sequence[bytes]], None]


def _flip(rng: Random, data: bytearray, _seeds: Sequence[bytes]) -> None:
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _set(rng: Random, data: bytearray, _seeds: Sequence[bytes]) -> None:
    if data:
        data[rng.randrange(len(data))] = rng.choice(
            (0, 1, 9, 10, 13, 32, 37, 45, 48, 57, 127, 128, 255, rng.randrange(256))
        )


def _delete(rng: Random, data: bytearray, _seeds: Sequence[bytes]) -> None:
    begin, end = _span(rng, data)
    del data[begin:end]


def _cut(rng: Random, data: bytearray, _seeds: Sequence[bytes]) -> None:
    del data[rng.randint(0, len(data)) :]


def _insert(rng: Random, data: bytearray, _seeds: Sequence[bytes]) -> None:
    at = rng.randint(0, len(data))
    data[at:at] = rng.randbytes(rng.choice((1, 2, 4, 8, 32)))


def _token(rng: Random, data: bytearray, _seeds: Sequence[bytes]) -> None:
    begin, end = _span(rng, data)
    data[begin : end if rng.random() < 0.5 else begin] = rng.choice(TOKENS)


def _number(rng: Random, data: bytearray, _seeds: Sequence[bytes]) -> None:
    """Replace a run of digits."""
    digits = [at for at, byte in enumerate(data[:4096]) if 48 <= byte < 58]
    if digits:
        begin = end = rng.choice(digits)
        while end < len(data) and 48 <= data[end] < 58:
            end += 1
        data[begin:end] = json.dumps(rng.choice(_NUMBERS)).encode()


def _repeat(rng: Random, data: bytearray, _seeds: Sequence[bytes]) -> None:
    begin, end = _span(rng, data)
    times = rng.choice((2, 3, 10, 100, 1000))
    data[begin:end] = (data[begin:end] * times)[: _MOST_REPEATED + end - begin]


def _splice(rng: Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    other = bytearray(rng.choice(seeds))
    begin, end = _span(rng, other)
    at = rng.randint(0, len(data))
    data[at:at] = other[begin:end]


def _blend(rng: Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    """The beginning of one seed and the end of another."""
    other = rng.choice(seeds)
    del data[rng.randint(0, len(data)) :]
    data += other[rng.randint(0, len(other)) :]


_EDITS: Final[tuple[Edit, ...]] = (
    _flip,
    _set,
    _delete,
    _cut,
    _insert,
    _token,
    _token,
    _number,
    _repeat,
    _splice,
    _blend,
)


def _changed(rng: Random, document: Any) -> Any:
    """The document with one change at a random place."""
    parent, key = _place(rng, document)
    if parent is None:
        return rng.choice(_VALUES) if rng.random() < 0.2 else document
    match rng.randrange(8):
        case 0:
            del parent[key]
        case 1 if isinstance(parent, dict):
            parent[_word(rng)] = parent.pop(key) if rng.random() < 0.5 else _value(rng)
        case 1 | 2 if isinstance(parent, list):
            parent.insert(key, parent[rng.randrange(len(parent))] if rng.random() < 0.5 else _value(rng))
        case 3:
            other, at = _place(rng, document)
            if other is not None:
                parent[key] = json.loads(json.dumps(other[at]))
        case 4 if isinstance(parent[key], str):
            parent[key] = text(rng, [parent[key].encode("utf-8", "surrogatepass")]).decode("utf-8", "replace")
        case 5:
            parent[key] = rng.choice(_NUMBERS)
        case 6:
            parent[key] = _word(rng)
        case _:
            parent[key] = _value(rng)
    return document


def _value(rng: Random) -> Any:
    value = rng.choice(_VALUES)
    # A list of the document must not be shared with this table.
    return value.copy() if isinstance(value, list | dict) else value


def _word(rng: Random) -> str:
    return rng.choice(TOKENS).decode("utf-8", "surrogatepass" if rng.random() < 0.5 else "replace")


def _place(rng: Random, document: Any) -> tuple[Any, Any]:
    """A container and one of its keys, at any depth; None twice when the document has none."""
    found: tuple[Any, Any] = None, None
    here = document
    while isinstance(here, dict | list) and here:
        key: Any = rng.choice(list(here)) if isinstance(here, dict) else rng.randrange(len(here))
        found = here, key
        if rng.random() < 0.2:
            break
        here = here[key]
    return found
