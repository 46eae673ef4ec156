"""Measure what the bundled service can serve on one core, with wrk: `python -m benchmarks.service_capacity`.

The service process is bound to the first core; PostgreSQL and wrk use the others. Prints a Markdown table
with the median of the rounds. Needs two cores and wrk (Debian: `apt-get install wrk`).
"""

import argparse
import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from service.authentication import Account, Tokens
from service.seeding import CAREER_LEVELS, OCCUPATIONS, SELECTION_AGES_DAYS, SIZES

ROUNDS = 3
ROUND_S = 8
CONNECTIONS = 16
FOLDER = Path(__file__).parent
SIZE = SIZES["small"]
CAREERS = len(OCCUPATIONS) * len(next(iter(OCCUPATIONS.values()))) * CAREER_LEVELS
OFFSETS_PER_ROUND = (CAREERS - max(SELECTION_AGES_DAYS)) // ROUNDS
SERVICE_CORE, *OTHER_CORES = sorted(os.sched_getaffinity(0))


@dataclass(frozen=True)
class Round:
    """What wrk saw in one round; *p99_ms* includes failed requests."""

    requests: int
    duration_s: float
    errors: int
    p99_ms: float

    @property
    def rate_per_s(self) -> float:
        """Requests a second."""
        return self.requests / self.duration_s


def main() -> int:
    """Measure both requests and print the table."""
    secret = secrets.token_urlsafe(32)
    with service_on_one_core(secret) as url, tempfile.TemporaryDirectory() as folder:
        tokens_file = Path(folder) / "tokens"
        tokens_file.write_text("".join(f"{token}\n" for token in student_tokens(secret)))
        reads = [wrk(url, "wrk_product_reads.lua", [SIZE.products]) for _ in range(ROUNDS)]
        selections = [
            wrk(url, "wrk_career_selections.lua", [tokens_file, CAREERS, first_offset])
            for first_offset in first_offsets()
        ]
    lines = [
        "| request | requests/s | p99 ms | errors |",
        "|---|---:|---:|---:|",
        table_row("GET /api/products/{id}", reads),
        table_row("POST /api/v1/students/{id}/careers/select", selections),
    ]
    print("\n".join(lines))  # noqa: T201 - the result
    return 0


def first_offsets() -> Iterator[int]:
    """Give each round careers of its own, past the seeded ones."""
    for number in range(ROUNDS):
        yield max(SELECTION_AGES_DAYS) + 1 + number * OFFSETS_PER_ROUND


def student_tokens(secret: str) -> Iterator[str]:
    """Sign a token for every seeded student, in the order of their ids (a student's user has the same id)."""
    tokens = Tokens(secret)
    for student_id in range(1, SIZE.students + 1):
        yield tokens.issue(Account(user_id=student_id, student_id=student_id, role="student"))


@contextmanager
def service_on_one_core(secret: str) -> Iterator[str]:
    """Run the service with its service process on one core; yield its URL."""
    command = [sys.executable, "-m", "service", "--port", "0", "--size", "small", "--until-stdin-closes"]
    environment = os.environ | {"SERVICE_TOKEN_SECRET": secret}
    with subprocess.Popen(  # noqa: S603 - our own command
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, cwd=FOLDER.parent
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        # After the start: PostgreSQL would inherit the binding.
        for thread in psutil.Process(process.pid).threads():
            os.sched_setaffinity(thread.id, {SERVICE_CORE})
        try:
            yield ready["url"]
        finally:
            process.stdin.close()


def wrk(url: str, script: str, arguments: Sequence[object]) -> Round:
    """Run one round from the other cores."""
    cores = ",".join(map(str, OTHER_CORES))
    load = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{ROUND_S}s", "-s", script, url, "--", *map(str, arguments)]
    output = subprocess.run(  # noqa: S603 - wrk with our own scripts
        ["taskset", "-c", cores, *load],  # noqa: S607 - found on the PATH
        check=True,
        capture_output=True,
        text=True,
        cwd=FOLDER,
        timeout=ROUND_S + 30,
    ).stdout
    return Round(**json.loads(output.strip().splitlines()[-1]))


def table_row(request: str, rounds: Sequence[Round]) -> str:
    """Return one line of the table: medians with the lowest and highest rate, errors of all rounds."""
    rates = [one.rate_per_s for one in rounds]
    p99_ms = statistics.median(one.p99_ms for one in rounds)
    errors = sum(one.errors for one in rounds)
    rate = f"{statistics.median(rates):,.0f} ({min(rates):,.0f}–{max(rates):,.0f})"
    return f"| {request} | {rate} | {p99_ms:.1f} | {errors} |"


if __name__ == "__main__":
    argparse.ArgumentParser(prog="python -m benchmarks.service_capacity", description=__doc__).parse_args()
    sys.exit(main())
