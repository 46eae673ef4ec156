"""Thresholds on a part of a run: a stage, a time, each minute, the worst half minute."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from plimsoll.run_files.exit_status import Outcome
from reports.cli import main
from reports.load.run import Run, Stage
from reports.thresholds.grammar import parse
from reports.verdict.verdict import reach_verdict
from tests.judged import judged, thresholds
from tests.make_csv import START_S, csv_run, samples
from tests.make_recorded import open_health, recorded, requests

PASS, FAIL, INCONCLUSIVE = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE
STAGES = (Stage("before", 0, 100, 5, 5), Stage("spike", 100, 160, 50, 50), Stage("after", 160, 300, 5, 5))


@pytest.fixture(scope="module")
def spike() -> Run:
    """Return 300 s at 20/s, 100 ms; for 60 s from 100 s on 400 ms, a tenth failed; half from 200 s to 210."""
    at_s = np.arange(6000) / 20
    is_spike, is_worst = (at_s >= 100) & (at_s < 160), (at_s >= 200) & (at_s < 210)
    failed = (is_spike & (np.arange(6000) % 10 == 0)) | (is_worst & (np.arange(6000) % 2 == 0))
    made = requests(START_S + at_s, np.where(is_spike, 400.0, 100.0), failed=failed, stage="any")
    run = recorded(made, 200.0)
    return replace(run, meta=replace(run.meta, stages=STAGES))


@pytest.mark.parametrize(
    ("source", "outcome"),
    [
        ("p95 during spike < 500 ms", PASS),
        ("p95 during spike < 300 ms", FAIL),
        ("p95 during before < 200 ms", PASS),
        ("p95 over last 2 min < 200 ms", PASS),
        ("p95 over last 3 min < 200 ms", FAIL),
        ("p95 over first 90 s < 200 ms", PASS),
        ("p95 over 100 s to 150 s > 300 ms", PASS),
        ("p95 each 20 s < 200 ms", FAIL),
        ("p95 each 20 s < 500 ms", PASS),
        ("p95 during after each 20 s < 200 ms", PASS),
        ("mean worst 30 s < 200 ms", FAIL),
        ("mean worst 30 s < 500 ms", PASS),
        ("max worst 30 s < 450 ms", PASS),
        ("min worst 30 s > 50 ms", PASS),
        ("error_rate during spike < 20%", PASS),
        ("error_rate during spike < 5%", FAIL),
        ("error_rate during before < 5%", PASS),
        ("error_rate worst 10 s < 30%", FAIL),
        ("error_rate over last 80 s < 2%", PASS),
        ("rps each minute > 15", PASS),
        ("rps worst 30 s > 25", FAIL),
        ("count during spike >= 1200", PASS),
        ("count during spike > 1200", FAIL),
        ("count each minute > 1100", PASS),
        ("failures during before < 1", PASS),
        ("failures worst 10 s <= 99", FAIL),
        ("p95 during spik* < 500 ms", PASS),
        ("p95 during * < 200 ms", FAIL),
        ("p95 during steady < 500 ms", PASS),
    ],
)
def test_a_part_is_judged_by_itself(spike: Run, source: str, outcome: Outcome) -> None:
    """A limit holds, or not, in the part of the run that the scope names, whatever the rest was like."""
    assert judged(spike, source).outcome is outcome


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("p95 during spik < 1 s", "the run had no stage 'spik': there are 'before', 'spike', 'after'"),
        ("p95 over 10 min to 20 min < 1 s", "the run has less than 2 s over 600 s to 1200 s"),
        ("p95 each hour < 1 s", "hold no whole window of 3600 s"),
        ("p95 of b during spike < 1 s", "no request is named 'b'; there are 'a'"),
        (
            "p99.9 during spike < 1 s",
            "1080 successful requests are too few, 2995 are needed; a longer part of about 3 min",
        ),
    ],
)
def test_a_part_without_data_is_open(spike: Run, source: str, reason: str) -> None:
    """A stage that the run never had, a time after its end, too few requests: INCONCLUSIVE, and why."""
    judgement = judged(spike, source)
    assert judgement.outcome is INCONCLUSIVE
    assert reason in judgement.reason


def test_the_worst_window_is_named(spike: Run) -> None:
    """Half of the requests fail from second 200 to 210, and the verdict names these seconds."""
    verdict = reach_verdict(spike, thresholds("error_rate worst 10 s < 5%", "p95 during spike < 1 s"))
    worst, stage = verdict["thresholds"]
    assert worst["window_s"] == [200, 210]
    assert worst["value"] == 50
    assert "the worst of 30 windows of 10 s is 200 s to 210 s" in worst["reason"]
    assert (worst["scope"], stage["scope"], stage["window_s"]) == ("worst 10 s", "during spike", [100, 160])


def test_a_second_without_data_is_no_pass() -> None:
    """`each` needs requests in each window: without any in one of them nothing is known of it."""
    at_s = np.concatenate((np.arange(400), np.arange(800, 1200))) / 20
    run = recorded(requests(START_S + at_s, np.full(800, 50.0)), 200.0)
    judgement = judged(run, "p95 each 10 s < 200 ms")
    assert (judgement.outcome, "no request from 20 s to 30 s" in judgement.reason) == (INCONCLUSIVE, True)
    assert judged(run, "rps each 10 s > 1").outcome is FAIL


def test_many_windows_widen_the_interval() -> None:
    """Of 30 windows at the limit one is beyond it by chance, and does not fail for that."""
    random = np.random.default_rng(11)
    found = []
    for _ in range(20):
        at_s = np.sort(random.uniform(0, 300, 6000))
        run = recorded(requests(START_S + at_s, np.exp(random.normal(0, 0.5, 6000))), 2.28)
        found.append(judged(run, "p95 each 10 s < 2.28 ms").outcome)
    assert found.count(FAIL) <= 1
    assert found.count(PASS) == 0


def test_times_follow_the_scale(spike: Run) -> None:
    """A scope is stated at full size: at a tenth of the time, the last 20 min are the last 2 min."""
    scaled = replace(spike, meta=replace(spike.meta, time_scale=0.1))
    assert judged(scaled, "p95 over last 20 min < 200 ms").outcome is PASS
    assert judged(scaled, "p95 over last 30 min < 200 ms").outcome is FAIL


def test_csv_files_know_no_parts() -> None:
    """Locust's CSV files do not tell when requests were made, so nothing is said of a part."""
    judgement = judged(csv_run({"a": samples(900)}), "p95 over last 30 s < 1 s")
    assert (judgement.outcome, judgement.reason) == (
        INCONCLUSIVE,
        "Locust's CSV files do not tell when requests were made",
    )


def test_a_scope_is_of_its_statement_alone() -> None:
    """The same limit on two parts is two thresholds."""
    made = pd.Series([parse("p95 during a < 1 s"), parse("p95 during b < 1 s"), parse("p95 < 1 s")])
    assert made.nunique() == 3


def test_a_cap_on_the_errors_of_a_part_leaves_the_rest_unchecked(spike: Run) -> None:
    """Where only the errors of a part have a limit, those of the whole run are held to 1 % all the same."""
    of_the_part = reach_verdict(spike, thresholds("error_rate during before < 5%"))
    of_the_run = reach_verdict(spike, thresholds("error_rate < 50%"))
    failed = [check["check"] for check in of_the_part["validity"] if not check["ok"]]
    assert "error_rate_unchecked" in failed
    assert "error_rate_unchecked" not in [check["check"] for check in of_the_run["validity"]]


@pytest.mark.parametrize(
    ("source", "outcome"),
    [
        ("p95 < baseline + 10%", PASS),
        ("p95 < baseline - 10%", FAIL),
        ("p95 == baseline ± 10%", PASS),
        ("p95 of a < baseline + 50 ms", PASS),
        ("rps > baseline - 5/s", PASS),
        ("p99.9 < baseline + 10%", INCONCLUSIVE),
        ('p95 < baseline "other" + 10%', INCONCLUSIVE),
    ],
)
def test_an_earlier_run_sets_the_limit(source: str, outcome: Outcome) -> None:
    """A run of 100 ms is held against an earlier one of 100 ms, by both ends of what is known of that."""
    made = requests(START_S + np.arange(1200) / 20, np.full(1200, 100.0))
    earlier = recorded(made, 200.0)
    judgement = judged(replace(recorded(made, 90.0, 110.0), earlier={"": earlier}), source)
    assert judgement.outcome is outcome, judgement.reason
    assert ("no earlier run is named" in judgement.reason) is ("other" in source)


def test_a_baseline_is_read_where_a_run_is_judged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`judge --baseline RUN` sets the limits; a path that is no run is a fault of the configuration."""
    golden = Path(__file__).parents[1] / "data" / "golden" / "workers"
    shutil.copytree(golden, tmp_path / "run")
    limits = tmp_path / "limits.yaml"
    limits.write_text("thresholds: [p95 < baseline * 1]\n", encoding="utf-8")
    assert main(["judge", str(tmp_path / "run"), "--thresholds", str(limits)]) == 2
    limits.write_text("thresholds: [mean < baseline + 10 s]\n", encoding="utf-8")
    options = ["judge", str(tmp_path / "run"), "--thresholds", str(limits), "--baseline"]
    assert main([*options, str(tmp_path / "nowhere")]) == 2
    assert "baseline" in capsys.readouterr().err
    main([*options, str(golden)])
    verdict = json.loads((tmp_path / "run" / "verdict.json").read_text(encoding="utf-8"))
    assert verdict["thresholds"][0]["verdict"] == "PASS", verdict["thresholds"][0]


@pytest.fixture(scope="module")
def pair() -> Run:
    """Return 120 s of two requests, 10 a second: `a` of 100 ms, `b` of 200 ms, but 300 from 60 to 80 s."""
    at_s = START_S + np.arange(1200) / 10
    slow = np.where((np.arange(1200) >= 600) & (np.arange(1200) < 800), 300.0, 200.0)
    made = pd.concat([requests(at_s, np.full(1200, 100.0)), requests(at_s, slow, name="b")])
    run = recorded(made)
    health = (
        open_health().iloc[[0] * 120].reset_index(drop=True).assign(unix_s=START_S + 1.0 + np.arange(120))
    )
    health["cpu_ratio"] = np.where(np.arange(120) < 30, 0.9, 0.2)
    stages = [Stage("one", 0, 60, 5, 5), Stage("two", 60, 80, 6, 6), Stage("two", 80, 120, 5, 5)]
    return replace(run, health=health, meta=replace(run.meta, stages=stages))


@pytest.mark.parametrize(
    ("source", "outcome", "reason"),
    [
        ("mean of a + mean of b < 600 ms", PASS, ""),
        ("mean of a + mean of b each 20 s < 350 ms", FAIL, "60 s to 80 s"),
        ("mean of b each 20 s - 50 ms < 200 ms", FAIL, "60 s to 80 s"),
        ("mean of b each 20 s / mean of a each 20 s < 3.5", PASS, ""),
        ("mean of b each 20 s / mean of a < 2.5", FAIL, "60 s to 80 s"),
        ("p50 of b during one / p50 of a during one < 2.2", PASS, ""),
        ("mean of b during two - mean of a < 150 ms", INCONCLUSIVE, "'during two' is several stages"),
        ("mean of b during tow - mean of a < 150 ms", INCONCLUSIVE, "no stage 'tow'"),
        ("mean of c + mean of a < 150 ms", INCONCLUSIVE, "no request is named 'c'"),
        ("count / failures < 5", INCONCLUSIVE, "it divides by a figure that may be 0"),
        ("stdev of b each 20 s < 50 ms", INCONCLUSIVE, "'stdev' is not judged in windows"),
        ("mean of c each 20 s < 50 ms", INCONCLUSIVE, "no request is named 'c'"),
        ("mean of c over first 20 s + mean of a each 20 s < 50 ms", INCONCLUSIVE, "no request is named 'c'"),
        ("mean of generator.cpu each 30 s < 80%", FAIL, "0 s to 30 s"),
        ("max of generator.cpu worst 10 s < 95%", PASS, ""),
        ("min of generator.cpu over last 60 s > 10%", PASS, ""),
        ("p95 of generator.cpu < 50%", FAIL, ""),
        ("max of generator.steal < 50%", INCONCLUSIVE, "no samples of 'generator.steal'"),
        ("count != 2400", FAIL, ""),
        ("count != 2399", PASS, ""),
        ("count == 2400 ± 1%", PASS, ""),
        ("recovery after two < 10 s", INCONCLUSIVE, "too little of the run before or after stage 'two'"),
        ("recovery of c after one < 10 s", INCONCLUSIVE, "before or after stage 'one'"),
        ("degradation of rps < 10%", None, ""),
    ],
)
def test_figures_are_combined(pair: Run, source: str, outcome: Outcome | None, reason: str) -> None:
    """Sums, quotients and samples, also in windows and parts: each is decided, or says why it is not."""
    if outcome is None:
        with pytest.raises(ValueError, match="there is no degradation of 'rps'"):
            parse(source)
        return
    judgement = judged(pair, source)
    assert judgement.outcome is outcome, judgement.reason
    assert reason in judgement.reason


def test_sums_of_csv_files_are_judged_as_a_whole() -> None:
    """Figures of Locust's own files are added up, too."""
    run = csv_run({"a": samples(900, 100.0), "b": samples(900, 200.0)})
    assert judged(run, "mean of a + mean of b < 350 ms").outcome is PASS
    assert judged(run, "mean of a + mean of b < 150 ms").outcome is FAIL


def test_an_earlier_run_without_the_figure_sets_no_limit() -> None:
    """A baseline in which the request was not made, or too seldom, is said to tell nothing."""
    made = requests(START_S + np.arange(1200) / 20, np.full(1200, 100.0))
    few = recorded(requests(START_S + np.arange(0.0, 60.0, 3.0), np.full(20, 100.0)), 200.0)
    other = recorded(requests(START_S + np.arange(1200) / 20, np.full(1200, 100.0), name="z"), 200.0)
    for earlier, why in ((few, "20 requests are too few"), (other, "no request is named 'a'")):
        judgement = judged(replace(recorded(made, 90.0), earlier={"": earlier}), "mean of a < baseline + 10%")
        assert (judgement.outcome, why in judgement.reason) == (INCONCLUSIVE, True), judgement.reason
