"""Run the arriving users and read what they wrote down."""

from __future__ import annotations

import itertools
import json
import subprocess
from pathlib import Path
from typing import Any

from tests.processes import start_locust

ROOT = Path(__file__).resolve().parents[1]
LOCUSTFILE = ROOT / "tests" / "arriving_users.py"


class Seen:
    """What all processes of a run saw, in the order of time."""

    def __init__(self, folder: Path, output: str) -> None:
        self.output = output
        self.processes = [
            found
            for path in sorted(folder.glob("*.json"))
            if (found := json.loads(path.read_text(encoding="utf-8")))["starts"] or found["dropped"]
        ]

    def _all(self, key: str) -> list[Any]:
        return list(itertools.chain.from_iterable(process[key] for process in self.processes))

    @property
    def starts_s(self) -> list[float]:
        """When iterations started, in seconds since the first."""
        starts_s = sorted(self._all("starts"))
        return [start_s - starts_s[0] for start_s in starts_s]

    @property
    def ended(self) -> int:
        """How many iterations came to their end."""
        return len(self._all("ends"))

    @property
    def intended_s(self) -> list[float]:
        """When they were to start, in seconds since the first was."""
        pairs = zip(self._all("starts"), self._all("delays_ms"), strict=True)
        intended_s = sorted(start_s - delay_ms / 1000 for start_s, delay_ms in pairs)
        return [one_s - intended_s[0] for one_s in intended_s]

    @property
    def delays_ms(self) -> list[float]:
        """How late they started, by the suite."""
        return self._all("delays_ms")

    @property
    def kinds(self) -> list[str]:
        """The user classes of the iterations."""
        return self._all("kinds")

    @property
    def signed_in_s(self) -> list[float]:
        """When users had signed in, in seconds since the first start."""
        first_s = min(self._all("starts"))
        return [moment_s - first_s for moment_s in self._all("signed_in")]

    @property
    def peak_users(self) -> int:
        """The most users of each process, together."""
        return sum(max(process["users"]) for process in self.processes)

    def count(self, key: str) -> int:
        """Return what the suite counted: started, late, dropped."""
        return sum(process[key] for process in self.processes)


def start_arrivals(folder: Path, *options: str, **settings: object) -> subprocess.Popen[str]:
    """Start arriving users headless with these settings, whatever else Locust is to be told."""
    return start_locust(
        ["-f", str(LOCUSTFILE), "--headless", *options],
        ROOT,
        environment_of(folder, settings) | {"PATIENT": "yes"},
    )


def environment_of(folder: Path, settings: dict[str, object]) -> dict[str, str]:
    """Return the variables by which arriving users get their settings, and where they write to."""
    return {"ARRIVING_USERS": json.dumps(settings), "ARRIVING_RESULTS": str(folder)}
