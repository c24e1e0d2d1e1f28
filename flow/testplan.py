"""The testplan (`tests/testplan.hjson`): what has to be verified, and which tests of the test list do it.

Format, a subset of hjson that is JSON with `//` and `#` comment lines and trailing commas:
`{"testpoints": [{"name", "block", "description", "tests": [names of the test list]}]}`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flow.errors import UserError
from flow.project import Project, near_matches
from flow.testlist import ListedTest

COMMENT_LINE = re.compile(r"^\s*(//|#).*$", re.MULTILINE)
TRAILING_COMMA = re.compile(r",(\s*[\]}])")


@dataclass(frozen=True)
class Testpoint:
    """One thing to verify."""

    __test__ = False  # not a test case, whatever its name says to pytest

    name: str
    block: str
    description: str
    tests: tuple[str, ...]


def load(project: Project) -> list[Testpoint]:
    """All testpoints; empty where there is no testplan."""
    if not project.testplan_file.is_file():
        return []
    shown = project.relative(project.testplan_file)
    text = TRAILING_COMMA.sub(r"\1", COMMENT_LINE.sub("", project.testplan_file.read_text()))
    try:
        data = json.loads(text)
    except ValueError as error:
        raise UserError(f"The testplan {shown} is not valid (JSON with comment lines and trailing commas): {error}.") from None
    points = data.get("testpoints") if isinstance(data, dict) else None
    if not isinstance(points, list) or not all(_is_testpoint(point) for point in points):
        raise UserError(f"Every testpoint of {shown} needs name, block, description and a list of tests.")
    return [Testpoint(point["name"], point["block"], point["description"], tuple(point["tests"])) for point in points]


def check(points: Sequence[Testpoint], tests: Mapping[str, ListedTest]) -> list[str]:
    """What does not fit: names the list does not hold, tests of a set that no testpoint needs, empty testpoints, names twice."""
    faults = [
        f"testpoint '{point.name}' names the test '{name}', which is not in the test list: {near_matches(name, tests)}"
        for point in points
        for name in point.tests
        if name not in tests
    ]
    named = {name for point in points for name in point.tests}
    faults += [f"test '{name}' serves no testpoint" for name, test in tests.items() if test.seeds and name not in named]
    faults += [f"testpoint '{point.name}' has no test" for point in points if not point.tests]
    names = [point.name for point in points]
    faults += [f"testpoint '{name}' stands twice in the testplan" for name in sorted(set(names)) if names.count(name) > 1]
    return faults


def _is_testpoint(point: Any) -> bool:
    if not isinstance(point, dict) or not all(isinstance(point.get(key), str) for key in ("name", "block", "description")):
        return False
    tests = point.get("tests")
    return isinstance(tests, list) and all(isinstance(name, str) for name in tests)
