"""Limits while a load goes on: how they stand, and which of them ends it."""

import io
import itertools
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from measured import abort_rates
from reports import watching
from reports.cli import main
from reports.load.run import Run, Stage
from reports.thresholds.reading import parse_thresholds
from reports.watched import abort_by, breach_of
from tests.make_csv import START_S
from tests.make_directory import write_run_directory
from tests.make_recorded import interval_table, recorded, requests

NOW_S = int(START_S) + 120
HOLD = Stage("hold", 0, 120, 10, 10)


def spread_over(
    seconds: int, rate: int, slow: Sequence[tuple[int, int, float]] = (), **more: Any
) -> pd.DataFrame:
    """Return requests of 100 ms, and in spans (from, to, ratio) so many of 900 ms among them."""
    at_s = np.arange(seconds * rate) / rate
    latency_ms = np.full(len(at_s), 100.0)
    for from_s, to_s, ratio in slow:
        within = (at_s >= from_s) & (at_s < to_s)
        latency_ms[within & (np.arange(len(at_s)) * ratio % 1 < ratio)] = 900.0
    return requests(START_S + at_s, latency_ms, **more)


def run_of(made: pd.DataFrame, **meta: Any) -> Run:
    """Return the run of these requests, counted over 500 ms."""
    return recorded(made, 500.0, **meta)


def aborts(limit: str, run: Run, now_s: int = NOW_S, after: str = "0 s") -> bool:
    """Tell whether a limit ends the load."""
    entry = f"{{expr: {json.dumps(limit)}, abort: true, after: {after}}}"
    return abort_by(parse_thresholds(f"thresholds: [{entry}]"), run, now_s) is not None


@pytest.mark.parametrize(
    ("slow", "expected"),
    [
        ((), False),
        (((0, 120, 0.02),), False),
        (((90, 120, 0.5),), True),
        (((115, 120, 1.0),), False),
        (((108, 114, 1.0),), False),
        (((60, 120, 0.06),), False),
        (((0, 120, 0.5),), True),
    ],
    ids=["nothing slow", "2 %", "half for 30 s", "5 s at the end", "6 s within", "a little over", "always"],
)
def test_a_lasting_breach_ends_the_load(slow: Sequence[tuple[int, int, float]], expected: bool) -> None:
    """Half of the requests over the limit of p95 for 30 s do; a stall of seconds does not, nor chance."""
    assert aborts("p95 < 500 ms", run_of(spread_over(120, 20, slow))) is expected


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        ("error_rate < 10%", True),
        ("error_rate < 60%", False),
        ("error_rate of b < 10%", False),
        ("rps > 30", True),
        ("rps > 18", False),
        ("rps < 5", True),
        ("mean < 150 ms", True),
        ("mean < 1 s", False),
        ("mean between 10 ms and 150 ms", True),
    ],
)
def test_rates_and_means_end_it_too(limit: str, expected: bool) -> None:
    """Of 20 requests a second half fail, and the mean of the others is 500 ms, in the last half minute."""
    made = spread_over(120, 20, ((90, 120, 0.5),))
    at_s = made["at_s"] - START_S
    failed = (np.arange(len(made)) % 2 == 1) & (at_s >= 90).to_numpy()
    assert aborts(limit, run_of(made.assign(failed=failed))) is expected


def test_checks_and_rates_of_the_journeys() -> None:
    """A share that falls below its limit for good ends the load, by the name of the rate or check."""
    n = 20 * 120
    hit = (np.arange(n) % 2 == 0) | (np.arange(n) < 20 * 90)
    at_s = START_S + np.arange(n) / 20
    for kind, limit in (("rate", "rate of cache.hit > 80%"), ("check", "checks of cache.hit > 80%")):
        made = requests(at_s, np.zeros(n), failed=~hit, name="cache.hit", request_type=kind)
        assert aborts(limit, run_of(made))


def test_nothing_is_aborted_in_the_grace_or_the_ramp() -> None:
    """Everything is slow: `after` says when it counts, and what a planned ramp or warm-up does never does."""
    run = run_of(spread_over(120, 20, ((0, 120, 1.0),)))
    ramp = [Stage("ramp", 0, 95, 0, 10), Stage("hold", 95, 500, 10, 10)]

    assert aborts("p95 < 500 ms", run, after="119 s")
    assert not aborts("p95 < 500 ms", run, after="121 s")
    assert not aborts("p95 < 500 ms", run_of(spread_over(120, 20, ((0, 120, 1.0),)), stages=ramp))
    assert not aborts("p95 < 500 ms", run_of(spread_over(120, 20, ((0, 120, 1.0),)), warm_up_s=95.0))


def test_a_limit_of_a_stage_is_looked_at_in_it_alone() -> None:
    """Slow in the spike: a limit during it ends the load, one during the stage after it does not."""
    stages = [Stage("hold", 0, 60, 10, 10), Stage("spike", 60, 130, 90, 90), Stage("calm", 130, 400, 10, 10)]
    run = run_of(spread_over(120, 20, ((60, 120, 1.0),)), stages=stages)

    assert aborts("p95 during spike < 500 ms", run)
    assert not aborts("p95 during calm < 500 ms", run)
    assert not aborts("p95 during hold < 500 ms", run)
    assert not aborts("p95 during nowhere < 500 ms", run)


def test_a_limit_in_windows_is_looked_at_in_its_own() -> None:
    """Ten bad seconds break a limit on the worst 10 s, and no other."""
    run = run_of(spread_over(120, 20, ((110, 120, 1.0),)))

    assert aborts("p95 worst 10 s < 500 ms", run)
    assert aborts("p95 each 10 s < 500 ms", run)
    assert not aborts("p95 worst 40 s < 500 ms", run)


def test_a_pause_hides_no_breach() -> None:
    """With a pause of twelve in thirty bad seconds the others end the load; eight alone do not."""
    made = spread_over(120, 20, ((90, 120, 1.0),))
    at_s = made["at_s"] - START_S

    assert aborts("p95 < 500 ms", run_of(made[(at_s < 98) | (at_s >= 110)]))
    assert not aborts("p95 < 500 ms", run_of(made[(at_s < 90) | (at_s >= 112)]))


def test_few_requests_say_nothing() -> None:
    """Of one slow request every four seconds no window of five minutes has enough to be sure."""
    at_s = START_S + np.arange(0, 120, 8.0)
    assert not aborts("p95 < 500 ms", run_of(requests(at_s, np.full(len(at_s), 900.0))))


def test_what_is_said_of_an_abort() -> None:
    """The share over the limit in which window, and what may be; of others the figure and its end."""
    run = run_of(spread_over(120, 20, ((90, 120, 1.0),)))
    (threshold,) = parse_thresholds("thresholds: [{expr: p95 < 500 ms, abort: true}]")
    breach = breach_of(threshold.statement, run, NOW_S)

    assert breach is not None
    assert (breach.window_s, breach.value, breach.unit) == (30, 100, "%")
    assert abort_by([threshold], run, NOW_S) == {
        "source": "p95 < 500 ms",
        "text": f"100%, at least {breach.end:.3g}%, in the last 30 s, were over 500 ms, where 5% may be",
    }


def test_clean_hours_are_not_ended_and_breaches_are_found_soon() -> None:
    """An hour of a clean run goes on; where seconds do not swing a breach ends it within 40 s."""
    found = {name: (wrong, seconds) for name, wrong, seconds in abort_rates.rows(runs=1, hours=1)}

    assert {wrong for wrong, _ in found.values()} == {0}
    soon = [found_s for name, (_, found_s) in found.items() if "independent" in name or "error" in name]
    assert max(max(each) for each in soon) <= 40


def told(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *batches: pd.DataFrame
) -> list[dict[str, Any]]:
    """Return the looks at a run whose batches come one by one."""
    stream = io.BytesIO()
    tables = [interval_table(made, (500.0,)) for made in batches]
    schema = tables[0].schema if tables else None
    if schema is not None:
        options = pa.ipc.IpcWriteOptions(emit_dictionary_deltas=True)
        with pa.ipc.new_stream(stream, schema, options=options) as writer:
            for table in tables:
                for batch in table.to_batches():
                    writer.write_batch(batch)
    stream.seek(0)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=stream))
    assert main(["watch", str(folder)]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_the_command_looks_every_five_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line of JSON for each look: how each limit stands, since when, the stage, and what ends the load."""
    limits = [
        "{expr: error_rate < 10%, abort: true}",
        "p95 of a < 500 ms",
        "count > 1",
        "p95 of nobody < 1 s",
    ]
    folder = write_run_directory(tmp_path / "run", stages=[HOLD_FACTS])
    (folder / "thresholds.yaml").write_text("thresholds:\n" + "".join(f"  - {each}\n" for each in limits))
    two_seconds = spread_over(2, 20)
    seconds = [two_seconds.assign(at_s=two_seconds["at_s"] + s) for s in range(0, 100, 2)]
    batches = [made.assign(failed=True) if s >= 25 else made for s, made in enumerate(seconds)]
    looks = told(folder, monkeypatch, capsys, *batches)
    elapsed_s = [look["elapsed_s"] for look in looks]

    assert all(5 <= after - before <= 6 for before, after in itertools.pairwise(elapsed_s))
    first = looks[3]["limits"]
    assert [each["source"] for each in first] == ["error_rate < 10%", *limits[1:]]
    assert [each["state"] for each in first] == ["PASS", "PASS", "INCONCLUSIVE", "INCONCLUSIVE"]
    assert first[2]["reason"] == "it is judged when the run has ended"
    assert "nobody" in first[3]["reason"]
    assert looks[3]["stage"] == "hold"
    aborted = next(look for look in looks if look["abort"])
    assert 70 <= aborted["elapsed_s"] <= 85
    assert aborted["abort"]["source"] == "error_rate < 10%"
    assert aborted["limits"][0]["state"] == "FAIL"
    assert 50 < aborted["limits"][0]["since_s"] < aborted["elapsed_s"]


HOLD_FACTS = {"name": "hold", "from_s": 0, "to_s": 120, "from_users": 10, "to_users": 10}


def test_a_run_of_which_nothing_comes_is_looked_at_in_vain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No batch, and one without rows, are no fault."""
    folder = write_run_directory(tmp_path / "run")

    assert told(folder, monkeypatch, capsys) == []
    assert told(folder, monkeypatch, capsys, spread_over(1, 20).iloc[:0]) == []


def test_a_slow_worker_is_waited_for_and_a_lost_one_is_not() -> None:
    """What is looked at ends where the slower of two workers is, unless that has been silent for long."""
    recent = watching.Recent()
    for second, worker in ((30, "a"), (27, "b"), (36, "a")):
        made = spread_over(1, 5).assign(at_s=START_S + second, worker=worker)
        recent.take(interval_table(made, (500.0,)).to_batches()[0])
    assert recent.end_s == int(START_S) + 27
    recent.take(
        interval_table(spread_over(1, 5).assign(at_s=START_S + 50, worker="a"), (500.0,)).to_batches()[0]
    )
    assert recent.end_s == int(START_S) + 50


def test_old_batches_are_forgotten() -> None:
    """However long a run is, a quarter of an hour of it is kept."""
    recent = watching.Recent()
    for second in range(0, 4000, 10):
        made = spread_over(1, 2).assign(at_s=START_S + second)
        recent.take(interval_table(made, (500.0,)).to_batches()[0])

    assert 88 <= len(recent._batches) <= 92
