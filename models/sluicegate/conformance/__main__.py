"""``python -m sluicegate.conformance [DIR] [--dut model]``: replay vectors, print a line a file and the totals.

Exit status: 0 when every case passed or needs a feature that the committed list names; 1 on any mismatch or undeclared
feature; 2 when the set itself is unusable (malformed line, unknown file, empty set).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from sluicegate.conformance.registry import replay_directory, undeclared_features
from sluicegate.conformance.result import ConformanceError, FileResult


def report(results: Iterable[FileResult], dut: str) -> int:
    """Print the lines of a replay and return its exit status (0 or 1)."""
    passed = failed = 0
    results = list(results)
    for result in results:
        missing = ", ".join(f"{count} {feature}" for feature, count in sorted(result.unsupported.items()))
        print(f"{result.name} {result.passed}/{result.total}, unsupported {missing or 0}")
        for sentence in result.mismatches:
            print(f"  {sentence}")
        passed += result.passed
        failed += result.failed
    undeclared = undeclared_features(results, dut)
    for feature in undeclared:
        print(f"unsupported feature {feature!r} is not in the committed list of {dut}: implement it or name it there")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or undeclared else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m sluicegate.conformance", description="Replay recorded answers.")
    parser.add_argument("directory", nargs="?", type=Path, default=Path("tests/conformance/data"), metavar="DIR")
    parser.add_argument("--dut", default="model", help="device under test (default: model)")
    options = parser.parse_args(arguments)
    try:
        return report(replay_directory(options.directory, options.dut), options.dut)
    except ConformanceError as error:
        print(f"conformance: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
