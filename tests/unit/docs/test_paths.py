"""Files and folders that the documentation names in inline code exist."""

from __future__ import annotations

import re

import pytest

from tests.unit.docs.pages import PAGES, ROOT, load

FILE = re.compile(r"(?:hdl|models|tb|sequences|tests|flow|docs|\.ci)/[\w./*-]*")


@pytest.mark.parametrize("name", PAGES)
def test_the_files_a_page_names_exist(name: str) -> None:
    named = [(line, text) for line, text in load(name).spans() if FILE.fullmatch(text)]
    missing = [f"{name}:{line}: {text}" for line, text in named if not any(ROOT.glob(text.rstrip("/")))]
    assert not missing, "\n".join(missing)
