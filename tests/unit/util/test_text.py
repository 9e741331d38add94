"""Text that is safe to print."""

from __future__ import annotations

import json

from bench.util.text import plain, shortened, visible_json

_HOSTILE = "a\x1b[31mb\x9bc\x85d\u202ee\u2066f\u200bg\ufeffh\x7fi\u2028j\ud800\ufffek <é> 漢 🦀"


def test_json_is_the_same_value_and_hides_nothing() -> None:
    text = visible_json(json.dumps({"k": [_HOSTILE]}, indent=2, ensure_ascii=False))
    assert json.loads(text) == {"k": [_HOSTILE]}
    assert plain(text.replace("\n", " ")) == text.replace("\n", " ")
    assert "<é> 漢 🦀" in text
    text.encode()


def test_a_word_that_nobody_reads_is_shortened_and_others_are_not() -> None:
    path = "/a" * 200
    assert shortened(f"{path} does not exist") == f"{path} does not exist"
    assert shortened(f"x {'y' * 5000} z") == f"x {'y' * 200}...(5000 characters)...{'y' * 100} z"
    assert shortened("one word " * 1000) == "one word " * 1000
