"""The command line: exit statuses, views, and what is said where."""

import io
import json
import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import pytest

from plimsoll.run_files.files import RUN_SCHEMA_VERSION
from reports import judging
from reports.cli import main
from reports.errors import DataError
from reports.files import replaced
from tests.make_directory import seal

DATA = Path(__file__).parents[1] / "data" / "locust_2_47"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    """The prefix of a real run's files in a folder of their own."""
    for path in DATA.glob("full_*"):
        shutil.copy(path, tmp_path)
    return tmp_path / "full"


@pytest.fixture
def run_directory(tmp_path: Path) -> Path:
    """A run directory of the same run that ended as planned."""
    for path in DATA.glob("full_*"):
        shutil.copy(path, tmp_path / path.name.replace("full", "locust"))
    seal(tmp_path, {"schema_version": RUN_SCHEMA_VERSION, "id": "here", "ended": "2026-11-21T00:50:10Z"})
    return tmp_path


def thresholds(folder: Path, *sources: str) -> Path:
    """Write a thresholds.yaml of these statements, and one for the failures, and return its path."""
    path = folder / "thresholds.yaml"
    path.write_text(json.dumps({"thresholds": [*sources, "error_rate < 90%"]}))
    return path


@pytest.mark.parametrize(
    ("source", "status", "verdict"),
    [("p95 < 1 s", 0, "PASS"), ("p95 < 1 ms", 99, "FAIL"), ("p99.99 < 1 s", 77, "INCONCLUSIVE")],
)
def test_exit_status_is_the_verdict(
    run_directory: Path, capsys: pytest.CaptureFixture[str], source: str, status: int, verdict: str
) -> None:
    """The run directory's own thresholds decide; verdict.json and report.html are written into it."""
    thresholds(run_directory, source)
    assert main(["judge", str(run_directory)]) == status
    printed = capsys.readouterr()
    assert verdict in printed.out
    assert printed.out.endswith(f"report: {run_directory / 'report.html'}\n")
    assert printed.err.splitlines() == ["note: schedule.csv: No such file or directory"]
    assert json.loads((run_directory / "verdict.json").read_text())["verdict"] == verdict
    assert source.replace("<", "&lt;") in (run_directory / "report.html").read_text()
    assert not list(run_directory.glob(".*"))


def test_plain_prefix_gets_views_beside_it(prefix: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The views of a plain run carry its prefix; without thresholds nothing is judged."""
    assert main(["judge", str(prefix)]) == 77
    assert "nothing was judged" in capsys.readouterr().out
    assert (prefix.parent / "full_verdict.json").exists()
    assert (prefix.parent / "full_report.html").exists()
    path = thresholds(prefix.parent, "p95 < 1 s")
    assert main(["judge", str(prefix), "--thresholds", str(path)]) == 0


def test_bad_thresholds_are_listed_and_exit_2(
    run_directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every fault is one line under the name of its file, and nothing is written.

    The thresholds of a run must not be changed, so it is said that others can be named.
    """
    path = thresholds(run_directory, "p95 < 1", "p101 < 1 s")
    assert main(["judge", str(run_directory)]) == 2
    *faults, hint = capsys.readouterr().err.splitlines()
    assert len(faults) == 2
    assert hint.endswith("--thresholds FILE")
    assert main(["check", "--thresholds", str(path)]) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith(f"{path}: threshold 1 'p95 < 1': column 7: the limit has no unit")
    assert second.startswith(f"{path}: threshold 2 'p101 < 1 s'")
    assert not (run_directory / "verdict.json").exists()


def test_check_holds_selectors_against_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With names given a selector that matches none exits 2, else 0 with what a recorder should count."""
    path = str(thresholds(tmp_path, "p95 of careers.selct < 1 s"))
    assert main(["check", "--thresholds", path]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said == {"thresholds": 2, "limits_ms": [1000.0], "can_abort": False}
    assert main(["check", "--thresholds", path, "--name", "careers.select"]) == 2
    assert "did you mean 'careers.select'?" in capsys.readouterr().err
    assert main(["check", "--thresholds", path, "--name", "a", "--name", "careers.selct"]) == 0
    assert capsys.readouterr().err == ""


def test_check_for_strangers_quotes_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Faults are told by where they are, and only what reads as a threshold is quoted."""
    path = tmp_path / "limits.yaml"
    path.write_text("hunter2: 1\nthresholds: [hunter2, p95 of hom < 1 s]")

    assert main(["check", "--unquoted", "--thresholds", str(path), "--name", "home"]) == 2
    lines = [line.removeprefix(f"{path}: ") for line in capsys.readouterr().err.splitlines()]
    assert lines[0] == "has keys other than 'thresholds'"
    assert lines[1].startswith("threshold 1 is not valid, or appears twice; valid is a statement such as ")
    assert lines[2].startswith("threshold 'p95 of hom < 1 s': no request is named 'hom'")


def test_no_run_exits_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A path without a run is the user's mistake: one line, no traceback."""
    assert main(["judge", str(tmp_path / "x")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("plimsoll: no run at ")


@pytest.mark.parametrize(
    "arguments", [[], ["jugde"], ["judge"], ["check"], ["judge", "x", "--threshold", "y"]]
)
def test_wrong_usage_exits_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """The parser refuses unknown commands and missing arguments with its own text."""
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: python -m reports" in capsys.readouterr().err


@pytest.mark.parametrize(("limit", "status", "word"), [("1 s", 77, "INCONCLUSIVE"), ("1 ms", 99, "FAIL")])
@pytest.mark.parametrize("unwritten", ["report.html", "verdict.json"])
def test_a_verdict_that_cannot_be_written_is_no_pass(
    run_directory: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    unwritten: str,
    limit: str,
    status: int,
    word: str,
) -> None:
    """On a full disk the verdict is said, and why nobody can look it up; no report is left that says PASS."""
    thresholds(run_directory, f"p95 < {limit}")
    replace = Path.replace

    def refuse(self: Path, target: Path) -> Path:
        if target.name == unwritten:
            raise OSError(28, "No space left on device")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", refuse)
    assert main(["judge", str(run_directory)]) == status
    printed = capsys.readouterr().out
    assert printed.startswith(word)
    assert "No space left on device" in printed
    assert "report: " not in printed
    assert not [
        file.name for file in run_directory.iterdir() if file.suffix == ".html" or "verdict" in file.name
    ]


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (ZeroDivisionError("x"), 1, "plimsoll: this is a bug, please report it: ZeroDivisionError('x')\nTr"),
        (KeyboardInterrupt(), 77, "plimsoll: interrupted before there was a result\n"),
    ],
)
def test_what_breaks_a_judging_off_leaves_no_verdict(
    run_directory: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    status: int,
    said: str,
) -> None:
    """A crash shows its traceback, Ctrl-C one line; no verdict is left, nor one of an earlier judging."""
    thresholds(run_directory, "p95 < 1 s")
    assert main(["judge", str(run_directory)]) == 0
    capsys.readouterr()
    monkeypatch.setattr(judging, "reach_verdict", Mock(side_effect=error))

    assert main(["judge", str(run_directory)]) == status
    printed = capsys.readouterr().err
    assert printed.startswith(said)
    assert ("Traceback" in printed) is (status == 1)
    assert not [path for path in run_directory.iterdir() if "verdict" in path.name or "report" in path.name]


def test_a_judging_that_is_killed_leaves_no_earlier_verdict(
    run_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a run is judged again there is no verdict that could be taken for the new one."""
    thresholds(run_directory, "p95 < 1 s")
    assert main(["judge", str(run_directory)]) == 0
    found: list[Path] = []

    def die(*_: object, **__: object) -> None:
        found.extend(run_directory.iterdir())
        raise MemoryError

    monkeypatch.setattr(judging, "load", die)
    assert main(["judge", str(run_directory)]) == 1
    assert found
    assert not {path.name for path in found} & {"verdict.json", "report.html"}


@pytest.mark.parametrize("fault", ["thresholds", "run"])
def test_an_earlier_verdict_stays_where_nothing_is_judged(
    run_directory: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """Where thresholds or the run cannot be read, the earlier verdict and report stay, which is said."""
    path = thresholds(run_directory, "p95 < 1 s")
    assert main(["judge", str(run_directory)]) == 0
    before = {path.name: path.read_bytes() for path in run_directory.iterdir()}
    capsys.readouterr()
    if fault == "run":
        monkeypatch.setattr(judging, "load", Mock(side_effect=DataError("nothing to judge")))
    else:
        path = run_directory.parent / "other.yaml"
        path.write_text("thresholds: [p95 < 1]")

    assert main(["judge", str(run_directory), "--thresholds", str(path)]) == 2
    first, second = capsys.readouterr().err.splitlines()
    left = "verdict.json, report.html, junit.xml, summary.md"
    assert first == f"note: the run was not judged; left from an earlier judging: {left}"
    assert "note" not in second
    assert {path.name: path.read_bytes() for path in run_directory.iterdir()} == before


def test_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    """A writer that fails leaves the old file and no temporary one."""
    path = tmp_path / "a.json"
    path.write_text("old")

    def fail() -> None:
        with replaced(path) as temporary:
            temporary.write_text("half")
            raise ValueError("planned")

    with pytest.raises(ValueError, match="planned"):
        fail()
    assert path.read_text() == "old"
    with replaced(path) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_missing_is_said_of_the_file(tmp_path: Path) -> None:
    """The error names the file that was asked for, not a temporary one."""
    with pytest.raises(FileNotFoundError) as caught, replaced(tmp_path / "missing" / "a.json"):
        pass
    assert caught.value.filename == str(tmp_path / "missing" / "a.json")


def test_a_device_is_not_replaced(tmp_path: Path) -> None:
    """What is no regular file is left where it is."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="it is not a regular file"), replaced(tmp_path / "pipe"):
        pass
    assert (tmp_path / "pipe").is_fifo()


def test_names_that_are_too_long_exit_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A path that no file system has is one line, which is shortened."""
    for command in (["judge"], ["steps"], ["check", "--thresholds"], ["export", "--hlog", "x"]):
        assert main([*command, str(tmp_path / ("x" * 3000))]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert "File name too long" in line or "… (" in line
        assert len(line) < 2100


@pytest.mark.parametrize(
    ("redirection", "output", "errors"),
    [
        (">&- 2>&- <&-", "", ""),
        (">&-", "", "note: schedule.csv"),
        ("2>&-", "INCONCLUSIVE", ""),
        (">/dev/full 2>/dev/full", "", ""),
        ("2>&1 | true", "", ""),
        ("2>&1 | head -1", "note: schedule.csv", ""),
    ],
)
def test_the_exit_status_needs_no_streams(
    run_directory: Path, redirection: str, output: str, errors: str
) -> None:
    """Streams that are closed, full or no longer read change neither the exit status nor what is written."""
    command = f'"$@" {redirection}; exit "${{PIPESTATUS[0]}}"'
    judge = [sys.executable, "-m", "reports", "judge", str(run_directory)]

    judged = subprocess.run(
        ["bash", "-c", command, "bash", *judge], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert judged.returncode == 77
    assert judged.stdout.startswith(output)
    assert bool(judged.stdout) == bool(output)
    assert judged.stderr.startswith(errors)
    assert bool(judged.stderr) == bool(errors)
    assert json.loads((run_directory / "verdict.json").read_text())["verdict"] == "INCONCLUSIVE"
    assert (run_directory / "report.html").exists()


def test_verdict_stands_when_nobody_reads_it(run_directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a closed pipe as stdout the exit status is still the verdict, and closing it raises nothing."""
    thresholds(run_directory, "p95 < 1 s")
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        assert main(["judge", str(run_directory)]) == 0


def test_text_the_console_cannot_show_is_escaped(prefix: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`python -m reports` on an ASCII console shows a name beyond it escaped."""
    stats = prefix.with_name("full_stats.csv")
    stats.write_text(stats.read_text().replace("pages.list", "p\u00e4ges.list"))
    stdout = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stdout)
    monkeypatch.setattr(sys, "argv", ["reports", "judge", str(prefix)])
    with pytest.raises(SystemExit) as caught:
        runpy.run_module("reports", run_name="__main__")
    assert caught.value.code == 77
    stdout.seek(0)
    assert "p\\xe4ges.list" in stdout.read()


def test_check_does_not_wait_for_pandas(tmp_path: Path) -> None:
    """Checking thresholds imports neither pandas nor scipy."""
    path = thresholds(tmp_path, "p95 < 1 s")
    code = (
        "import sys; from reports.cli import main; status = main(['check', '--thresholds', sys.argv[1]]);"
        " sys.exit(status or bool({'pandas', 'scipy', 'jinja2'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code, str(path)], cwd=ROOT, check=False).returncode == 0
