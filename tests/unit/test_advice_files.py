"""Advice reads a run directory, is written into it, and is shown by the report."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from plimsoll.advice.command import advice_text, advise
from plimsoll.advice.findings import KINDS, finding
from plimsoll.advice.recorded import NoRunError, read_recorded
from plimsoll.run_files.advice import ADVICE_FILE, GROUPS, Advice, Finding, Gain
from plimsoll.run_files.intervals import VALUE_SCALE
from reports.load.advice import read_advice
from reports.load.run_files import load, locate
from reports.render.html import report_html
from tests.make_directory import write_recording, write_rows, write_run_directory
from tests.make_recorded import even
from tests.make_verdicts import demo_run, full_verdict
from tests.unit.test_advice_sql import gain

HOSTILE = "<script>alert(1)</script>\x1b"


def advice(*findings: Finding, tried: list[Gain] | None = None) -> Advice:
    """Return advice with these findings."""
    return Advice(
        "a-run", "2026-12-01T12:00:00Z", "PostgreSQL 18.6", "copy", [*findings], tried or [], ["a note"]
    )


def missing_index(**changes: Any) -> Finding:
    """Return a finding with a measured gain."""
    found = finding("missing_index", "orders (customer_id)", "a sequential scan", {"rows_read": 200_000})
    return found._replace(gain=gain(8))._replace(**changes)


def written(folder: Path, content: object) -> Path:
    """Write advice.json and return its path."""
    path = folder / ADVICE_FILE
    path.write_text(json.dumps(content))
    return path


def test_advice_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Findings, gains and notes come back the same."""
    made = advice(missing_index(), tried=[gain(2_000)])

    assert read_advice(written(tmp_path, made.facts)) == (made, [])


def test_every_kind_has_a_group_and_four_steps() -> None:
    """Each is of one of the four groups, and no step is said twice."""
    assert {kind.group for kind in KINDS.values()} == set(GROUPS)
    assert all(len(set(kind.next_steps)) == 4 for kind in KINDS.values())


@pytest.mark.parametrize(
    "content",
    [
        [],
        {},
        advice().facts | {"schema_version": 99},
        advice().facts | {"findings": [{"kind": "missing_index"}]},
        advice().facts | {"notes": None},
        advice(missing_index(group="else")).facts,
        advice(missing_index(next_steps=[], evidence=[])).facts,
        advice(tried=[gain(8)._replace(ratio="x")]).facts,  # type: ignore[arg-type]  # as in a damaged file
    ],
)
def test_damaged_advice_is_a_note(tmp_path: Path, content: object) -> None:
    """It is not shown, and what makes it anew is said; the run is judged all the same."""
    found, notes = read_advice(written(tmp_path, content))

    assert found is None
    assert "`plimsoll advise` makes it anew" in notes[0]


def test_the_report_shows_the_advice_of_a_run(tmp_path: Path) -> None:
    """By group, with gain and next steps; a run without advice has no such part."""
    run = load(locate(write_run_directory(tmp_path / "run")))
    assert run.advice is None
    assert "What would make the database faster?" not in report_html(demo_run(), full_verdict())

    written(tmp_path / "run", advice(missing_index()).facts)
    shown = replace(demo_run(), advice=load(locate(tmp_path / "run")).advice)
    html = report_html(shown, full_verdict())
    assert "What would make the database faster?" in html
    assert "orders (customer_id)" in html
    assert "1,000 blocks before, 8 after" in html
    assert "CREATE INDEX CONCURRENTLY" in html


def test_texts_of_a_database_stay_text() -> None:
    """Statements and names of tables add no element to the report."""
    hostile = missing_index(
        subject=HOSTILE,
        text=HOSTILE,
        evidence={HOSTILE: HOSTILE},
        next_steps=(HOSTILE,),
        gain=gain(8)._replace(definition=HOSTILE),
    )
    made = advice(hostile, tried=[gain(8)._replace(definition=HOSTILE)])._replace(
        notes=[HOSTILE], server=HOSTILE
    )
    html = report_html(replace(demo_run(), advice=made), full_verdict())

    assert "<script>alert" not in html
    assert "\x1b" not in html
    assert "\x1b" not in advice_text(made)


def test_a_run_without_a_database(tmp_path: Path) -> None:
    """Nothing is advised, and what was not recorded is said."""
    made = advise(write_run_directory(tmp_path / "run"), None)

    assert (made.findings, made.branch, made.server) == ([], "none", None)
    assert len(made.notes) == 4
    assert "nothing to advise" in advice_text(made)
    with pytest.raises(NoRunError, match=r"no run directory: it has no run\.json"):
        read_recorded(tmp_path)


def test_a_pool_that_is_too_small_by_its_gauges(tmp_path: Path) -> None:
    """The gauges pool.waiting and pool.size of the run are what the rule is about."""
    run = write_run_directory(tmp_path / "run")
    gauges = [
        even(20, value * VALUE_SCALE, 20, request_type="gauge", name=name)
        for name, value in (("pool.waiting", 3), ("pool.size", 5))
    ]
    write_recording(run / "intervals.arrow", pd.concat(gauges))
    made = advise(run, None)

    assert [each.kind for each in made.findings] == ["pool_too_small"]
    assert made.findings[0].evidence["pool_size"] == pytest.approx(5, rel=0.01)
    assert made.findings[0].evidence["samples_waiting"] == 20


def test_a_pool_that_is_too_small_by_its_waits(tmp_path: Path) -> None:
    """Ten borrowers a second who wait 300 ms each are three at once; 3 ms each are nobody."""
    run = write_run_directory(tmp_path / "run")
    for wait_ms, kinds in ((300.0, ["pool_too_small"]), (3.0, [])):
        waits = even(200, wait_ms, 20, request_type="POOL", name="sql.pool")
        write_recording(run / "intervals.arrow", waits)
        made = advise(run, None)

        assert [each.kind for each in made.findings] == kinds
    refused = even(20, 3.0, 20, request_type="POOL", name="sql.pool", failed=True)
    write_recording(run / "intervals.arrow", refused)
    assert [each.kind for each in advise(run, None).findings] == ["pool_too_small"]


def test_iterations_and_secrets_of_a_run(tmp_path: Path) -> None:
    """Iterations are counted by stage, and a statement's secret is masked."""
    run = write_run_directory(tmp_path / "run")
    write_recording(run / "intervals.arrow", even(10, 1.0, request_type="iteration", stage="hold"))
    query = "ALTER ROLE app PASSWORD 'hush-4711'"
    row = {"stage": "hold", "queryid": 1, "query": query, "calls": 1, "rows": 0, "total_ms": 200}
    write_rows(run / "statements.csv", [row])
    recorded = read_recorded(run)

    assert recorded.iterations == {"hold": 10}
    assert "hush" not in recorded.calls[0].text
