"""What users of real Locust processes measure themselves is in the verdict, to the last value."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.fix_runs import Runner
from tests.fix_service import Service
from tests.processes import two_workers

LOCUSTFILE = Path(__file__).with_name("measuring_users.py")
THINK_MS = 50.0
THRESHOLDS = """thresholds:
  - count of tag:content and type:GET > 20
  - count of tag:slow > 10
  - error_rate of user:Visitor and not shop.broken < 1%
  - p95 of transaction:visit < 2 s
  - cumulated_p95 of transaction:visit < 2 s
  - max of transaction:visit/again < 2 s
  - count of bytes > 100
  - rate of cache > 50%
  - checks of "small answer" > 60%
  - max of pool.size < 7
  - p75 of page.cls < 0.11
"""


@pytest.fixture
def truths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder where the users write down what they told."""
    monkeypatch.setenv("MEASURED", str(tmp_path))
    return tmp_path


def truth_of(folder: Path) -> Counter[str]:
    """Return what all users together told."""
    total: Counter[str] = Counter()
    for path in folder.glob("*.json"):
        total.update(json.loads(path.read_text(encoding="utf-8")))
    return total


def test_two_workers(run: Runner, service: Service, truths: Path) -> None:
    """Counts, shares, levels, trends, checks, tags and transactions of two workers add up exactly."""
    run.locustfile = LOCUSTFILE
    ended = run("-t", "6s", "-H", service.url, *two_workers(), thresholds=THRESHOLDS)
    truth, verdict = truth_of(truths), ended.read("verdict.json")
    metrics = {metric["name"]: metric for metric in verdict["metrics"]}

    assert len(list(truths.glob("*.json"))) == 2
    assert ended.read("run.json")["recording_errors"] == 0, ended.output
    assert metrics["bytes"]["value"] == truth["bytes"] > 100
    for name in ("cache", "small answer"):
        assert (metrics[name]["n"], metrics[name]["passed"]) == (truth["requests"], truth[name])
    assert (metrics["pool.size"]["min"], metrics["pool.size"]["max"]) == (0, 6)
    assert metrics["page.cls"]["n"] == truth["requests"]
    assert metrics["page.cls"]["max"] == pytest.approx(0.1)
    assert_transactions(verdict, truth)
    assert_thresholds(verdict, truth)
    assert "small answer" in (ended.directory / "report.html").read_text(encoding="utf-8")


def assert_transactions(verdict: dict[str, Any], truth: Counter[str]) -> None:
    """Whole transactions are counted, with think time and without; those with a failed request fail."""
    found = {each["name"]: each for each in verdict["transactions"]}

    assert {name: each["n"] for name, each in found.items()} == {
        name: truth[name] for name in ("visit", "visit/again", "stumble")
    }
    assert found["stumble"]["failures"] == truth["stumble"] > 0
    assert found["visit"]["failures"] == 0
    assert found["visit"]["mean"] > found["visit"]["cumulated_mean"] + 0.99 * THINK_MS
    assert {each["name"] for each in verdict["requests"]} == {"shop.home", "shop.broken"}


def assert_thresholds(verdict: dict[str, Any], truth: Counter[str]) -> None:
    """Every limit was judged by what was told; all hold."""
    judged = {each["source"]: each for each in verdict["thresholds"]}

    assert judged["count of tag:slow > 10"]["value"] == truth["tag:slow"]
    assert judged["count of bytes > 100"]["value"] == truth["bytes"]
    assert {source for source, each in judged.items() if each["n"] == 0} == set()
    open_ones = {source for source, each in judged.items() if each["verdict"] == "FAIL"}
    assert open_ones == set()


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("rate of cahe > 50%", "no metric is named 'cahe'; did you mean 'cache'?"),
        ("p95 of tag:contnet < 1 s", "no tag is named 'contnet'; did you mean 'content'?"),
        ("p95 of transaction:vist < 1 s", "no transaction is named 'vist'; did you mean 'visit'?"),
    ],
)
def test_refused_before_the_run(
    run: Runner, service: Service, truths: Path, statement: str, fault: str
) -> None:
    """What no journey declares or bears is refused before the load, with the nearest name."""
    run.locustfile = LOCUSTFILE
    ended = run("-t", "5s", "-H", service.url, thresholds=f"thresholds: ['{statement}']")

    assert ended.status == 2
    assert fault in ended.output
    assert not list(truths.glob("*.json"))
    assert service.answered == 0
