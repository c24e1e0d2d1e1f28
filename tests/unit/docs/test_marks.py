"""The table of marks in the interfaces is that of the code."""

from __future__ import annotations

import re

from tb.scoreboards.marks import MarkKind
from tests.unit.docs.pages import load

ROW = re.compile(r"^\| (\d+) ([A-Z_]+) \|", re.MULTILINE)


def test_every_mark_stands_in_the_interfaces() -> None:
    rows = ROW.findall(load("docs/interfaces.md").text)
    assert [(int(number), name) for number, name in rows] == [(int(kind), kind.name) for kind in MarkKind]
