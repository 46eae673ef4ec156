"""What one process saw in an interval, as columns; any block can be read, or lost, without the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from plimsoll.run_files.intervals import HISTOGRAMS, INTERVAL_COLUMNS, OVER_LIMITS, SCALAR_TYPES

Array = NDArray[Any]
Message = dict[str, Any]

# One value a row, and the number of its key.
SCALARS = {name: np.dtype(kind) for name, kind in INTERVAL_COLUMNS.items() if kind in SCALAR_TYPES}
SCALARS["key"] = np.dtype("int32")
# Any number of (value, count) a row: buckets of latencies and ages, positions in the table of failure kinds.
TALLIES = (*HISTOGRAMS, "failure_kinds")


class Key(NamedTuple):
    """The key of a series within one process; several tags are sorted and joined."""

    user_class: str
    request_type: str
    name: str
    tags: str = ""


class Tally(NamedTuple):
    """How often each value occurred in each row; row i owns offsets[i] up to offsets[i + 1]."""

    offsets: NDArray[np.int32]
    values: NDArray[np.uint16]
    counts: NDArray[np.uint32]


@dataclass(frozen=True)
class IntervalBlock:
    """Rows by (started_s, ended_s, key), with the tables of the keys and failure kinds that they point to."""

    keys: Sequence[Key]
    kinds: Sequence[str]
    scalars: Mapping[str, Array]
    tallies: Mapping[str, Tally]
    over_limits: Mapping[str, NDArray[np.uint32]]

    @property
    def row_count(self) -> int:
        """Number of rows."""
        return len(self.scalars["key"])

    def to_message(self) -> Message:
        """Return the block as texts, lists and bytes, which Locust's messages can carry."""
        return {
            "keys": [list(key) for key in self.keys],
            "kinds": list(self.kinds),
            "scalars": {name: column.tobytes() for name, column in self.scalars.items()},
            "tallies": {name: [part.tobytes() for part in tally] for name, tally in self.tallies.items()},
            "over_limits": {name: counts.tobytes() for name, counts in self.over_limits.items()},
        }


def block_from_message(message: Message) -> IntervalBlock:
    """Return the block that `to_message` made this of.

    Raises:
        KeyError, ValueError, TypeError: the message is not of this form.
    """
    scalars = {name: np.frombuffer(message["scalars"][name], kind) for name, kind in SCALARS.items()}
    row_count = len(scalars["key"])
    return IntervalBlock(
        keys=[Key(*key) for key in message["keys"]],
        kinds=list(message["kinds"]),
        scalars=scalars,
        tallies={name: _tally_from(message["tallies"][name]) for name in TALLIES},
        over_limits={
            name: np.frombuffer(message["over_limits"][name], np.uint32).reshape(row_count, -1)
            for name in OVER_LIMITS
        },
    )


def _tally_from(parts: Sequence[bytes]) -> Tally:
    offsets, values, counts = parts
    return Tally(
        np.frombuffer(offsets, np.int32), np.frombuffer(values, np.uint16), np.frombuffer(counts, np.uint32)
    )
