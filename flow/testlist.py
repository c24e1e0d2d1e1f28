"""The test list (`tests/testlist.toml`): which tests exist, on which DUT, with how many seeds; and the sets made from it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flow.errors import UserError
from flow.project import Project, near_matches

DEFAULT_TIMEOUT_S = 600
FIRST_SEED = 1
LAST_SEED = 2**31 - 1
"""The simulator takes seeds of 31 bits."""
SETS = ("default", "nightly", "short")
WIDTH_TAG = "width"
"""Tests of another DATA_W than 256: a build of their own for each, so the short set leaves them out."""


@dataclass(frozen=True)
class ListedTest:
    """One test: a cocotb module that runs in a process of its own."""

    name: str
    dut: str
    module: str
    """Python module, as imported from the checkout (`tests.block.dma.test_copy`)."""
    testcase: str = ""
    """Function of the module; empty: the module has exactly `testcases` of them."""
    testcases: int = 1
    seeds: int = 1
    """Runs in the default set, each with a seed of its own; 0: only on request (`make sim`, `make bench`)."""
    nightly_seeds: int = 0
    """Runs in the nightly set; 20 times `seeds` unless given."""
    tags: tuple[str, ...] = ()
    timeout_s: int = DEFAULT_TIMEOUT_S
    """Watchdog on wall clock: a run that needs it is broken."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Handed to the test as JSON in SLUICEGATE_PARAMETERS."""
    closes: tuple[str, ...] = ()
    """Cover groups of which no bin is left, but for the excluded ones, when all its nightly seeds have run."""

    def runs_in(self, name: str) -> int:
        """How many seeds of this test the set `name` holds."""
        if name == "default":
            return self.seeds
        if name == "nightly":
            return self.nightly_seeds or 20 * self.seeds
        return 0 if WIDTH_TAG in self.tags else min(self.seeds, 1)


KEYS: dict[str, type] = {
    **dict.fromkeys(("name", "dut", "module", "testcase"), str),
    **dict.fromkeys(("testcases", "seeds", "nightly_seeds", "timeout_s"), int),
    **dict.fromkeys(("tags", "closes"), list),
    "parameters": dict,
}


def load(project: Project) -> dict[str, ListedTest]:
    """All tests by name, in the order of the list."""
    shown = project.relative(project.testlist_file)
    try:
        data = tomllib.loads(project.testlist_file.read_text())
    except FileNotFoundError:
        raise UserError(f"The test list {shown} does not exist.") from None
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"The test list {shown} is not valid TOML: {error}.") from None
    tests: dict[str, ListedTest] = {}
    for table in data.get("test", []):
        test = _test(table, shown)
        if test.name in tests:
            raise UserError(f"The test list {shown} has two tests called '{test.name}'.")
        tests[test.name] = test
    if not tests:
        raise UserError(f"The test list {shown} holds no [[test]].")
    return tests


def find(tests: Mapping[str, ListedTest], name: str) -> ListedTest:
    """The test called `name`, or a `UserError` with near matches."""
    if name not in tests:
        raise UserError(f"There is no test '{name}': {near_matches(name, tests)}")
    return tests[name]


def parse_seed(text: str) -> int:
    """A seed from the command line."""
    try:
        seed = int(text, 0)
    except ValueError:
        seed = -1
    if not FIRST_SEED <= seed <= LAST_SEED:
        raise UserError(f"'{text}' is not a seed: give a whole number from {FIRST_SEED} to {LAST_SEED}.")
    return seed


def choose(
    tests: Mapping[str, ListedTest], name: str, base_seed: int = FIRST_SEED, seeds: int | None = None
) -> list[tuple[ListedTest, int]]:
    """The runs of a set: every test with consecutive seeds from `base_seed`, as many as the set says or `seeds` of each."""
    if name not in SETS:
        raise UserError(f"There is no set '{name}': {near_matches(name, SETS)}")
    runs = [(test, test.runs_in(name)) for test in tests.values()]
    if seeds is not None:
        runs = [(test, seeds) for test, count in runs if count]
    return [(test, _seed(base_seed, number)) for test, count in runs for number in range(count)]


def select(tests: Mapping[str, ListedTest], names: Sequence[str]) -> dict[str, ListedTest]:
    """The named tests; all of them if no name is given."""
    return {name: find(tests, name) for name in names} if names else dict(tests)


def _seed(base: int, number: int) -> int:
    return (base - FIRST_SEED + number) % LAST_SEED + FIRST_SEED


def _test(table: Mapping[str, Any], shown: str) -> ListedTest:
    name = table.get("name", "without a name")
    for key, value in table.items():
        if key not in KEYS:
            raise UserError(f"Test '{name}' of {shown} has an unknown key '{key}': {near_matches(key, KEYS)}")
        if not isinstance(value, KEYS[key]) or isinstance(value, bool):
            raise UserError(f"Test '{name}' of {shown}: '{key}' must be of type {KEYS[key].__name__}.")
    for key in ("name", "dut", "module"):
        if not table.get(key):
            raise UserError(f"Test '{name}' of {shown} has no '{key}'.")
    if table.get("seeds", 1) < 0 or table.get("testcases", 1) < 1 or table.get("timeout_s", 1) < 1:
        raise UserError(f"Test '{name}' of {shown}: testcases and timeout_s must be at least 1, seeds at least 0.")
    return ListedTest(**{**table, **{key: tuple(table.get(key, ())) for key in ("tags", "closes")}})
