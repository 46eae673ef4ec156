"""Let `python -m reports` run the command line."""

import io
import sys

from reports.cli import main

if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Names and error texts hold anything; a console that cannot show it all is no reason to crash.
            stream.reconfigure(errors="backslashreplace")
    sys.exit(main())
