"""A cover group: the cross of named axes, some combinations ruled out with a reason, and the hits of each bin.

Everything works on arrays: an axis turns raw values into codes once, and a batch of observations is one ``bincount``. An
observation outside the legal bins is a failure of the run, so a rule that is too strict or a design that does the impossible
shows at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tb.scoreboards.scoreboard import ScoreboardError

CHECKER = "coverage"
SEPARATOR = ", "
"""Between the values that name a bin."""
RESERVED = ",*?[]\n"
"""Characters that no name may hold: bins are listed with commas and excluded by shell patterns."""

Mask = NDArray[np.bool_]
Codes = NDArray[np.integer[Any]] | Mask


class Stamped(Protocol):
    """Where the observations come from: arrays of shape ``[n]``, read only when one of them is illegal."""

    @property
    def cycle(self) -> NDArray[np.uint64]: ...
    @property
    def sequence(self) -> NDArray[np.uint64]: ...


@dataclass(frozen=True)
class Axis:
    """One thing that is observed: ``values`` name its codes 0, 1, ... in order."""

    name: str
    values: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.values or len(set(self.values)) != len(self.values):
            raise ValueError(f"axis '{self.name}' needs values that differ, has {self.values}")
        for value in self.values:
            if not value or any(mark in value for mark in RESERVED):
                raise ValueError(f"value '{value}' of axis '{self.name}' must not be empty or hold one of {RESERVED!r}")


@dataclass(frozen=True)
class Illegal:
    """Combinations that cannot occur, and why.

    ``applies`` gets, for each axis by name, the array of value names of all combinations, and answers with a mask of the same
    shape: ``lambda of: (of["kind"] == "read") & (of["payload"] != "none")``.
    """

    reason: str
    applies: Callable[[Mapping[str, NDArray[np.str_]]], Mask]
    block: str = ""
    """Who did it where it occurs; that of the group unless given."""


def combinations(axes: Sequence[Axis]) -> dict[str, NDArray[np.str_]]:
    """By axis: its value in each combination of the cross, shape ``[product of the sizes]``, the last axis running fastest."""
    shape = tuple(len(axis.values) for axis in axes)
    places = np.unravel_index(np.arange(int(np.prod(shape))), shape)
    return {axis.name: np.array(axis.values)[place] for axis, place in zip(axes, places, strict=True)}


class CoverGroup:
    """The bins of a cross of ``axes`` without what ``rules`` call illegal.

    ``name`` is the group in ``coverage.json``; runs of different tests add up in one group only when its bins are the same.
    ``block`` is blamed for an illegal observation.
    """

    def __init__(self, name: str, axes: Sequence[Axis], rules: Sequence[Illegal] = (), block: str = "testbench") -> None:
        if len({axis.name for axis in axes}) != len(axes) or not axes:
            raise ValueError(f"cover group '{name}' needs axes of different names")
        self.name, self.axes, self.rules, self.block = name, tuple(axes), tuple(rules), block
        self._shape = tuple(len(axis.values) for axis in axes)
        size = int(np.prod(self._shape))
        self._values = combinations(axes)
        self._rule_of = np.full(size, -1, np.int64)
        for number, rule in enumerate(rules):
            ruled_out = np.asarray(rule.applies(self._values), np.bool_)
            if ruled_out.shape != (size,) or not ruled_out.any():
                raise ValueError(f"rule '{rule.reason}' of cover group '{name}' rules out nothing: it is wrong or superfluous")
            self._rule_of[ruled_out & (self._rule_of < 0)] = number
        self._illegal: Mask = self._rule_of >= 0
        if self._illegal.all():
            raise ValueError(f"cover group '{name}' has no bin left")
        self._hits = np.zeros(size, np.int64)

    @property
    def bins(self) -> int:
        """Bins that can be hit."""
        return int(self._illegal.size - np.count_nonzero(self._illegal))

    def sample(self, *codes: Codes, rows: Mask | NDArray[np.intp] | None = None, at: Stamped | None = None) -> None:
        """Count ``n`` observations: one array of codes an axis, shape ``[n]``, in the order of the axes.

        ``rows`` (mask or positions) chooses among them; codes of others need only be valid. ``at`` says where they were seen.
        Raises ScoreboardError for an observation that a rule calls illegal, ValueError for a code that its axis does not have.
        """
        if len(codes) != len(self.axes):
            raise ValueError(f"cover group '{self.name}' has {len(self.axes)} axes, {len(codes)} arrays of codes were given")
        index = np.zeros(len(codes[0]), np.intp)
        for axis, code, size in zip(self.axes, codes, self._shape, strict=True):
            if code.size and not 0 <= int(code.min()) <= int(code.max()) < size:
                raise ValueError(
                    f"axis '{axis.name}' of '{self.name}' has codes 0 to {size - 1}, got {code.min()} to {code.max()}"
                )
            index *= size
            np.add(index, code, out=index, casting="unsafe")
        if rows is not None:
            index = index[rows]
        seen = np.bincount(index, minlength=self._hits.size)
        self._hits += seen
        if seen[self._illegal].any():
            self._fail(index, rows, at)

    def _fail(self, index: NDArray[np.intp], rows: Mask | NDArray[np.intp] | None, at: Stamped | None) -> None:
        first = int(np.argmax(self._illegal[index]))
        combination = int(index[first])
        rule = self.rules[self._rule_of[combination]]
        message = f"{self.name}: {self._bin(combination)} cannot be: {rule.reason}"
        block = rule.block or self.block
        if at is None:
            raise ScoreboardError(CHECKER, block, message)
        row = first
        if rows is not None:
            row = int(np.flatnonzero(rows)[first]) if rows.dtype == np.bool_ else int(rows[first])
        raise ScoreboardError(CHECKER, block, message, int(at.cycle[row]), int(at.sequence[row]))

    def _bin(self, combination: int) -> str:
        return SEPARATOR.join(str(self._values[axis.name][combination]) for axis in self.axes)

    def hits(self) -> dict[str, int]:
        """Hits of every bin that can be hit, by name, in the order of the axes."""
        return {self._bin(place): int(self._hits[place]) for place in np.flatnonzero(~self._illegal).tolist()}
