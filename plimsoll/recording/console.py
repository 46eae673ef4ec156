"""Print to a terminal that may be closed, gone or full: what is printed decides nothing."""

import os
from contextlib import suppress
from typing import TextIO


def say(stream: TextIO | None, text: str) -> None:
    """Print a text, or nothing where the stream is closed or takes no more."""
    if stream is None:  # closed before Python began, as by `>&-`
        return
    try:
        stream.write(text)
        stream.flush()
    except (OSError, ValueError):  # ValueError: closed since
        with suppress(OSError, ValueError):
            # Python would try again at its exit, and end with 120.
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
