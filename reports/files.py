"""Files and standard streams that may be anything.

Read files that end; write files so that a reader finds the old or the new one, never half of it; print to
streams that may be closed, have lost their reader, or end on a full disk.
"""

import errno
import hashlib
import os
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import TextIO

MAX_LINE = 2000
"""Characters: a message may quote a file, a path or an argument of any length."""


@contextmanager
def opened_regular(path: Path) -> Iterator[BufferedReader]:
    """Open a regular file to be read: devices and pipes may never end, or never begin.

    Raises OSError when it cannot be read or is something else.
    """
    # Without a writer, a pipe would not even let itself be opened.
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:  # noqa: PTH123 - a descriptor
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file", str(path))
        yield file


def read_regular(path: Path, max_bytes: int | None = None) -> bytes:
    """Return the content of a regular file.

    Raises OSError when it cannot be read, is something else, or has more than *max_bytes*.
    """
    with opened_regular(path) as file:
        content = file.read() if max_bytes is None else file.read(max_bytes + 1)
    if max_bytes is not None and len(content) > max_bytes:
        raise OSError(errno.EFBIG, f"it has more than {max_bytes:,} bytes", str(path))
    return content


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a regular file in hexadecimal.

    Raises OSError when it cannot be read or is something else.
    """
    with opened_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """Give a temporary file beside `path`; it takes the place of `path` on success and vanishes otherwise.

    Raises OSError, also where *path* is there and no regular file: a device must not be replaced.
    """
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        error.filename = str(path)  # the user does not know the temporary one
        raise
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes files that only their owner may read; a report is to be shared.
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


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
    """Print a text; where that fails, the exit status still says what came out."""
    try:
        stream.write(text)
        stream.flush()
    except OSError:
        # Python would complain again when it closes the broken stream at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def shortened(line: str) -> str:
    """Return a line of at most MAX_LINE characters."""
    return line if len(line) <= MAX_LINE else f"{line[:MAX_LINE]}… ({len(line)} characters)"
