"""Loading: real and damaged Locust files, run directories, and what names a run."""

from locust.stats import RequestStats, StatsCSV, bucket_response_time

import csv
import io
import json
import math
import os
import shutil
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from plimsoll.run_files.files import RUN_SCHEMA_VERSION
from reports.errors import DataError
from reports.load.description import read_description
from reports.load.run import (
    AGGREGATED,
    FAILURE_COLUMNS,
    HISTORY_COLUMNS,
    REQUEST_COLUMNS,
    STAGE_COLUMNS,
    Run,
    Stage,
)
from reports.load.run_files import load, locate
from reports.thresholds.reading import parse_thresholds
from reports.verdict.verdict import reach_verdict
from tests.judged import reasons_of, thresholds
from tests.make_directory import seal, write_run_directory
from tests.make_recorded import even, interval_table, write_intervals

DATA = Path(__file__).parents[1] / "data" / "locust_2_47"
STATS_HEADER = (
    "Type,Name,Request Count,Failure Count,Median Response Time,Average Response Time,Min Response Time,"
    "Max Response Time,Average Content Size,Requests/s,Failures/s,"
    "50%,66%,75%,80%,90%,95%,98%,99%,99.9%,99.99%,100%"
)
ROW = "GET,a,100,1,10,12.5,1.5,80.5,2.0,10.0,0.1,10,11,12,13,20,30,40,50,80,80,80"
TOTAL = ROW.replace("GET,a", ",Aggregated")
HISTORY_HEADER = (
    "Timestamp,User Count,Type,Name,Requests/s,Failures/s,50%,66%,75%,80%,90%,95%,98%,99%,99.9%,99.99%,100%,"
    "Total Request Count,Total Failure Count,Total Median Response Time,Total Average Response Time,"
    "Total Min Response Time,Total Max Response Time,Total Average Content Size"
)
FILES = ("_stats.csv", "_stats_history.csv", "_failures.csv", "_exceptions.csv")
THRESHOLDS = parse_thresholds(
    "thresholds: [p95 < 1 s, mean of a < 1 s, error_rate < 5%, rps > 1, max < 1 s, p99.5 of '*a*' < 1 s]"
)


def history_row(second: int, users: int, n: int, name: str = ",Aggregated") -> str:
    """Return a line of the history in which n requests of 10 ms were made, none failed."""
    percentiles = ",".join(["10" if n else "N/A"] * 11)
    return f"{1_800_000_000 + second},{users},{name},1.0,0.0,{percentiles},{n},0,10,10.0,10,10,2"


def loaded(folder: Path, **files: str | bytes) -> Run:
    """Write the named files (`stats`, `stats_history`, …) of prefix `x` and load them."""
    for name, content in files.items():
        raw = content if isinstance(content, bytes) else content.encode()
        (folder / f"x_{name}.csv").write_bytes(raw)
    return load(locate(folder / "x"))


def lines(*rows: str, end: str = "\r\n") -> str:
    """Return the rows as Locust writes them."""
    return "".join(f"{row}{end}" for row in rows)


@pytest.mark.parametrize(("prefix", "named", "made"), [("full", True, 1241), ("plain", False, 1228)])
def test_real_files_are_read(prefix: str, *, named: bool, made: int) -> None:
    """The files of a real run, with and without full history, are read without a warning."""
    run = load(locate(DATA / prefix))
    assert run.warnings == ()
    assert run.has_named_history is named
    assert run.total["n"].tolist() == [made] == [run.requests["n"].sum()]
    assert run.requests["name"].tolist() == ['odd, "name"', "pages.list"]
    assert run.failures["occurrences"].tolist() == [42]
    assert run.failures["first_seen"].tolist()[0].startswith("2026-11-21T00:")
    assert run.history["n"].iloc[-1] == made
    assert run.duration_s == pytest.approx(11, abs=0.01)
    assert run.meta.id == prefix
    assert run.meta.started == "2026-11-21T00:49:59.000Z"
    assert run.stages.empty
    assert list(run.requests.columns[:9]) == list(REQUEST_COLUMNS)
    assert {"p50_ms", "p66_ms", "p99.9_ms", "p99.99_ms"} <= set(run.requests.columns)
    assert "p100_ms" not in run.requests.columns
    assert list(run.history.columns) == list(HISTORY_COLUMNS)


def test_unknown_windows_are_unknown_not_zero() -> None:
    """Locust writes 0 for percentiles of a window it does not know; read back that is NaN."""
    run = load(locate(DATA / "full"))
    first = run.history[run.history["name"] == "pages.list"].iloc[0]
    assert first["n"] > 0
    assert math.isnan(first["p95_ms"])


def test_files_of_another_version_are_read(tmp_path: Path) -> None:
    """Older files lack the times of failures, newer or patched ones have other percentiles and columns."""
    run = loaded(
        tmp_path,
        stats=lines(
            STATS_HEADER.replace("99.99%", "99.999%") + ",Apdex", f"{ROW},1.0", f"{TOTAL},1.0", end="\r\r\n"
        ),
        failures=lines("Method,Name,Error,Occurrences", 'GET,a,"bad, ""odd""\nline",7', end="\r\r\n"),
        exceptions=lines("Count,Message,Traceback,Nodes", '2,oops,"one\r\ntwo",local'),
    )
    assert run.requests["p99.999_ms"].tolist() == [80]
    assert "p99.99_ms" not in run.requests.columns
    assert run.failures.iloc[0].tolist() == ["GET", "a", 'bad, "odd"\nline', 7, "", ""]
    assert run.exceptions.iloc[0].tolist() == [2, "oops", "one\ntwo"]
    assert list(run.failures.columns) == list(FAILURE_COLUMNS)
    assert [warning for warning in run.warnings if "missing" not in warning] == [
        "x_stats_history.csv: No such file or directory"
    ]


def test_numbers_of_either_kind_and_unknown_ones_are_read(tmp_path: Path) -> None:
    """Whole and broken numbers, N/A and words that pandas would take for missing are read as they are."""
    odd = "GET,NA,100.0,1,10,N/A,1,80,2,10,0.1,10,,nan,13,20,3e1,40,inf,80,80,80"
    run = loaded(tmp_path, stats=lines(STATS_HEADER, odd, TOTAL))
    row = run.requests.iloc[0]
    assert (row["name"], row["n"], row["p95_ms"]) == ("NA", 100, 30)
    assert math.isnan(row["mean_ms"])
    assert math.isnan(row["p66_ms"])
    assert math.isnan(row["p99_ms"])


@pytest.mark.parametrize(
    ("stats", "names", "warning"),
    [
        (lines(STATS_HEADER, ROW, TOTAL) + "GET,b,5", ["a"], "the last line is cut off"),
        (lines(STATS_HEADER, ROW, TOTAL) + 'GET,"b,5\r\n', ["a"], "the last line is cut off"),
        (lines(STATS_HEADER, ROW, TOTAL, ROW), ["a"], "rows left over after the total"),
        (lines(STATS_HEADER, ROW, TOTAL).encode() + b"\0" * 100, ["a"], "NUL bytes dropped"),
        (lines(STATS_HEADER, ROW, f"{ROW},7,8", TOTAL), ["a", "a"], ""),
        (lines(STATS_HEADER, ROW, "GET,b", TOTAL), ["a"], "1 row with unreadable counts dropped"),
        (lines(STATS_HEADER, ROW, "GET,b,5,6", TOTAL), ["a"], "1 row with unreadable counts dropped"),
        (lines(STATS_HEADER, ROW), ["a"], "Locust's row over all requests is missing"),
        (lines(STATS_HEADER, ROW, TOTAL).replace("GET,a", "GET,\xff").encode("latin-1"), ["\ufffd"], ""),
        (b"\xef\xbb\xbf" + lines(STATS_HEADER, ROW, TOTAL).encode(), ["a"], ""),
        (lines(STATS_HEADER, 'GET,a"b' + ROW[5:], 'GET,"c' + ROW[5:]), [], "unreadable"),
        (lines(STATS_HEADER + ",Name", f"{ROW},z", f"{TOTAL},z"), ["a"], ""),
    ],
)
def test_damaged_statistics_are_read_as_far_as_they_go(
    tmp_path: Path, stats: str | bytes, names: list[str], warning: str
) -> None:
    """A damaged file gives the rows that are whole, and says what was dropped."""
    history = lines(HISTORY_HEADER, history_row(9, 1, 100))
    run = loaded(tmp_path, stats=stats, stats_history=history)
    assert run.requests["name"].tolist() == names
    assert run.total["n"].tolist() == [100]
    assert warning in "; ".join(run.warnings)


IMPOSSIBLE = [
    ("a", "95%", "-5", "-5 is negative"),
    ("a", "95%", "19", "19 is below the 90%"),
    ("Aggregated", "99.99%", "92", "92 is above the maximum"),
    ("a", "50%", "0", "0 is below the minimum"),
    ("a", "99%", "nan", "nan is no number"),
    ("a", "99%", "N/A", "nan is no number"),
    ("Aggregated", "Max Response Time", "81.5", "81.5 is not 80.5, as the rows by name say"),
    ("Aggregated", "95%", "35", "35 is not 30, as the rows by name say"),
    ("a", "99.99%", "70", "70 is below the maximum, though it is of the slowest request"),
    ("a", "99.99%", "81", "81 is above the 99.9%, though it is of the same request"),
    ("a", "Min Response Time", "81", "81 is above the maximum"),
    ("a", "Request Count", "-100", "-100 is negative"),
    ("Aggregated", "Failure Count", "-1", "-1 is negative"),
    ("a", "Failure Count", "101", "101 is more than the requests"),
    ("Aggregated", "Request Count", "x", "nan is no number"),
    ("a", "Average Response Time", "nan", "nan is no number"),
    ("a", "Average Response Time", "99", "99 is above the maximum"),
    ("a", "Max Response Time", "-80.5", "-80.5 is negative"),
    ("a", "Min Response Time", "", "nan is no number"),
    ("a", "Requests/s", "-10", "-10 is negative"),
    ("a", "Requests/s", "17.5", "17.5 is not 100 requests in the 10.0 s of the other rows"),
]


@pytest.mark.parametrize(("name", "column", "value", "reason"), IMPOSSIBLE)
def test_statistics_that_cannot_be_never_pass(
    tmp_path: Path, name: str, column: str, value: str, reason: str
) -> None:
    """A figure that Locust cannot have written is named by file, row and column, and nothing passes."""
    other = ROW.replace("GET,a", "GET,b")
    total = TOTAL.replace("100,1,", "200,2,").replace(",10.0,0.1", ",20.0,0.2")
    rows = [row.split(",") for row in (ROW, other, total)]
    at = [row[1] for row in rows].index(name)
    rows[at][STATS_HEADER.split(",").index(column)] = value
    history = lines(HISTORY_HEADER, *(history_row(second, 1, 20 * second) for second in range(11)))
    run = loaded(tmp_path, stats=lines(STATS_HEADER, *(",".join(row) for row in rows)), stats_history=history)

    request = "Aggregated" if name == "Aggregated" else "GET a"
    place = f"x_stats.csv, row {at + 1} ('{request}'), column '{column}'"
    assert f"{place}: {reason}" in run.damage
    verdict = reach_verdict(run, parse_thresholds("thresholds: [error_rate < 50%, p95 < 1 s]"))
    assert verdict["verdict"] != "PASS"
    assert reasons_of(verdict)[0].startswith("files_complete: x_stats")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("80,0,10,10.0", "80,-1,10,10.0", "column 'Total Failure Count': -1 is negative"),
        ("80,0,10,10.0", "80,81,10,10.0", "column 'Total Failure Count': 81 is more than the requests"),
        ("80,0,10,10.0", "-80,0,10,10.0", "column 'Total Request Count': -80 is negative"),
        ("80,0,10,10.0", "inf,0,10,10.0", "column 'Total Request Count': nan is no number"),
    ],
)
def test_history_that_cannot_be_never_passes(tmp_path: Path, old: str, new: str, reason: str) -> None:
    """Counts of the history that cannot be are named by file, row and column, as intervals come from them."""
    rows = [history_row(second, 1, 10 * second) for second in range(11)]
    history = lines(HISTORY_HEADER, *rows).replace(f",{old}", f",{new}")
    run = loaded(tmp_path, stats=lines(STATS_HEADER, ROW, TOTAL), stats_history=history)

    assert f"x_stats_history.csv, row 9 ('Aggregated'), {reason}" in run.damage
    assert reach_verdict(run, parse_thresholds("thresholds: [p95 < 1 s]"))["verdict"] == "INCONCLUSIVE"


@pytest.mark.parametrize(
    ("row", "total"),
    [
        (ROW, "103,1,10,42.7,1.5,1048,2.0,10.30,0.1,10,11,12,13,20,30,40,1000,1000,1000,1000"),
        (
            "GET,a,0,0,0,0,0,0,0,0.0,0.0" + 11 * ",N/A",
            "3,0,1000,1048.0,1048,1048,5,0.3,0" + 11 * ",1000",
        ),
    ],
)
def test_figures_as_locust_rounds_them_are_sound(tmp_path: Path, row: str, total: str) -> None:
    """Percentiles over the maximum by rounding, short rates and N/A are no damage."""
    rounded = "GET,b,3,0,1049,1048.0,1048,1048,5,0.30,0.00" + 11 * ",1000"
    run = loaded(tmp_path, stats=lines(STATS_HEADER, row, rounded, f"None,Aggregated,{total}"))
    assert run.damage == ()


QUANTILES = (0.5, 0.66, 0.75, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999, 0.9999)


def written_by_locust(names: list[list[tuple[float, bool]]]) -> list[list[str]]:
    """Return Locust's statistics of the requests of each name: latency in ms, and whether it failed."""
    stats = RequestStats()
    for number, requests in enumerate(names):
        for latency_ms, failed in requests:
            stats.log_request("GET", f"name{number}", cast("int", latency_ms), 2)
            if failed:
                stats.log_error("GET", f"name{number}", "odd")
    file = io.StringIO()
    environment: Any = SimpleNamespace(stats=stats)
    StatsCSV(environment, [*QUANTILES, 1.0]).requests_csv(csv.writer(file))
    return list(csv.reader(io.StringIO(file.getvalue())))[1:]


REQUESTS = st.lists(
    st.lists(st.tuples(st.floats(0.1, 30_000), st.booleans()), min_size=1, max_size=40),
    min_size=1,
    max_size=3,
)


EXAMPLES = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@EXAMPLES
@given(names=REQUESTS)
@pytest.mark.no_cover
def test_whatever_locust_writes_is_sound(tmp_path: Path, names: list[list[tuple[float, bool]]]) -> None:
    """Statistics as Locust itself writes them are never taken for damaged."""
    run = loaded(tmp_path, stats=lines(STATS_HEADER, *map(",".join, written_by_locust(names))))
    assert run.damage == ()


def is_possible(rows: list[list[str]]) -> bool:
    """Tell whether Locust could have written the latencies of some names, and of all in the last row."""
    latencies = np.array([[row[6], *row[11:21], row[7], row[5]] for row in rows]).astype(float)
    counts = [int(row[2]) for row in rows]
    if not (np.isfinite(latencies) & (latencies >= 0)).all():
        return False
    for n, (least, *percentiles, most, mean) in zip(counts, latencies, strict=True):
        ordered = [bucket_response_time(least), *percentiles, bucket_response_time(most)]
        ranks = [(int(n * q - 1e-6), int(n * q + 1e-6)) for q in QUANTILES]
        same = [a == b for (a, _), (_, b) in pairwise([*ranks, (n - 1, n - 1)])]
        if any(is_same and a < b for is_same, (a, b) in zip(same, pairwise(ordered[1:]), strict=True)):
            return False
        if ordered != sorted(ordered) or not least * (1 - 1e-9) <= mean <= most * (1 + 1e-9):
            return False
    names, total = latencies[:-1], latencies[-1]
    within = (names.min(axis=0) * (1 - 1e-9) <= total) & (total <= names.max(axis=0) * (1 + 1e-9))
    return bool(within.all() and total[0] == names[:, 0].min() and total[-2] == names[:, -2].max())


@EXAMPLES
@given(
    names=REQUESTS, row=st.integers(0, 3), column=st.sampled_from([5, 6, 7, *range(11, 21)]), data=st.data()
)
@pytest.mark.no_cover
def test_no_impossible_latency_is_overlooked(
    tmp_path: Path, names: list[list[tuple[float, bool]]], row: int, column: int, data: st.DataObject
) -> None:
    """A changed latency that Locust cannot have written beside the others is damage: nothing passes."""
    rows = written_by_locust(names)
    values = st.sampled_from(["nan", "-1", "", "inf", "x"]) | st.floats(0.1, 40_000).map(str)
    near = st.sampled_from([0.9, 0.99, 1.01, 1.1]).map(lambda factor: str(factor * float(cell)))
    cell = rows[min(row, len(names))][column]
    rows[min(row, len(names))][column] = data.draw(values | near)
    with suppress(ValueError):  # no number
        assume(not is_possible(rows))
    assert loaded(tmp_path, stats=lines(STATS_HEADER, *map(",".join, rows))).damage


def test_secrets_in_plain_files_are_masked(tmp_path: Path) -> None:
    """What Locust wrote without Plimsoll is masked as it is read: names, errors and tracebacks."""
    name, masked = "/?token=s3cret", "/?token=***"
    run = loaded(
        tmp_path,
        stats=lines(STATS_HEADER, ROW.replace("GET,a", f"GET,{name}"), TOTAL),
        stats_history=lines(
            HISTORY_HEADER, history_row(0, 1, 100, name=f"GET,{name}"), history_row(0, 1, 100)
        ),
        failures=lines("Method,Name,Error,Occurrences", f"GET,{name},password=s3cret,1"),
        exceptions=lines("Count,Message,Traceback", "1,password=s3cret,pw=s3cret"),
    )
    assert [run.requests["name"][0], run.history["name"][0], run.failures["name"][0]] == [masked] * 3
    assert run.failures["error"].tolist() == ["password=***"]
    assert run.exceptions[["message", "traceback"]].to_numpy().tolist() == [["password=***", "pw=***"]]


def test_damage_of_csv_files_matters_only_where_they_are_judged(tmp_path: Path) -> None:
    """A run that was recorded second by second is judged from that, whatever stands in Locust's files."""
    write_intervals(tmp_path / "intervals.arrow", interval_table(even(60)))
    seal(tmp_path, {"id": "x"})
    broken = ROW.replace(",20,30,", ",20,-30,")
    (tmp_path / "locust_stats.csv").write_text(lines(STATS_HEADER, broken, TOTAL))
    assert load(locate(tmp_path)).damage == ()


LOCUST_1 = {
    "stats": """"Type","Name","Request Count","Failure Count","Median Response Time","Average Response Time",\
"Min Response Time","Max Response Time","Average Content Size","Requests/s","Failures/s",\
"50%","66%","75%","80%","90%","95%","98%","99%","99.9%","99.99%","99.999%","100%"
"GET","/a",600,45,10,12,3,88,120,5.02,0.38,10,11,12,13,20,30,40,50,88,88,88,88
"POST","/b",300,9,10,12,3,91,120,2.51,0.08,10,11,12,13,20,30,40,50,91,91,91,91
"None","Aggregated",900,54,10,12,3,91,120,7.53,0.45,10,11,12,13,20,30,40,50,91,91,91,91""",
    "failures": """"Method","Name","Error","Occurrences"
"GET","/a","ConnectionError(\'refused\')",45
"POST","/b","504 Server Error",9""",
    "exceptions": '"Count","Message","Traceback","Nodes"',
}


def test_files_of_locust_1_are_read_to_their_last_line(tmp_path: Path) -> None:
    """Locust 1.x ends its files without a line end: their last lines are whole, and nothing is damaged."""
    whole = {name: text.replace("\\\n", "") for name, text in LOCUST_1.items()}
    run = loaded(tmp_path, stats_history=lines(HISTORY_HEADER, history_row(0, 1, 0)), **whole)

    assert (run.warnings, run.damage) == ((), ())
    assert run.total[["n", "failures", "p95_ms"]].to_numpy().tolist() == [[900, 54, 30]]
    assert run.failures["occurrences"].tolist() == [45, 9]
    assert run.duration_s == pytest.approx(900 / 7.53)


def test_fractions_that_locust_1_cut_off_are_not_known(tmp_path: Path) -> None:
    """A maximum of 91 ms in its files was below 92 ms: a percentile of 92 ms, from 91.6, is no damage."""
    stats = LOCUST_1["stats"].replace("\\\n", "")
    for failures, none in (("600,45", "600,0"), ("300,9", "300,0"), ("900,54", "900,0")):
        stats = stats.replace(failures, none)
    expected = {
        "mean < 13 ms": "PASS",
        "mean <= 12 ms": "INCONCLUSIVE",
        "mean >= 12 ms": "PASS",
        "max < 92 ms": "PASS",
        "max <= 91 ms": "INCONCLUSIVE",
        "max < 91 ms": "FAIL",
        "min <= 3 ms": "INCONCLUSIVE",
    }

    verdict = reach_verdict(loaded(tmp_path, stats=stats), thresholds(*expected))

    assert {each["source"]: each["verdict"] for each in verdict["thresholds"]} == expected
    assert loaded(tmp_path, stats=stats.replace("91,91,91", "92,92,92")).damage == ()
    assert loaded(tmp_path, stats=stats.replace("91,91,91", "93,93,93")).damage


@pytest.mark.parametrize("cut", [1, 3, 40])
def test_number_at_the_cut_end_of_a_file_is_not_taken_for_whole(tmp_path: Path, cut: int) -> None:
    """A last line that lacks fields is dropped; where it ends in a number, digits of that may be missing."""
    stats = LOCUST_1["stats"].replace("\\\n", "").replace(',"99.99%","99.999%","100%"', "")
    stats = stats.replace(",88,88,88", "").replace(",91,91,91", "")
    run = loaded(tmp_path, stats=stats[:-cut])
    assert "p99.9_ms" not in run.total or math.isnan(run.total["p99.9_ms"].iloc[0])
    assert run.damage


def test_columns_of_another_locust_are_named(tmp_path: Path) -> None:
    """The statistics of Locust 0.x are refused with the columns that are missing and those that are there."""
    old = '"Type","Name","# requests","# failures","Requests/s"\n"GET","/a",9,0,1.80\n"None","Total",9,0,1.8'
    with pytest.raises(DataError) as refused:
        loaded(tmp_path, stats=old)
    assert (
        "x_stats.csv: lacks 'Request Count', 'Failure Count', which Locust writes since 1.0; its columns are"
        " 'Type', 'Name', '# requests', '# failures', 'Requests/s'" in str(refused.value)
    )
    assert "cut off" not in str(refused.value)


@pytest.mark.parametrize(
    ("seconds", "over_8"),
    [
        pytest.param(None, "PASS", id="no history"),
        pytest.param(0, "PASS", id="history flushed once"),
        pytest.param(41, "PASS", id="history cut"),
        pytest.param(60, "PASS", id="history whole"),
        pytest.param(90, "INCONCLUSIVE", id="nothing answered at the end"),
    ],
)
def test_rate_is_the_one_that_locust_wrote(tmp_path: Path, seconds: int | None, over_8: str) -> None:
    """The rate is Locust's own however little of its history was flushed, unless that goes on for longer."""
    row, total = (line.replace(",100,1,", ",600,6,") for line in (ROW, TOTAL))
    files = {"stats": lines(STATS_HEADER, row, total)}
    if seconds is not None:
        rows = [history_row(second, 1, min(10 * second, 600)) for second in range(seconds + 1)]
        files["stats_history"] = lines(HISTORY_HEADER, *rows)
    run = loaded(tmp_path, **files)
    verdict = reach_verdict(run, parse_thresholds("thresholds: [rps > 8, rps > 11, error_rate < 5%]"))

    assert run.duration_s == max(60.0, seconds or 0)
    assert [limit["value"] for limit in verdict["thresholds"][:2]] == [10.0, 10.0]
    assert [limit["verdict"] for limit in verdict["thresholds"][:2]] == [over_8, "FAIL"]
    if over_8 != "PASS":
        assert "the last request was answered after 60 of 90 s" in verdict["thresholds"][0]["reason"]
    assert {check["check"]: check["ok"] for check in verdict["validity"]}["min_duration"]


def test_history_that_was_begun_again_counts_from_there(tmp_path: Path) -> None:
    """After a second run in the web UI, or a reset, the length of the history is that of the last counts."""
    rows = [history_row(second, 1, 10 * second) for second in range(101)]
    rows += [history_row(second + 200, 1, 10 * second) for second in range(11)]
    run = loaded(tmp_path, stats=lines(STATS_HEADER, ROW, TOTAL), stats_history=lines(HISTORY_HEADER, *rows))
    assert run.duration_s == 10


def test_request_named_aggregated_is_a_request(tmp_path: Path) -> None:
    """Only the row without a type is Locust's total."""
    run = loaded(tmp_path, stats=lines(STATS_HEADER, ROW.replace("GET,a", "GET,Aggregated"), TOTAL))
    assert run.requests["name"].tolist() == [AGGREGATED]
    assert len(run.total) == 1


def test_lost_statistics_come_from_the_history(tmp_path: Path) -> None:
    """After a kill that emptied the statistics the last history rows give the counts."""
    run = loaded(
        tmp_path,
        stats="",
        stats_history=lines(
            HISTORY_HEADER,
            history_row(0, 0, 0),
            history_row(1, 5, 40, "GET,a"),
            history_row(1, 5, 40),
            history_row(9, 5, 90, "GET,a"),
            history_row(9, 5, 90),
        )
        + "180000",
    )
    assert run.requests[["name", "n"]].to_numpy().tolist() == [["a", 90]]
    assert run.total["n"].tolist() == [90]
    assert "x_stats.csv: empty" in run.warnings
    assert "x_stats_history.csv: the last line is cut off and was dropped" in run.warnings
    assert reach_verdict(run, THRESHOLDS)["verdict"] == "INCONCLUSIVE"


def test_idle_time_around_the_load_is_cut(tmp_path: Path) -> None:
    """A web UI that was open before and after the run does not count as its duration."""
    rows = [history_row(second, 0, 0) for second in range(5)]
    rows += [history_row(second, 3, second - 4) for second in range(5, 25)]
    rows += [history_row(second, 0, 20) for second in range(25, 60)]
    run = loaded(tmp_path, stats=lines(STATS_HEADER, ROW, TOTAL), stats_history=lines(HISTORY_HEADER, *rows))
    assert run.duration_s == 21
    assert run.history["n"].iloc[[0, -1]].tolist() == [0, 20]


def test_idle_history_stays_when_there_was_no_load(tmp_path: Path) -> None:
    """A history without any load is kept, and rows without a count are dropped."""
    rows = [history_row(second, 0, 0) for second in range(5)]
    broken = history_row(5, 0, 0).replace(",0,0,10,10.0", ",x,0,10,10.0")
    history = lines(HISTORY_HEADER, *rows, broken)
    run = loaded(tmp_path, stats=lines(STATS_HEADER, ",Aggregated,0,0"), stats_history=history)
    assert run.duration_s == 4
    assert "x_stats_history.csv: 1 unreadable row dropped" in run.warnings
    assert "any_requests: no request was made" in reasons_of(reach_verdict(run, THRESHOLDS))


def test_names_that_became_one_add_up(tmp_path: Path) -> None:
    """Two names that differed in a secret are rows of one name in each of Locust's writes: they add up.

    Two writes that bear the same second stay two.
    """
    rows = []
    for second, write in ((0, 0), (1, 1), (2, 2), (2, 3)):
        twins = (10 * write, 3 * write)
        rows += [history_row(second, 5, n, name="GET,/?key=***") for n in twins]
        rows += [history_row(second, 5, 7 * write, name="GET,b"), history_row(second, 5, 20 * write)]
    run = loaded(tmp_path, stats=lines(STATS_HEADER, ROW, TOTAL), stats_history=lines(HISTORY_HEADER, *rows))

    merged = run.history[run.history["name"] == "/?key=***"]

    assert merged["n"].tolist() == [0, 13, 26, 39]
    assert merged["mean_ms"].tolist()[1:] == [10, 10, 10]
    assert merged["p95_ms"].isna().all()
    assert run.history[run.history["name"] == "b"]["n"].tolist() == [0, 7, 14, 21]
    assert run.history[run.history["name"] == "b"]["p95_ms"].tolist()[1:] == [10, 10, 10]


def test_what_a_recorded_run_lacks_is_damage(tmp_path: Path) -> None:
    """A run that says it was recorded second by second must have what was recorded, to pass."""
    seal(tmp_path, {"id": "x", "lost_workers": []})
    (tmp_path / "locust_stats.csv").write_text(lines(STATS_HEADER, ROW, TOTAL))

    damage = load(locate(tmp_path)).damage

    assert [words.split(",")[0].split(" or ")[0] for words in damage] == ["intervals.arrow", "health.csv"]


def test_start_beyond_any_calendar_is_unknown(tmp_path: Path) -> None:
    """A damaged time stamp gives an unknown start, not a crash."""
    row = history_row(0, 1, 1).replace("1800000000", "99999999999999")
    run = loaded(tmp_path, stats=lines(STATS_HEADER, ROW, TOTAL), stats_history=lines(HISTORY_HEADER, row))
    assert run.meta.started is None


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(contents=st.lists(st.binary(max_size=400), min_size=4, max_size=4), damage=st.binary(max_size=60))
@pytest.mark.no_cover
def test_any_bytes_are_read_or_refused(tmp_path: Path, contents: list[bytes], damage: bytes) -> None:
    """Whatever bytes are in the files, a run is loaded and judged or refused as DataError."""
    headers = [STATS_HEADER.encode(), HISTORY_HEADER.encode(), b"", b"Count,Message"]
    for suffix, header, content in zip(FILES, headers, contents, strict=True):
        (tmp_path / f"x{suffix}").write_bytes(header + damage + b"\r\n" + content)
    try:
        run = load(locate(tmp_path / "x"))
    except DataError:
        return
    json.dumps(reach_verdict(run, THRESHOLDS), allow_nan=False)


cells = st.sampled_from(
    ["", "0", "1", "-1", "5.5", "1e300", "nan", "inf", "N/A", "GET", "a", "Aggregated", '"', "x"]
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    stats=st.lists(st.lists(cells, max_size=23), max_size=5),
    history=st.lists(st.lists(cells, max_size=25), max_size=8),
)
@pytest.mark.no_cover
def test_any_cells_are_judged(tmp_path: Path, stats: list[list[str]], history: list[list[str]]) -> None:
    """Whatever stands in the cells of good columns, a run is loaded and judged."""
    run = loaded(
        tmp_path,
        stats=lines(STATS_HEADER, ROW, *(",".join(row) for row in stats), TOTAL),
        stats_history=lines(HISTORY_HEADER, history_row(0, 1, 1), *(",".join(row) for row in history)),
    )
    json.dumps(reach_verdict(run, THRESHOLDS), allow_nan=False)


@pytest.mark.parametrize("name", ["x", "x_stats.csv", "x_stats_history.csv", "x_failures.csv", "."])
def test_plain_run_is_found(tmp_path: Path, name: str) -> None:
    """A run is named by its prefix, by one of its files, or by the folder that holds no other."""
    loaded(tmp_path, stats=lines(STATS_HEADER, ROW, TOTAL))
    place = locate(tmp_path / name)
    assert (place.folder, place.prefix, place.is_run_directory) == (tmp_path, "x", False)
    assert place.view("report.html") == tmp_path / "x_report.html"


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    """An empty folder, an unknown prefix, two runs in a folder and empty files say what was looked for."""
    with pytest.raises(DataError, match=r"looked for run.json or files ending in _stats.csv .* found none"):
        locate(tmp_path)
    with pytest.raises(DataError, match=r"none of x_stats.csv, x_stats_history.csv, .* exists beside it"):
        locate(tmp_path / "x")
    with pytest.raises(DataError, match="it is no folder"):
        locate(tmp_path / "nowhere" / "x_stats.csv")
    with pytest.raises(DataError, match=r"nothing to judge in .*: x_stats.csv: empty"):
        loaded(tmp_path, stats="")
    with pytest.raises(DataError, match=r"x_stats.csv: lacks 'Name', .* are 'Date', 'Value'"):
        loaded(tmp_path, stats="Date,Value\n1,2\n")
    (tmp_path / "y_stats.csv").touch()
    with pytest.raises(DataError, match="found those of 'x', 'y'; name one"):
        locate(tmp_path)


@pytest.fixture
def run_directory(tmp_path: Path) -> Path:
    """A run directory with the files of a real run, its run.json and schedule.csv."""
    for suffix in FILES:
        shutil.copy(DATA / f"full{suffix}", tmp_path / f"locust{suffix}")
    description = {
        "schema_version": RUN_SCHEMA_VERSION,
        "id": "20261121T004959Z-demo",
        "profile": "demo",
        "journeys": ["PagesUser"],
        "request_names": ["pages.list"],
        "load_model": "closed",
        "shape": "RampShape",
        "stages": [
            {"name": "hold", "from_s": 0, "to_s": 11.0, "from_users": 10, "to_users": 10},
            {"name": "odd"},
            7,
        ],
        "planned_duration_s": 11.0,
        "user_scale": 0.1,
        "time_scale": True,
        "host": "http://127.0.0.1:8000",
        "versions": {"locust": "2.47.0"},
        "environment": {"cores": 2},
        "started": "2026-11-21T00:49:59.100Z",
        "ended": "2026-11-21T00:50:10.600Z",
        "end_reason": "schedule ended",
        "workers": None,
    }
    stages = [f"{1_795_222_199 + second},{second}.0,hold,10,10" for second in range(11)]
    (tmp_path / "schedule.csv").write_text(lines(",".join(STAGE_COLUMNS), *stages, end="\n"))
    seal(tmp_path, description)
    return tmp_path


def test_run_directory_is_read(run_directory: Path) -> None:
    """Everything of run.json and schedule.csv is in the run, whichever way the directory is named."""
    for path in (run_directory, run_directory / "locust", run_directory / "locust_stats.csv"):
        place = locate(path)
        assert place.is_run_directory
    assert place.view("report.html") == run_directory / "report.html"
    run = load(place)
    assert run.warnings == ()
    assert run.meta.recorded
    assert (run.meta.id, run.meta.profile) == ("20261121T004959Z-demo", "demo")
    assert run.meta.stages == (Stage("hold", 0.0, 11.0, 10, 10),)
    assert (run.meta.user_scale, run.meta.time_scale) == (0.1, 1.0)
    assert (run.meta.workers, run.meta.request_names) == ((), ("pages.list",))
    assert run.duration_s == pytest.approx(11.5)
    assert run.stages["users"].tolist() == [10] * 11
    verdict = reach_verdict(run, parse_thresholds("thresholds: [p95 < 1 s, rps > 100, error_rate < 90%]"))
    assert (verdict["verdict"], verdict["thresholds"][1]["limit"]) == ("PASS", 10)


@pytest.mark.parametrize(
    ("content", "warning"),
    [
        (b"", "run.json: not valid JSON"),
        (b'{"id": "x"', "run.json: not valid JSON"),
        (b"[" * 100_000, "run.json: not valid JSON"),
        (b"\xff", "run.json: not valid JSON"),
        (b"[]", "run.json: not a JSON object"),
    ],
)
def test_damaged_description_is_a_warning(run_directory: Path, content: bytes, warning: str) -> None:
    """A run directory with a damaged run.json is still read, under its folder's name."""
    (run_directory / "run.json").write_bytes(content)
    run = load(locate(run_directory))
    assert warning in run.warnings
    assert run.meta.id == run_directory.name
    assert run.meta.started == "2026-11-21T00:49:59.000Z"


@pytest.mark.parametrize(
    "name", ["run.json", "schedule.csv", "health.csv", "intervals.arrow", "locust_stats.csv"]
)
def test_what_is_no_regular_file_is_a_warning(run_directory: Path, name: str) -> None:
    """A pipe or a device in the place of a file is neither waited for nor read without end."""
    os.mkfifo(run_directory / "pipe")
    for path in (Path("/dev/zero"), run_directory / "pipe"):
        (run_directory / name).unlink(missing_ok=True)
        (run_directory / name).symlink_to(path)

        assert f"{name}: it is not a regular file" in load(locate(run_directory)).warnings


def test_odd_values_of_the_description_are_unknown(tmp_path: Path) -> None:
    """Values of a wrong type, infinite numbers and lone surrogates are unknown or replaced."""
    odd = '"user_scale": Infinity, "time_scale": -1, "journeys": "x", "versions": []'
    content = f'{{"id": 7, "host": "\\ud800", {odd}}}'
    (tmp_path / "run.json").write_text(content)
    meta, notes = read_description(tmp_path / "run.json", "folder")
    assert notes == []
    assert (meta.id, meta.host, meta.user_scale, meta.time_scale) == ("folder", "?", 1.0, 1.0)
    assert (meta.journeys, meta.versions) == ((), {})
    assert read_description(tmp_path / "none", "folder")[1] == ["none: No such file or directory"]


def test_run_directory_without_csvs_is_inconclusive(run_directory: Path) -> None:
    """A run whose process died before Locust wrote anything has a description, hence a verdict."""
    for suffix in FILES:
        (run_directory / f"locust{suffix}").unlink()
    run = load(locate(run_directory))
    assert reach_verdict(run, THRESHOLDS)["verdict"] == "INCONCLUSIVE"


def test_sums_of_requests_stand_in_for_a_lost_total(tmp_path: Path) -> None:
    """Without Locust's total counts and extremes are those of the requests, percentiles unknown."""
    other = ROW.replace("GET,a,100,1", "GET,b,300,3").replace("12.5,1.5,80.5", "20.5,0.5,90.5")
    run = loaded(tmp_path, stats=lines(STATS_HEADER, ROW, other))
    total = run.total.iloc[0]
    assert total["n"] == 400
    assert total["failures"] == 4
    # (100 × 12.5 + 300 × 20.5) / 400 = 18.5
    assert (total["mean_ms"], total["min_ms"], total["max_ms"]) == (18.5, 0.5, 90.5)
    assert "p95_ms" not in run.total.columns


def test_history_of_a_recorded_run_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A recorded run tells all that Locust's history does, which is by far its longest file."""
    place = locate(write_run_directory(tmp_path / "run"))
    read: list[str] = []
    opened = os.open

    def opening(path: Path, *arguments: int) -> int:
        read.append(Path(path).name)
        return opened(path, *arguments)

    monkeypatch.setattr(os, "open", opening)
    assert load(place).history.empty
    assert "locust_stats.csv" in read
    assert "locust_stats_history.csv" not in read
