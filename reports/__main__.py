"""Let `python -m reports` run the command line, also where nothing is installed: in a clone."""

import sys

from reports.cli import command_line

if __name__ == "__main__":
    sys.exit(command_line())
