"""Runs recorded by earlier versions are judged as those versions judged them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from reports.cli import main

GOLDEN = Path(__file__).parents[1] / "data" / "golden"
RUNS = sorted(path.name for path in GOLDEN.iterdir() if path.is_dir())
RENAMED = {"response_": "corrected_", "dropped <": "dropped_iterations <"}
"""Metrics that the recorded thresholds call by former names."""


def expected(name: str) -> Any:
    """Return what the version that recorded the runs said of one: see `judged`."""
    return json.loads((GOLDEN / "expected.json").read_text(encoding="utf-8"))[name]


def judged(run: Path, verdict_json: Path, *options: str) -> dict[str, Any]:
    """Judge a run; return its verdict, failed checks, capacity, and the estimate of each threshold."""
    main(["judge", str(run), *options])
    verdict = json.loads(verdict_json.read_text(encoding="utf-8"))
    capacity = verdict.get("capacity") or {}
    return {
        "verdict": verdict["verdict"],
        "failed_checks": [check["check"] for check in verdict["validity"] if not check["ok"]],
        "capacity": [capacity.get("passed"), capacity.get("failed")],
        "thresholds": {
            each["source"]: [each["verdict"], each["value"], *(each["interval"] or (None, None)), each["n"]]
            for each in verdict["thresholds"]
        },
    }


def assert_as_expected(found: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Compare what `judged` returns; figures are the same but for the rounding of floats."""
    estimates, wanted_estimates = found.pop("thresholds"), wanted.pop("thresholds")
    assert found == wanted
    assert estimates.keys() == wanted_estimates.keys()
    for source, (verdict, *numbers) in wanted_estimates.items():
        assert estimates[source] == [verdict, *(number and pytest.approx(number) for number in numbers)]


@pytest.mark.parametrize("name", RUNS)
def test_recorded_runs_keep_their_verdicts(name: str, tmp_path: Path) -> None:
    """Open and closed loads, workers, a search and WebSockets: same verdicts, values and intervals.

    But for the lag of the event loop, by which the lower ends of latencies are lower than at the time; and a
    step of the search that was late in 2 % of its wake-ups has failed, where it had been left open. Intervals
    with one known end have it, where they had none at the time.
    """
    run, limits = tmp_path / name, tmp_path / "limits.yaml"
    shutil.copytree(GOLDEN / name, run)
    stated = (run / "thresholds.yaml").read_text(encoding="utf-8")
    for former, present in RENAMED.items():
        stated = stated.replace(former, present)
    limits.write_text(stated, encoding="utf-8")

    found = judged(run, run / "verdict.json", "--thresholds", str(limits))

    assert_as_expected(found, expected(name))


def test_plain_csv_files_keep_their_verdict(tmp_path: Path) -> None:
    """The CSV files of plain Locust, without a recording: same verdict and values.

    The interval of a percentile is that of Locust's rounding, with the failures among it; a rate is exact but
    for the time after the last request; an error rate is Wilson's. At the time, blocks widened all of them.
    """
    shutil.copytree(GOLDEN.parent / "locust_2_47", tmp_path, dirs_exist_ok=True)
    limits = tmp_path / "limits.yaml"
    limits.write_text("thresholds: [p95 < 2 s, p95 < 1 ms, error_rate < 1%, rps > 1]\n", encoding="utf-8")

    found = judged(tmp_path / "full", tmp_path / "full_verdict.json", "--thresholds", str(limits))

    assert_as_expected(found, expected("csv"))
