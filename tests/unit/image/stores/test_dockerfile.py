"""What is seen in a Dockerfile before it is built."""

from __future__ import annotations

import pytest

from bench.image.stores.dockerfile import is_official, needs_of_buildkit, syntax_image, without_syntax


def needs(text: str) -> list[tuple[int, str]]:
    return [(need.line, need.what) for need in needs_of_buildkit(text)]


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("RUN --mount=type=cache,target=/c true", "RUN --mount"),
        ("run --network=none --mount=type=tmpfs,target=/t true", "RUN --network, RUN --mount"),
        ("COPY --chmod=755 a b", "COPY --chmod"),
        ("COPY --from=x --link a b", "COPY --link"),
        ("ADD --checksum=sha256:1 a b", "ADD --checksum"),
        ("RUN cat <<EOF\nCOPY --link not an instruction\nEOF", "RUN with a heredoc"),
        ('COPY <<-"END" <<EOF /x/\n\tRUN --mount=x\n\tEND\nEOF\nEOF', "COPY with a heredoc"),
        ("RUN \\\n# a comment\n\n  --mount=type=bind,target=/b \\\n  true", "RUN --mount"),
    ],
)
def test_what_needs_buildkit_is_named_with_its_line(line: str, what: str) -> None:
    found = needs(f"# made\n\nFROM scratch\n{line}\nCMD x\n")
    assert (", ".join(name for _, name in found), {number for number, _ in found}) == (what, {4})


@pytest.mark.parametrize(
    "line",
    [
        "COPY --from=x --chown=1:1 a b",
        "ADD --chown=1:1 a b",
        "FROM --platform=linux/amd64 x",
        "RUN tool --mount=x",
        'RUN ["sh", "-c", "cat <<EOF"]',
        "RUN echo 'a <<EOF b'",
        "RUN cat <<< word",
        "RUN echo it's --mount",
        "HEALTHCHECK --interval=1s CMD true",
        "# COPY --link a b",
        "CMD cat <<EOF",
    ],
)
def test_what_both_builders_can_is_not_named(line: str) -> None:
    assert needs(f"FROM scratch\n{line}\nCMD x\n") == []


def test_a_heredoc_without_its_end_reaches_to_the_end() -> None:
    assert needs("RUN <<X\nCOPY --link a b") == [(1, "RUN with a heredoc")]


def test_another_escape_character() -> None:
    assert needs("# escape=`\nRUN `\n --mount=x y\nRUN a\\\nCOPY --link a b") == [
        (2, "RUN --mount"),
        (5, "COPY --link"),
    ]


def test_another_language_needs_buildkit() -> None:
    assert needs("#syntax = example/lang:2\nFROM x") == [(1, "the syntax line's image example/lang:2")]
    assert needs("# syntax=docker/dockerfile:1\nFROM x") == []


@pytest.mark.parametrize("image", ["docker/dockerfile", "docker/dockerfile:1.7", "mirror:5000/docker/dockerfile@x"])
def test_the_language_that_is_built_in(image: str) -> None:
    assert is_official(image)
    assert syntax_image(f"#!/usr/bin/env x\n# escape=`\n# syntax={image} more\nFROM x") == image


@pytest.mark.parametrize("image", ["docker/dockerfile2", "mydocker/dockerfile", "dockerfile"])
def test_other_languages(image: str) -> None:
    assert not is_official(image)


@pytest.mark.parametrize("text", ["FROM x\n# syntax=y", "# a comment\n# syntax=y", "\n# syntax=y", ""])
def test_a_syntax_line_stands_at_the_top(text: str) -> None:
    assert syntax_image(text) is None
    assert without_syntax(text) == text


def test_without_its_syntax_line_all_others_keep_their_numbers() -> None:
    text = "# escape=`\n# syntax=docker/dockerfile:1\nFROM x\n"
    lines = without_syntax(text).split("\n")
    assert (lines[0], lines[2:]) == ("# escape=`", ["FROM x", ""])
    assert syntax_image("\n".join(lines)) is None
