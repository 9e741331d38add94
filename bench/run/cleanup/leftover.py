"""One thing that was left on the host, and the question whether it is searched for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from bench.host.run_directory import LABEL, Tag, living_tags, parse_tag
from bench.util.errors import BoxbenchError
from bench.util.threads import error_text


@dataclass(frozen=True)
class Leftover:
    """One thing that a box or a campaign left on the host."""

    kind: str
    """``container``, ``engine``, ``process``, ``mount``, ``cgroup``, ``trace``, ``directory`` and the like."""
    name: str
    remove: Callable[[], object]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


def remove_leftovers(found: Iterable[Leftover]) -> tuple[str, ...]:
    """Try to remove each leftover, also after one has failed. Returns a text for each that could not be removed."""
    failed = []
    for leftover in found:
        try:
            leftover.remove()
        except BoxbenchError as error:
            failed.append(f"{leftover}: {error.advice}")
        except OSError as error:
            failed.append(f"{leftover}: {error}")
        except Exception as error:
            # A fault of ours, or of an engine's client, must not keep the others on the host.
            failed.append(f"{leftover}: {error_text(error)}")
    return tuple(failed)


class Wanted:
    """Tells which tags are searched for: those of a box or campaign, or all that no living process owns.

    Args:
        tag: of a box or campaign. The label alone means everything of ours.
    """

    def __init__(self, tag: str = LABEL) -> None:
        self.everything = tag == LABEL
        named = parse_tag(tag)
        self.whole = self.everything or (named is not None and named.owner == tag)
        """A whole campaign is searched for, or everything; not a box."""
        self._tag = tag
        self._living = frozenset(living_tags())

    def __call__(self, tag: Tag | None) -> bool:
        if tag is None:
            return False
        return tag.owner not in self._living if self.everything else tag.is_of(self._tag)

    def named(self, text: str) -> bool:
        """Whether ``text`` is such a tag, in full."""
        return self(parse_tag(text))

    @property
    def includes_shared(self) -> bool:
        """Whether things without a tag of their own are searched for too: nobody alive can be using them."""
        return self.everything and not self._living
