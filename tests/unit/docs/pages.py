"""The pages of the documentation, their fenced blocks and the commands they tell a reader to type."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[3]
FENCE: Final = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SPAN: Final = re.compile(r"`([^`\n]+)`")
COMMAND_SPAN: Final = re.compile(r"make [a-z]|python -m flow ")


@dataclass(frozen=True)
class Page:
    """One Markdown page; ``name`` is its path in the checkout."""

    name: str
    text: str

    @property
    def path(self) -> Path:
        return ROOT / self.name

    def blocks(self, language: str) -> list[Block]:
        """The fenced blocks of one language, in order."""
        return [Block(self, self._line(match.start(2)), match[2]) for match in FENCE.finditer(self.text) if match[1] == language]

    def spans(self) -> Iterator[tuple[int, str]]:
        """(line, text) of every piece of inline code."""
        prose = FENCE.sub(lambda match: "\n" * match[0].count("\n"), self.text)
        for match in SPAN.finditer(prose):
            yield prose.count("\n", 0, match.start()) + 1, match[1]

    def commands(self) -> list[tuple[int, str]]:
        """(line, text) of every command: each line of a ``sh`` block, and inline code that begins like one."""
        found = [
            (block.line + number, text.split(" #")[0].strip())
            for block in self.blocks("sh")
            for number, text in enumerate(block.text.splitlines())
            if text.strip() and not text.startswith("#")
        ]
        return found + [(line, text) for line, text in self.spans() if COMMAND_SPAN.match(text)]

    def _line(self, position: int) -> int:
        return self.text.count("\n", 0, position) + 1


@dataclass(frozen=True)
class Block:
    """A fenced block; ``line`` is that of its first line on the page."""

    page: Page
    line: int
    text: str


def load(name: str) -> Page:
    """A page by its path in the checkout."""
    return Page(name, (ROOT / name).read_text(encoding="utf-8"))


PAGES: Final = ["README.md", *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md"))]
"""Every page that a reader is meant to open."""
