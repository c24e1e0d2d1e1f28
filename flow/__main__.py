"""Entry point: `python -m flow <command>`."""

import sys

from flow.command_line import main

sys.exit(main(sys.argv[1:]))
