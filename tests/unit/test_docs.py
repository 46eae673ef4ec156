"""docs/endings.md names what there is, and docs/run-directory.md every file and column."""

import re
import signal
from pathlib import Path

import pytest

from plimsoll.advice.findings import KINDS
from plimsoll.recording.judging import Judging
from plimsoll.run_files.advice import ADVICE_FILE, ADVICE_SCHEMA_VERSION, Advice, Gain
from plimsoll.run_files.exit_status import ExitStatus
from plimsoll.run_files.files import (
    HEALTH_FILE,
    INTERVALS_FILE,
    LOCUST_EXCEPTIONS,
    LOCUST_FAILURES,
    LOCUST_HISTORY,
    LOCUST_PREFIX,
    LOCUST_STATS,
    LOCUST_SUFFIXES,
    POSTGRES_FILE,
    RUN_FILE,
    RUN_SCHEMA_VERSION,
    SCHEDULE_FILE,
    STATEMENTS_FILE,
    THRESHOLDS_FILE,
    VERDICT_FILE,
    VERDICT_SCHEMA_VERSION,
    VIEW_FILES,
    HealthRow,
    PostgresRow,
    ScheduleRow,
    StatementRow,
)
from plimsoll.run_files.intervals import CUSTOM_TYPES, INTERVAL_COLUMNS, INTERVALS_SCHEMA_VERSION, LAYOUT
from tests.make_directory import FACTS

ROOT = Path(__file__).parents[2]
CHECKS = {
    name
    for path in ROOT.glob("reports/verdict/checks/*.py")
    for name in re.findall(r'(?:Check(?:\.of)?|_worst)\(\s*"(\w+)"', path.read_text(encoding="utf-8"))
}
ENDINGS = (ROOT / "docs" / "endings.md").read_text(encoding="utf-8")
ADVICE = (ROOT / "docs" / "advice.md").read_text(encoding="utf-8")
RUN_DIRECTORY = (ROOT / "docs" / "run-directory.md").read_text(encoding="utf-8")
RUN_FILES = (
    RUN_FILE,
    SCHEDULE_FILE,
    HEALTH_FILE,
    INTERVALS_FILE,
    *(f"{LOCUST_PREFIX}{suffix}" for suffix in LOCUST_SUFFIXES),
    THRESHOLDS_FILE,
)
ROWS = [line for line in ENDINGS.splitlines() if line.startswith("| ")]
OF_THE_COMMAND = {"verdict_written"}
OPTIONS = {"run_time"}
RUN_KEYS = FACTS.keys() | {"arrivals", "file_digests", "sha256"}
EVENTS = {"test_start", "test_stopping", "test_stop", "on_start", "on_stop", "process_exit_code"}


def test_every_test_that_is_named_is_there() -> None:
    """A row is held by a test of the suite, unless it says that it is not held."""
    named = re.findall(r"`(test_\w+\.py)(?:::(test_\w+))?`", ENDINGS)
    assert len(named) > 70
    files = {path.name: path.read_text(encoding="utf-8") for path in ROOT.glob("tests/*/test_*.py")}
    missing = [(file, test) for file, test in named if f"def {test}(" not in files.get(file, "") and test]
    assert not missing
    assert {file for file, _ in named} <= set(files)


def test_every_row_names_a_test() -> None:
    """No row goes without, but the one of code that runs before this suite is called."""
    without = [row for row in ROWS if "`test_" not in row.split("|")[-2] and "| test |" not in row]
    assert [row.split("|")[-2].strip() for row in without] == [
        "not held: nothing of this suite has been called"
    ]


def test_every_check_and_module_that_is_named_is_there() -> None:
    """Checks are those of the judge, and modules files of the suite."""
    why = " ".join(row.split("|")[-3] for row in ROWS)
    words = set(re.findall(r"`([a-z]+(?:_[a-z]+)+)`", why)) - OPTIONS - RUN_KEYS - EVENTS - OF_THE_COMMAND
    assert words <= CHECKS
    for module in set(re.findall(r"`((?:reports|plimsoll)(?:\.\w+)+)`", ENDINGS)):
        assert (ROOT / f"{module.replace('.', '/')}.py").is_file(), module


def test_every_check_has_a_row() -> None:
    """What can be wrong with a run is there with each of its checks."""
    assert {check for check in CHECKS if f"`{check}`" not in ENDINGS} == set()


def test_every_file_of_a_run_has_a_row() -> None:
    """Damage of each file that a run writes is told of."""
    assert [file for file in RUN_FILES if f"\n| `{file}` |" not in ENDINGS] == []


def told_in(section: str) -> dict[str, str]:
    """Return what the tables of a section of docs/run-directory.md name, each with the cell after it."""
    text = RUN_DIRECTORY.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    rows = [line.split("|") for line in text.splitlines() if line.startswith("| `")]
    return {name: row[2].strip() for row in rows for name in re.findall(r"`([^`]+)`", row[1])}


def test_every_file_is_described() -> None:
    """The tables at the top name the files of a run and of its judgement, and their versions."""
    text = RUN_DIRECTORY.partition("\n## ")[0]
    files = re.findall(
        r"`([^`]+)`",
        "".join(re.findall(r"(?m)^\| (`[^|]+) \| (?:recording|Locust|judge|`plimsoll advise`) \|", text)),
    )

    assert sorted(files) == sorted(
        [*RUN_FILES, POSTGRES_FILE, STATEMENTS_FILE, VERDICT_FILE, *VIEW_FILES, ADVICE_FILE]
    )
    for file, version in (
        (RUN_FILE, RUN_SCHEMA_VERSION),
        (INTERVALS_FILE, INTERVALS_SCHEMA_VERSION),
        (VERDICT_FILE, VERDICT_SCHEMA_VERSION),
        (ADVICE_FILE, ADVICE_SCHEMA_VERSION),
    ):
        assert f"\n| `{file}` | {version} |" in text


def test_every_column_is_described() -> None:
    """Each section names the columns that recording writes, and no others; Arrow's with their types."""
    types = {kind: f"`{kind}`" for kind in INTERVAL_COLUMNS.values()}
    arrow = told_in(INTERVALS_FILE)

    assert told_in(SCHEDULE_FILE).keys() == set(ScheduleRow._fields)
    assert told_in(HEALTH_FILE).keys() == set(HealthRow._fields)
    assert told_in(POSTGRES_FILE).keys() == set(PostgresRow._fields)
    assert told_in(STATEMENTS_FILE).keys() == set(StatementRow._fields)
    assert arrow.keys() == INTERVAL_COLUMNS.keys() | CUSTOM_TYPES
    assert {name: arrow[name] for name in INTERVAL_COLUMNS} == {
        name: types[kind] for name, kind in INTERVAL_COLUMNS.items()
    }
    assert f"`{LAYOUT}`" in RUN_DIRECTORY
    assert told_in(RUN_FILE).keys() == RUN_KEYS
    assert told_in(ADVICE_FILE).keys() >= {"schema_version", *Advice._fields}


def test_advice_is_described() -> None:
    """docs/advice.md has a row for each kind of finding, with its group, and for each figure of a gain."""
    rows = [line.split("|") for line in ADVICE.splitlines() if line.startswith("| `")]
    groups = {row[1].strip(" `"): row[2] for row in rows}

    for name, kind in KINDS.items():
        assert kind.group in groups[name], name
        assert ("a note" in groups[name]) == kind.is_note, name
    figures = {name for row in rows for name in re.findall(r"`(\w+)`", row[1])}
    assert set(Gain._fields) <= figures


@pytest.mark.parametrize(
    ("suffix", "columns"),
    [*zip(LOCUST_SUFFIXES, (LOCUST_STATS, LOCUST_HISTORY, LOCUST_FAILURES, LOCUST_EXCEPTIONS), strict=True)],
)
def test_every_column_of_locust_that_is_read_is_described(suffix: str, columns: dict[str, str]) -> None:
    """A tool that writes Locust's files itself can look up what they need."""
    told = told_in("Locust's CSV files")[f"{LOCUST_PREFIX}{suffix}"]

    assert re.findall(r"`([^`]+)`", told) == list(columns)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_a_judge_that_is_killed_is_no_verdict(tmp_path: Path, number: signal.Signals) -> None:
    """Whatever ends the judge before its verdict, the status is that of a crash."""
    judging = Judging(tmp_path)
    judging._process.send_signal(number)
    assert judging.wait().exit_status == ExitStatus.CRASH
