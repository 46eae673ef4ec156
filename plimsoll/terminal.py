"""What this process has to say to the terminal, which may be closed."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import NoReturn, TextIO

from plimsoll.redact import redact

MAX_FAULT_LENGTH = 2000


def refuse(status: int, faults: Iterable[str]) -> NoReturn:
    """End this process, whose load must not start, with an exit status; print all faults without secrets."""
    print_faults(faults)
    sys.exit(status)


def print_faults(faults: Iterable[str]) -> None:
    """Print faults without their secrets, each of at most MAX_FAULT_LENGTH characters."""
    say(sys.stderr, "".join(f"plimsoll: {redact(fault)[:MAX_FAULT_LENGTH]}\n" for fault in faults))


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
