"""Decks as Markdown for Marp and for Quarto, with pictures beside. Each has a syntax of its own for notes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench.deck.formats import picture_folder
from bench.deck.slides import Deck, Slide
from bench.render.markdown import escape, table

_STYLE: Final = """\
style: |
  section { font-size: 26px; justify-content: flex-start; padding: 44px 56px; }
  h1, h2 { font-size: 36px; margin: 0 0 12px; }
  img { display: block; margin: 0 auto; max-height: 470px; max-width: 100%; background: transparent; }
  table { font-size: 22px; width: 100%; }
  footer { color: #6b4300; font-weight: bold; font-size: 20px; }"""


def write_marp(deck: Deck, path: Path) -> None:
    """Write Markdown for Marp and the pictures. Raises OSError."""
    head = ["---", "marp: true", f"title: {json.dumps(deck.title)}", "paginate: true", "size: 16:9", _STYLE, "---"]
    first = [
        f"# {escape(deck.title)}",
        *(escape(line) for line in (deck.subtitle, deck.date) if line),
        f"<!--\n{_in_comment(deck.told)}\n-->" if deck.told else "",
    ]
    slides = [
        first,
        *(_marp_slide(slide, name) for slide, name in zip(deck.slides, _pictures(deck, path), strict=True)),
    ]
    path.write_text("\n".join(head) + "\n\n" + "\n\n---\n\n".join(map(_block, slides)) + "\n", encoding="utf-8")


def write_quarto(deck: Deck, path: Path) -> None:
    """Write Markdown for Quarto (reveal.js) and the pictures. Raises OSError."""
    head = [
        "---",
        f"title: {json.dumps(deck.title)}",
        f"subtitle: {json.dumps(deck.subtitle)}",
        *([f"date: {json.dumps(deck.date)}"] if deck.date else []),
        *(["title-slide-attributes:", f"  data-notes: {json.dumps(deck.told)}"] if deck.told else []),
        "format:",
        "  revealjs:",
        "    slide-number: true",
        "    embed-resources: true",
        "    width: 1280",
        "    height: 720",
        "---",
    ]
    slides = [_quarto_slide(slide, name) for slide, name in zip(deck.slides, _pictures(deck, path), strict=True)]
    path.write_text("\n".join(head) + "\n\n" + "\n\n".join(map(_block, slides)) + "\n", encoding="utf-8")


def _pictures(deck: Deck, path: Path) -> list[str]:
    """Write the pictures beside the file; returns the place of each slide's picture, empty where it has none."""
    names = []
    folder = path.parent / picture_folder(path.name)
    for number, slide in enumerate(deck.slides, start=2):
        png = slide.figure.light_png if slide.figure else None
        names.append(f"{folder.name}/{number:02d}-{slide.key}.png" if png else "")
        if png:
            folder.mkdir(exist_ok=True)
            (path.parent / names[-1]).write_bytes(png)
    return names


def _block(parts: Sequence[str]) -> str:
    return "\n\n".join(filter(None, parts))


def _marp_slide(slide: Slide, picture: str) -> list[str]:
    return [
        f"<!-- _footer: {json.dumps(_in_comment(slide.caveat))} -->" if slide.caveat else "",
        "<!-- _paginate: skip -->" if slide.hidden else "",
        f"## {_title(slide)}",
        *(f"![{escape(slide.alt)}]({picture})" for _ in [0] if picture),
        *(escape(line) for line in slide.lines),
        table(slide.table[0], slide.table[1:]) if slide.table else "",
        f"<!--\n{_in_comment(_spoken(slide))}\n-->",
    ]


def _quarto_slide(slide: Slide, picture: str) -> list[str]:
    number = ' {visibility="uncounted"}' if slide.hidden else ""
    alt = slide.alt.replace("\\", "\\\\").replace('"', '\\"')
    return [
        f"## {_title(slide)}{number}",
        f'![]({picture}){{fig-alt="{alt}"}}' if picture else "",
        *(_paragraph(line) for line in slide.lines),
        table(slide.table[0], slide.table[1:]) if slide.table else "",
        f"**{escape(slide.caveat)}**" if slide.caveat else "",
        f"::: {{.notes}}\n{_block([_paragraph(part) for part in _spoken(slide).splitlines()])}\n:::",
    ]


def _paragraph(text: str) -> str:
    """Text as a paragraph for Quarto: what begins with colons would end the notes, and a rule would end the slide."""
    escaped = escape(text)
    return f"\\{escaped}" if escaped.lstrip().startswith((":::", "---", "***", "___", "- - ")) else escaped


def _title(slide: Slide) -> str:
    return escape(f"Backup: {slide.sentence}" if slide.hidden else slide.sentence)


def _spoken(slide: Slide) -> str:
    """Notes and source. They begin with the sentence, so that Marp takes no line of them for a setting."""
    return "\n\n".join(filter(None, (slide.sentence, slide.notes, *slide.source.lines)))


def _in_comment(text: str) -> str:
    """Text that does not end an HTML comment."""
    return text.replace("-->", "-- >").replace("--!>", "--! >").replace("<!--", "< !--")
