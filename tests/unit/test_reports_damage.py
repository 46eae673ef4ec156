"""A run directory that was damaged or changed after its run never passes, and one that is whole does."""

import csv
import json
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from plimsoll.recording.run_directory import file_digests, write_facts
from plimsoll.run_files.files import SCHEDULE_FILE, SCHEDULE_FILE_UNTIL_2
from reports.cli import main
from reports.load.run_files import load, locate
from reports.thresholds.reading import read_thresholds
from reports.verdict.verdict import reach_verdict
from tests.make_directory import FACTS, LIMITS, write_rows, write_run_directory

FILES = (
    "run.json",
    "schedule.csv",
    "health.csv",
    "intervals.arrow",
    "locust_exceptions.csv",
    "thresholds.yaml",
)
NOT_JUDGED = ("locust_stats.csv", "locust_stats_history.csv", "locust_failures.csv")


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run directory of a sound run; it is only copied."""
    return write_run_directory(tmp_path_factory.mktemp("sound") / "run")


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run directory of another run of the same figures, an hour later."""
    limits = (*LIMITS, "max < 2 s")
    return write_run_directory(tmp_path_factory.mktemp("other") / "run", limits, shift_s=3600, id="other")


@pytest.fixture
def directory(sound: Path, tmp_path: Path) -> Path:
    """A copy of the sound run's directory, to be damaged."""
    return Path(shutil.copytree(sound, tmp_path / "run"))


def verdict(directory: Path) -> str:
    """Return the verdict on a run directory by its own thresholds."""
    limits = read_thresholds(directory / "thresholds.yaml")
    return str(reach_verdict(load(locate(directory), with_thresholds=True), limits)["verdict"])


def faults(directory: Path) -> tuple[str, ...]:
    """Return what is said of the damage of a run directory."""
    return tuple(load(locate(directory), with_thresholds=True).damage)


def test_a_whole_directory_passes(directory: Path) -> None:
    """The sound run passes; without this, none of the tests below would say anything."""
    assert main(["judge", str(directory)]) == 0
    assert faults(directory) == ()


def cut(content: bytes, at: int) -> bytes:
    """Return the content up to a place."""
    return content[:at]


def zeros_from(content: bytes, at: int) -> bytes:
    """Return the content with zero bytes from a place on, as a crash of the machine leaves a file."""
    return content[:at] + b"\0" * (len(content) - at)


def flipped(content: bytes, at: int) -> bytes:
    """Return the content with one bit of it changed."""
    return content[:at] + bytes([content[at] ^ 4]) + content[at + 1 :]


def doubled(content: bytes, at: int) -> bytes:
    """Return the content with what follows a place written twice."""
    return content + content[at:]


@pytest.mark.parametrize("damage", [cut, zeros_from, flipped, doubled])
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_never_passes(
    directory: Path, name: str, damage: Callable[[bytes, int], bytes]
) -> None:
    """Wherever a judged file is cut, zeroed, changed or doubled, it is seen, and the exit status is not 0."""
    content = (directory / name).read_bytes()
    for at in (0, 1, len(content) // 3, len(content) * 9 // 10, len(content) // 2):
        (directory / name).write_bytes(damage(content, at))
        assert faults(directory), at
    assert main(["judge", str(directory)]) in {77, 2}


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_never_passes(directory: Path, name: str) -> None:
    """Each judged file must be there, run.json too when the run is named by one of its files."""
    (directory / name).unlink()
    for path in (directory, directory / "locust_stats.csv"):
        assert main(["judge", str(path)]) == 77


def test_a_directory_without_run_json_is_no_plain_run(directory: Path) -> None:
    """Named by its prefix and judged by given thresholds, a run without its run.json does not pass."""
    (directory / "run.json").unlink()
    named = ["--thresholds", str(directory / "thresholds.yaml")]
    assert main(["judge", str(directory / "locust"), *named]) == 77


@pytest.mark.parametrize("name", FILES)
def test_files_of_two_runs_never_pass(directory: Path, other: Path, name: str) -> None:
    """A file of another run with the same figures is told from that of the run."""
    mixed = (other / name).read_bytes()
    is_same = mixed == (directory / name).read_bytes()
    (directory / name).write_bytes(mixed)
    assert verdict(directory) == ("PASS" if is_same else "INCONCLUSIVE")
    assert is_same == (name == "locust_exceptions.csv")  # neither run had any


@pytest.mark.parametrize("name", ["schedule.csv", "health.csv"])
@pytest.mark.parametrize(
    "damage",
    [
        lambda rows: rows[::-1],
        lambda rows: rows[:20] + rows[21:],
        lambda rows: rows[:20] + rows[19:],
        lambda rows: [row | {"users": "nan"} for row in rows],
        lambda rows: [row | {list(row)[-1]: "-1"} for row in rows],
        lambda rows: [{key: value for key, value in row.items() if key != "users"} for row in rows],
    ],
)
def test_changed_rows_never_pass(
    directory: Path, name: str, damage: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]
) -> None:
    """Rows that are dropped, doubled or in another order, and unknown or impossible figures are seen."""
    with (directory / name).open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    write_rows(directory / name, damage(rows))
    assert verdict(directory) == "INCONCLUSIVE"
    assert faults(directory) == (
        f"{name} does not match its checksum in run.json: it was damaged or changed after the run",
    )


@pytest.mark.parametrize("key", sorted(FACTS))
def test_a_changed_fact_never_passes(directory: Path, key: str) -> None:
    """Whatever of run.json is taken away or changed, such as a plan, a scale or a lost worker, is seen."""
    written = json.loads((directory / "run.json").read_text())
    lacking = {name: value for name, value in written.items() if name != key}
    for facts in (lacking, *(written | {key: value} for value in (0, -1.5, "x", [1], {"a": 1}, True))):
        if facts == written:
            continue
        (directory / "run.json").write_text(json.dumps(facts))
        assert faults(directory), facts.get(key)
    assert verdict(directory) == "INCONCLUSIVE"


def test_a_run_that_was_left_before_all_was_written_never_passes(directory: Path) -> None:
    """A process killed between the end of the load and the last write leaves no digests of its files."""
    written = json.loads((directory / "run.json").read_text())
    assert set(written["file_digests"]) == set(FILES) - {"run.json"}
    write_facts(directory, FACTS)
    assert verdict(directory) == "INCONCLUSIVE"
    assert "its process died before all was written" in faults(directory)[0]


def test_a_run_recorded_before_there_were_digests_is_judged(directory: Path) -> None:
    """A run.json of schema version 1 has no digests and is judged without; of version 2 they are missed."""
    written = json.loads((directory / "run.json").read_text())
    old = {name: value for name, value in written.items() if name not in {"sha256", "file_digests"}}
    (directory / "run.json").write_text(json.dumps(old | {"schema_version": 1}))
    (directory / SCHEDULE_FILE).rename(directory / SCHEDULE_FILE_UNTIL_2)
    assert main(["judge", str(directory)]) == 0
    (directory / "run.json").write_text(json.dumps(old))
    assert main(["judge", str(directory)]) == 77


def test_the_former_name_of_a_file_is_another_file(directory: Path) -> None:
    """A run that has recorded schedule.csv does not pass by a stages.csv in its place."""
    (directory / SCHEDULE_FILE).rename(directory / SCHEDULE_FILE_UNTIL_2)
    assert verdict(directory) == "INCONCLUSIVE"
    assert faults(directory) == (
        "health.csv or schedule.csv, which say what the generator did, is missing or damaged",
        "schedule.csv cannot be read: No such file or directory",
    )


def test_a_file_of_a_later_name_is_not_read(directory: Path) -> None:
    """Of a run of schema version 2 stages.csv is read, also where a schedule.csv lies beside it."""
    (directory / SCHEDULE_FILE).rename(directory / SCHEDULE_FILE_UNTIL_2)
    digests = file_digests(directory) | {
        SCHEDULE_FILE_UNTIL_2: sha256((directory / SCHEDULE_FILE_UNTIL_2).read_bytes()).hexdigest()
    }
    write_facts(directory, FACTS | {"schema_version": 2, "file_digests": digests})
    (directory / SCHEDULE_FILE).write_text("unix_s,elapsed_s,stage\n", encoding="utf-8")

    assert main(["judge", str(directory)]) == 0
    assert not load(locate(directory)).stages.empty


@pytest.mark.parametrize("command", ["judge", "steps"])
def test_a_run_of_a_later_release_is_refused(
    directory: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    """The message says which versions are read; there is no verdict, and no traceback."""
    write_facts(directory, FACTS | {"schema_version": 4})

    assert main([command, str(directory)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{str(directory / 'run.json')!r} has schema_version 4, of a later release of Plimsoll;" in line
    assert line.endswith("this one reads versions 1 to 3: update it")
    assert not (directory / "verdict.json").exists()


def test_a_limit_that_was_taken_away_is_missed(tmp_path: Path) -> None:
    """A run that failed a limit does not pass because that limit is no longer in its directory."""
    broken = write_run_directory(tmp_path / "run", (*LIMITS, "p95 < 50 ms"))
    assert main(["judge", str(broken)]) == 99

    (broken / "thresholds.yaml").write_text(json.dumps({"thresholds": LIMITS}))
    assert main(["judge", str(broken)]) == 77


def test_other_thresholds_may_be_named(directory: Path) -> None:
    """Whoever names thresholds means those, whatever has become of the run's own."""
    (directory / "thresholds.yaml").rename(directory.parent / "mine.yaml")
    assert main(["judge", str(directory), "--thresholds", str(directory.parent / "mine.yaml")]) == 0


@pytest.mark.parametrize(
    ("limits", "status"), [(None, 99), (["p95 < 500 ms"], 0), (["error_rate < 1%", "p95 < 500 ms"], 99)]
)
def test_an_aborted_run_by_other_limits(tmp_path: Path, limits: list[str] | None, status: int) -> None:
    """A run fails by the limit that has aborted it, and not by one that it is not judged by."""
    abort = {"source": "error_rate < 1%", "text": "measured 5 %", "at_s": 59.0}
    aborted = write_run_directory(tmp_path / "run", LIMITS, aborted_by=abort)
    (tmp_path / "mine.yaml").write_text(json.dumps({"thresholds": limits}), "utf-8")
    named = [] if limits is None else ["--thresholds", str(tmp_path / "mine.yaml")]
    assert main(["judge", str(aborted), *named]) == status


@pytest.mark.parametrize("name", NOT_JUDGED)
def test_files_that_are_not_judged_decide_nothing(directory: Path, name: str) -> None:
    """With a recording Locust's own figures are shown beside it; what became of them changes no verdict."""
    (directory / name).unlink()
    assert main(["judge", str(directory)]) == 0


def test_an_empty_or_foreign_folder_is_no_run(tmp_path: Path) -> None:
    """Without a run there is no verdict, and the status is 2."""
    assert main(["judge", str(tmp_path)]) == 2
    (tmp_path / "notes.csv").write_text("a,b\n1,2\n")
    (tmp_path / "thresholds.yaml").write_text(json.dumps({"thresholds": LIMITS}))
    assert main(["judge", str(tmp_path)]) == 2
    (tmp_path / "run.json").write_text('{"name": "some-package"}')
    assert main(["judge", str(tmp_path)]) == 77
