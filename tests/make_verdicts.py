"""A run and verdicts for the renderers: no clock, no randomness, known figures."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from reports.load.run import AGGREGATED, Run, RunMeta, Stage
from tests.make_csv import DEMO_START_S, empty_run, history_rows

DEMO_STARTED = "2026-11-21T00:21:30Z"
NAMES = (
    ("GET", "careers.pool"),
    ("POST", "careers.select"),
    ("POST", "orders.create"),
    ("GET", "shop.products"),
)


def demo_run(seconds: int = 40, names: Sequence[tuple[str, str]] = NAMES) -> Run:
    """Return a ramp, hold and ramp down of 100 users that fails and slows down at two thirds of its time."""
    t = np.arange(seconds + 1, dtype=float)
    users = 100 * np.clip(np.minimum(t / (seconds / 8), (seconds - t) / (seconds / 8)), 0, 1)
    trouble = np.exp(-(((t - seconds * 0.66) / (seconds / 16)) ** 2))
    wobble = 1 + 0.08 * np.sin(t * 1.7) + 0.05 * np.sin(t * 0.61)
    n = np.cumsum(np.round(2.4 * users * wobble * (1 - 0.5 * trouble)))
    failures = np.cumsum(np.round(12 * trouble))
    p50 = np.round(12 * wobble + 30 * trouble)
    shape = {
        "users": users,
        "failures": failures,
        "p50_ms": p50,
        "p95_ms": 3 * p50,
        "p99_ms": 9 * p50 * wobble,
    }
    history = [history_rows("", AGGREGATED, n, **shape)]
    for i, (kind, name) in enumerate(names):
        share = 1 + 0.3 * np.sin(t / (3 + i % 7))
        history.append(
            history_rows(kind, name, np.cumsum(np.round(users * share / len(names) * 2)), users=users)
        )
    meta = RunMeta(
        id="20261121T002130Z-demo",
        profile="demo",
        journeys=("CareersUser", "OrdersUser"),
        load_model="closed",
        shape="RampShape",
        stages=(
            Stage("ramp up", 0, seconds / 8, 0, 100),
            Stage("hold", seconds / 8, seconds * 7 / 8, 100, 100),
            Stage("ramp down", seconds * 7 / 8, seconds, 100, 0),
        ),
        planned_duration_s=float(seconds),
        user_scale=0.1,
        time_scale=1 / 60,
        host="http://127.0.0.1:8000",
        command=("locust", "--config", "profiles/demo.conf"),
        versions={"plimsoll": "0.1.0", "locust": "2.47.0", "python": "3.11.7"},
        git_commit="c47d6fd",
        environment={"cpu_model": "EPYC", "cores": 2, "kernel": "6.1", "sut_version": None},
        started=DEMO_STARTED,
        ended="2026-11-21T00:22:10Z",
        end_reason="schedule ended",
        workers=("worker-1",),
        recorded=True,
    )
    stages = pd.DataFrame(
        {
            "unix_s": DEMO_START_S + t,
            "elapsed_s": t,
            "stage": "hold",
            "planned_users": users,
            "users": np.maximum(users - 3 * np.sin(t) ** 2, 0),
        }
    )
    empty = empty_run()
    return Run(
        meta, empty.requests, empty.total, pd.concat(history), empty.failures, empty.exceptions, stages
    )


def threshold(**changes: Any) -> dict[str, Any]:
    """Return one passed threshold of verdict.json, changed as told."""
    return {
        "name": "",
        "upper_limit": None,
        "source": "p95 of careers.select < 500 ms",
        "metric": "p95",
        "selector": "careers.select",
        "scope": "run",
        "value": 212.0,
        "unit": "ms",
        "limit": 500.0,
        "operator": "<",
        "interval": [200.0, 225.0],
        "method": "ranks of the percentile read off Locust's points, requests taken as independent",
        "n": 4821,
        "verdict": "PASS",
        "reason": "",
        "level": "fail",
    } | changes


def stated(source: str, value: float, interval: list[float | None], **changes: Any) -> dict[str, Any]:
    """Return the threshold of a statement `METRIC [of SELECTOR] < LIMIT` on all requests, changed as told."""
    subject, operator, _limit = re.split(r" ([<>]) ", source)
    metric, _, selector = subject.partition(" of ")
    told = {"source": source, "metric": metric, "selector": selector or "*", "operator": operator}
    return threshold(**told, **{"value": value, "interval": interval, "n": 8000} | changes)


def request(**changes: Any) -> dict[str, Any]:
    """Return one request of verdict.json, changed as told."""
    figures = {"mean": 14.2, "p50": 12, "p95": 212, "p99": 390, "p99.9": 900, "max": 1204.7}
    return (
        {"type": "POST", "name": "careers.select", "n": 4821, "failures": 0, "rps": 80.3} | figures | changes
    )


def reason(subject: str, text: str, kind: str = "check") -> dict[str, str]:
    """Return one reason of verdict.json."""
    return {"kind": kind, "subject": subject, "text": text}


def make_verdict(word: str = "PASS", **parts: Any) -> dict[str, Any]:
    """Return a verdict on `demo_run()` with one passed threshold, changed as told."""
    return {
        "schema_version": 2,
        "verdict": word,
        "reasons": [],
        "run": {
            "id": "20261121T002130Z-demo",
            "profile": "demo",
            "started": DEMO_STARTED,
            "duration_s": 40.0,
            "requests": 8000,
            "failures": 80,
            "host": "http://127.0.0.1:8000",
            "load_model": "closed",
            "arrivals": None,
            "user_scale": 0.1,
            "time_scale": 1 / 60,
            "end_reason": "schedule ended",
            "aborted_by": None,
        },
        "source": {"kind": "csv", "latency_resolution": "Locust rounds response times"},
        "validity": [{"check": "any_requests", "value": 8000.0, "limit": 1.0, "ok": True, "reason": ""}],
        "steady_state": {"from_s": 0.0, "to_s": 40.0, "method": "whole run"},
        "thresholds": [threshold()],
        "requests": [request()],
        "capacity": None,
        "iterations": [],
        "transactions": [],
        "metrics": [],
        "errors": [],
        "exceptions": [],
    } | parts


def full_verdict() -> dict[str, Any]:
    """Return a failed verdict in which every part of a report has something to say."""
    near = "the limit lies inside the interval; a run of about 3 min would decide"
    scaled = "limit 1000/s × user scale 0.1"
    return make_verdict(
        "FAIL",
        reasons=[
            reason("p99 < 300 ms", "measured 612 ms", "threshold"),
            reason("load_reached", "only 91% of the seconds had the planned number of users"),
        ],
        validity=[
            {"check": "any_requests", "value": 8000.0, "limit": 1.0, "ok": True, "reason": ""},
            {
                "check": "load_reached",
                "value": 0.91,
                "limit": 0.95,
                "ok": False,
                "reason": "only 91% of the seconds had the planned number of users (within 5 %)",
            },
            {"check": "run_completed", "value": 40.1, "limit": 40.0, "ok": True, "reason": ""},
        ],
        thresholds=[
            threshold(),
            stated("p99 < 300 ms", 612.0, [540.0, 690.0], limit=300.0, verdict="FAIL"),
            stated(
                "error_rate < 1%", 0.96, [0.7, 1.31], limit=1.0, unit="%", verdict="INCONCLUSIVE", reason=near
            ),
            stated("rps > 1000", 198.0, [184.0, 212.0], limit=100.0, unit="/s", reason=scaled),
            stated("max of orders.* < 5 s", 1204.7, [1204.7] * 2, limit=5000.0, n=2000, level="warn"),
            stated(
                "p99.9 of shop.products < 1 s",
                900.0,
                [640.0, None],
                limit=1000.0,
                n=1710,
                verdict="INCONCLUSIVE",
                reason="1710 successful requests are too few, 2995 are needed",
            ),
        ],
        requests=[
            request(),
            request(type="GET", name="careers.pool", n=2100, rps=52.4, p95=41, p99=88, mean=11.3),
            request(name="orders.create", n=1900, failures=76, rps=47.2, p95=95, p99=612),
            request(
                type="GET", name="shop.products", n=1710, failures=4, rps=42.7, p50=3, p95=9, p99=31, mean=3.4
            ),
        ],
        errors=[
            {
                "type": "POST",
                "name": "orders.create",
                "error": "journey 'orders.create': got status 503, expected 201",
                "occurrences": 76,
                "first_seen": "2026-11-21 00:21:52",
                "last_seen": "2026-11-21 00:22:01",
            },
            {
                "type": "GET",
                "name": "shop.products",
                "error": "ConnectionResetError(104, 'Connection reset by peer')",
                "occurrences": 4,
                "first_seen": None,
                "last_seen": None,
            },
        ],
        exceptions=[
            {
                "count": 2,
                "message": "KeyError: 'sessionId'",
                "traceback": 'File "careers.py", line 40, in select\n    return answer["sessionId"]\n',
            }
        ],
    )
