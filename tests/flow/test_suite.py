"""`make test` fails when a stage has nothing to run: what is missing must never look like what passed."""

from __future__ import annotations

import pytest

from flow import suite
from flow.errors import UserError
from flow.project import Project
from flow.suite import Count


def _broken(project: Project) -> Count:
    raise UserError("The tool is not there.")


@pytest.mark.parametrize(
    ("stages", "last", "status"),
    [
        ([("a", lambda _: Count(3, 0)), ("b", lambda _: Count(2, 0))], "5 passed, 0 failed", 0),
        ([("a", lambda _: Count(3, 0)), ("b", lambda _: Count(0, 0))], "3 passed, 1 failed", 1),
        ([("a", lambda _: Count(3, 1)), ("b", lambda _: Count(2, 0))], "5 passed, 1 failed", 1),
        ([("a", _broken), ("b", lambda _: Count(2, 0))], "2 passed, 1 failed", 1),
        ([], "0 passed, 0 failed", 1),
    ],
)
def test_every_stage_counts(
    stages: list[tuple[str, suite.Stage]], last: str, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert suite.run(Project(), stages) == status
    assert capsys.readouterr().out.splitlines()[-1] == last
