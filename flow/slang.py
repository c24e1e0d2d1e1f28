"""The command line of slang over its Python package: elaborates, analyses, prints diagnostics; status 1 if there was an error."""

import shlex
import sys
from collections.abc import Sequence

from pyslang.driver import Driver


def main(arguments: Sequence[str]) -> int:
    """Runs slang once with the options of its own command line."""
    driver = Driver()
    driver.addStandardArgs()
    if not driver.parseCommandLine(shlex.join(["slang", *arguments])) or not driver.processOptions():
        return 1
    if not driver.parseAllSources():
        return 1
    return 0 if driver.runFullCompilation() else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
