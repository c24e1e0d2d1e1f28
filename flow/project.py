"""Where things are: the checkout, its catalogues and its build folder."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Project:
    """The files a command works on; all paths absolute.

    A second project over the same code (an example, somebody's own DUT) differs in its catalogue, test list and build folder.
    """

    root: Path = CHECKOUT
    duts_file: Path = CHECKOUT / "flow" / "duts.toml"
    testlist_file: Path = CHECKOUT / "tests" / "testlist.toml"
    testplan_file: Path = CHECKOUT / "tests" / "testplan.hjson"
    proofs_file: Path = CHECKOUT / "flow" / "proofs.toml"
    build: Path = CHECKOUT / "build"
    rtl_root: Path = CHECKOUT
    """The folder whose `hdl/` is built: the checkout, or a folder with a patched copy of `hdl/`."""

    def source_root(self, pattern: str) -> Path:
        """The folder a catalogue pattern is relative to."""
        return self.rtl_root if pattern.startswith("hdl/") else self.root

    @property
    def cache(self) -> Path:
        """Published builds, one folder a content hash."""
        return self.build / "cache"

    @property
    def runtime(self) -> Path:
        """The Verilator C++ runtime, one folder a flag set."""
        return self.build / "runtime"

    @property
    def runs(self) -> Path:
        """Run folders, one folder a set of runs."""
        return self.build / "runs"

    def relative(self, path: Path) -> str:
        """`path` as the user sees it: relative to the checkout where it lies inside."""
        try:
            return str(path.relative_to(self.root))
        except ValueError:
            return str(path)


def near_matches(name: str, known: Iterable[str]) -> str:
    """A clause naming the known names closest to `name`, to end an error sentence with."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    if close:
        return f"did you mean {' or '.join(close)}?"
    return f"known: {', '.join(names)}" if names else "none is known"
