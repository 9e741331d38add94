"""The wire format of protocol buffers, as far as the calls to containerd need it.

containerd's only Python package dates from 2021, and its generated code does not work with current versions of
protobuf. The few messages that start a container are small enough to be written by field number. The numbers are from
the ``api/`` directory of containerd; the rules of protocol buffers forbid changing them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from bench.util.errors import ProtocolError

_VARINT: Final = 0
_SIZED: Final = 2
_FIXED_BYTES: Final = {1: 8, 5: 4}

Scalar = int | str | bytes
Fields = dict[int, list[int | bytes]]
"""A decoded message: the values of each field by its number."""
Value = Scalar | Sequence[bytes] | Mapping[str, str]


def message(fields: Mapping[int, Value]) -> bytes:
    """Encode a message.

    Args:
        fields: values by field number: an integer, a text, bytes (also an encoded message), a sequence of bytes for a
            repeated field, or a map of texts. Empty values are left out, as the format demands.
    """
    return b"".join(_field(number, value) for number, value in fields.items())


def _field(number: int, value: Value) -> bytes:
    if isinstance(value, int):
        return b"" if value == 0 else _varint(number << 3 | _VARINT) + _varint(value)
    if isinstance(value, str):
        value = value.encode("utf-8", "surrogateescape")
    if isinstance(value, bytes):
        return b"" if not value else _sized(number, value)
    if isinstance(value, Mapping):
        return b"".join(_sized(number, message({1: key, 2: text})) for key, text in value.items())
    return b"".join(_sized(number, item) for item in value)


def _sized(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | _SIZED) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def parse(data: bytes) -> Fields:
    """Decode a message: the values of each field number, in order. Raises ProtocolError if it is malformed."""
    fields: Fields = {}
    try:
        for number, value in _parts(data):
            fields.setdefault(number, []).append(value)
    except IndexError:
        raise ProtocolError(
            f"an answer of {len(data)} bytes is not a protocol buffers message",
            hint="check that containerd 1.6 or later listens on that socket",
        ) from None
    return fields


def texts(fields: Mapping[int, Sequence[int | bytes]], number: int) -> list[str]:
    """The values of a text field."""
    return [value.decode("utf-8", "replace") for value in fields.get(number, ()) if isinstance(value, bytes)]


def parts(fields: Mapping[int, Sequence[int | bytes]], number: int) -> list[bytes]:
    """The values of a field that holds bytes or messages."""
    return [value for value in fields.get(number, ()) if isinstance(value, bytes)]


def number_of(fields: Mapping[int, Sequence[int | bytes]], number: int) -> int:
    """The value of an integer field. An absent field is 0, as the format defines."""
    numbers = [value for value in fields.get(number, ()) if isinstance(value, int)]
    return numbers[-1] if numbers else 0


def _parts(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    at = 0
    while at < len(data):
        tag, at = _read_varint(data, at)
        kind = tag & 7
        if kind == _VARINT:
            value, at = _read_varint(data, at)
            yield tag >> 3, value
            continue
        if kind == _SIZED:
            length, at = _read_varint(data, at)
        else:
            length = _FIXED_BYTES.get(kind, len(data) + 1)
        if at + length > len(data):
            raise IndexError(at)
        yield tag >> 3, data[at : at + length]
        at += length


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
