"""Print to streams that may be closed, have lost their reader, or end on a full disk."""

import os
import sys
from typing import TextIO

MAX_LINE = 2000
"""Characters: a message may quote a file, a path or an argument of any length."""


def open_closed_streams() -> None:
    """Let the null device stand in for standard streams that are closed, as by `>&-`.

    Otherwise the next file that is opened would take the place of one.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115 - for the whole process


def say(stream: TextIO, text: str) -> None:
    """Print a text; when it cannot be, the exit status still tells what it is about."""
    try:
        stream.write(text)
        stream.flush()
    except OSError:
        # Python would complain again when it closes the broken stream at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def shortened(line: str) -> str:
    """Return a line of at most MAX_LINE characters."""
    return line if len(line) <= MAX_LINE else f"{line[:MAX_LINE]}… ({len(line)} characters)"
