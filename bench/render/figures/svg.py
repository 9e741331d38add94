"""SVG text as matplotlib writes it, made small: without what a reader of a page does not need.

Text stays text, in a family of fonts that every system has one of, so that it can be searched, selected and edited.
"""

from __future__ import annotations

import re
from html import escape
from typing import Final

FONTS: Final = "'DejaVu Sans', Verdana, 'Bitstream Vera Sans', Geneva, sans-serif"
"""Figures are measured in the first, which is as wide as the second and wider than all others that are common."""

_OURS: Final = re.compile(r" ?font-family: [^;\"]*;?")
_FILL: Final = re.compile(r'fill="(#[0-9a-f]{6})"')
"""A colour in an attribute of its own: the ground of a hatching."""
_TAG: Final = re.compile(r"<[^>]*>")
_NEEDLESS_DIGITS: Final = re.compile(r"(?<=\.\d[1-9])\d+|(?<=\.[1-9])0\d*|\.0(?:0\d*)?(?!\d)")
"""What follows the second digit after a point, and zeros at the end: ``12.345`` is 12.34, ``7.10`` 7.1, ``3.001`` 3."""
_UNTURNED: Final = re.compile(r' transform="rotate\(-?0 [^"]*\)"')
_ID: Final = re.compile(r' id="([^"]*)"')
_USED: Final = re.compile(r'(?:href="|url\()#([^")]*)')
_EXTRA: Final = re.compile(r"\s*(<metadata>.*?</metadata>|<!--.*?-->|<style .*?</style>)", re.DOTALL)
_LOOK: Final = 'stroke-linejoin="round" stroke-linecap="butt"'
"""What matplotlib says in a style element, which would hold for a whole page."""
_EMPTY: Final = re.compile(r"\s*<(g|defs)>\s*</\1>")
_INDENT: Final = re.compile(r"\n\s*")


def small(text: str, name: str, title: str, description: str) -> str:
    """The picture with a title and a description for screen readers.

    Args:
        text: as matplotlib writes it.
        name: begins every id, since many figures share one page.
    """
    # Comments repeat every label unescaped.
    text = _EXTRA.sub("", text[text.index("<svg") :])
    used = set(_USED.findall(text))
    text = _TAG.sub(lambda match: _tag(match[0], name, used), text)
    text = _INDENT.sub("\n", _EMPTY.sub("", text))
    end = text.index(">")
    return (
        f'{text[:end]} font-family="{FONTS}" {_LOOK} role="img" aria-labelledby="{name}-title {name}-desc">\n'
        f'<title id="{name}-title">{escape(title)}</title>\n<desc id="{name}-desc">{escape(description)}</desc>'
        f"{text[end + 1 :]}"
    )


def _tag(tag: str, name: str, used: set[str]) -> str:
    """One tag with short numbers, and with an id only where something refers to it."""
    if len(tag) < 5 or tag.startswith("</"):
        return tag
    if tag.startswith("<g id=") or " id=" in tag:
        tag = _ID.sub(lambda match: f' id="{name}-{match[1]}"' if match[1] in used else "", tag)
    if "#" in tag:
        tag = tag.replace('href="#', f'href="#{name}-').replace("url(#", f"url(#{name}-")
        tag = _FILL.sub(r'style="fill: \1"', tag)
    if tag.startswith("<text"):
        tag = _UNTURNED.sub("", _OURS.sub("", tag))
    elif tag.startswith("<path"):
        tag = tag.replace("\n", "")
    return _NEEDLESS_DIGITS.sub("", tag) if "." in tag else tag
