"""`python -m shapes` shows a load before it is run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.loads.arrival_schedule import ArrivalSchedule, RateStage
from plimsoll.loads.plot import COLUMNS, ROWS, duration, plot, summary
from plimsoll.loads.schedule import Schedule, Stage
from shapes.__main__ import find_shapes, main
from shapes.breakpoint import BreakpointShape
from shapes.ramp import RampShape

LOADS = {name: shape.schedule for name, shape in find_shapes().items()}
RAMP = LOADS["ramp"]
ROOT = Path(__file__).resolve().parents[2]


def rows_of(text: str) -> list[str]:
    """Return the rows of the drawn course from above, without their labels and their axis."""
    return [line.split("┤")[1].ljust(COLUMNS) for line in text.splitlines() if "┤" in line]


def test_the_figures() -> None:
    """The heading has duration, peak and area, in the words of the load model."""
    arrivals = ArrivalSchedule((RateStage("hold", 90, 20, 20),), 50)

    assert summary(RAMP) == "40 min, peak 1,000 users, 583 user-hours"
    assert summary(arrivals) == "1 min 30 s, peak 20 arrivals/s, 1,800 arrivals, at most 50 users"


def test_the_course() -> None:
    """Half of the time at half of the peak and half at the peak fill half of the columns to the top."""
    rows = rows_of(plot("steps", Schedule((Stage("low", 10, 50, 50), Stage("high", 10, 100, 100)))))

    assert rows[: ROWS // 2] == [" " * (COLUMNS // 2) + "█" * (COLUMNS // 2)] * (ROWS // 2)
    assert rows[ROWS // 2 :] == ["█" * COLUMNS] * (ROWS // 2)


def test_a_peak_of_a_moment_is_seen() -> None:
    """However short a stage is, its peak fills a column to the top."""
    stages = (Stage("low", 990, 1, 1), Stage("peak", 5, 100, 100), Stage("after", 1000, 1, 1))

    assert rows_of(plot("peak", Schedule(stages)))[0].count("█") == 1


@pytest.mark.parametrize(
    ("redirection", "status", "errors"),
    [
        (">&-", 0, ""),
        (">&- 2>&-", 0, ""),
        (">/dev/full", 1, "shapes: standard output cannot be written: No space left on device\n"),
        ("--user-scale=-1 2>&-", 2, ""),
    ],
)
def test_streams_that_take_nothing(redirection: str, status: int, errors: str) -> None:
    """A closed stream is not written to, a full disk is one line; neither is a traceback."""
    command = ["bash", "-c", f'"$@" {redirection}', "bash", sys.executable, "-m", "shapes"]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert (shown.returncode, shown.stdout, shown.stderr) == (status, "", errors)


def test_the_stages() -> None:
    """Each stage is named with its start, its duration and its levels."""
    lines = plot("ramp", RAMP).splitlines()

    assert lines[-4].split() == ["stage", "from", "for", "users"]
    assert lines[-3].split(maxsplit=1) == ["ramp_up", "0 s     5 min   0 → 1,000"]
    assert "1,000 → 0" in lines[-1]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (1.98, "1.98 s"), (90, "1 min 30 s"), (3600, "1 h"), (30300, "8 h 25 min")],
)
def test_durations(seconds: float, words: str) -> None:
    """Durations are told as a person would."""
    assert duration(seconds) == words


@given(st.sampled_from(sorted(LOADS)), st.floats(0.03, 10), st.floats(0.03, 10))
def test_every_load_can_be_drawn(name: str, user_scale: float, time_scale: float) -> None:
    """At any scale the drawing has its size, and reaches its top somewhere."""
    rows = rows_of(plot(name, LOADS[name].scaled(user_scale, time_scale)))

    assert [len(row) for row in rows] == [COLUMNS] * ROWS
    assert rows[0].strip()


def test_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a name all loads are listed, one a line."""
    assert main([]) == 0

    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(LOADS)


def test_scales(capsys: pytest.CaptureFixture[str]) -> None:
    """A load is drawn at the scales of a run."""
    assert main(["ramp", "--user-scale", "0.1", "--time-scale", "0.01"]) == 0

    assert capsys.readouterr().out.startswith("ramp: 24 s, peak 100 users, 0.583 user-hours\n")


def test_wrong_scales(capsys: pytest.CaptureFixture[str]) -> None:
    """Scales that cannot be are refused, all at once and without a traceback."""
    assert main(["ramp", "--user-scale", "0", "--time-scale", "nan"]) == 2

    assert capsys.readouterr().err.splitlines() == [
        "shapes: user_scale must be a number above 0, got 0.0",
        "shapes: time_scale must be a number above 0, got nan",
    ]


def test_an_unknown_load(capsys: pytest.CaptureFixture[str]) -> None:
    """A load that is not there is answered with those that are."""
    with pytest.raises(SystemExit) as caught:
        main(["rampe"])

    assert caught.value.code == 2
    assert "'ramp'" in capsys.readouterr().err


def test_a_terminal_without_blocks() -> None:
    """A terminal that cannot show the blocks gets question marks, and no traceback."""
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    drawn = subprocess.run(
        [sys.executable, "-m", "shapes", "ramp"], cwd=ROOT, env=environment, capture_output=True, check=False
    )

    assert drawn.returncode == 0, drawn.stderr
    assert b"????" in drawn.stdout


def test_every_file_holds_a_shape() -> None:
    """What is listed can be run: shapes/NAME.py, and nothing that can be run is not listed."""
    assert {path.stem for path in (ROOT / "shapes").glob("[!_]*.py")} == set(LOADS)


def test_wrong_shapes_are_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The faults of all shapes are said, one a line with the name of the file, and none is listed."""
    monkeypatch.setattr(RampShape, "stages", (Stage("hold", -1, 5, 5),))
    monkeypatch.setattr(BreakpointShape, "factor", 1)

    assert main([]) == 2

    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "shapes: breakpoint: factor must be a number above 1, got 1",
        "shapes: ramp: stage 1 ('hold'): duration_s must be a number above 0, got -1",
    ]
