"""Every Python example of the documentation runs: the blocks of a page one after the other, in one namespace.

A block whose first line is a comment with a path is a copy of that file, which a test of its own runs; here the two are compared.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.unit.docs.pages import PAGES, ROOT, Block, load

COPY_OF = re.compile(r"# ([\w/]+\.py)\n")
WITH_EXAMPLES = [name for name in PAGES if load(name).blocks("python")]


def test_examples_are_found() -> None:
    assert {"README.md", "docs/iommu_model.md", "docs/guides/golden-model.md", "docs/guides/p2pdma.md"} <= set(WITH_EXAMPLES)


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_the_examples_of_a_page_run(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    namespace: dict[str, Any] = {"__name__": "example"}
    for block in load(name).blocks("python"):
        if COPY_OF.match(block.text):
            assert_copy(block)
        else:
            exec(compile("\n" * (block.line - 1) + block.text, str(block.page.path), "exec"), namespace)


def assert_copy(block: Block) -> None:
    first, text = block.text.split("\n", 1)
    path = ROOT / first.removeprefix("# ")
    assert path.read_text(encoding="utf-8") == text, f"{block.page.name}:{block.line} is not {first.removeprefix('# ')} any more"
