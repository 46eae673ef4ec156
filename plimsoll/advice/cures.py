"""What cures a plan without a new index, tried on a branch: statistics, memory, the cost of random reads."""

from statistics import median
from typing import Any

from psycopg import Connection

from plimsoll.advice.explain import Looked, explained, plans_of
from plimsoll.advice.findings import finding
from plimsoll.advice.plans import plan_findings
from plimsoll.advice.server import MIB
from plimsoll.advice.trial import Measured, measured, median_interval
from plimsoll.run_files.advice import Finding

MAX_WORK_MEM = 1 << 30
TOWARDS_INDEXES = (("random_page_cost", "1.1"), ("enable_seqscan", "off"))
"""Settings that make a planner prefer an index, the milder one first."""


def with_analyze(session: Connection[Any], wrong: Finding, looked: Looked) -> Finding:
    """Return a wrong estimate with whether it is right after ANALYZE."""
    if not looked.sets:
        return wrong
    plans = plans_of(session, looked.text, looked.sets)
    left = [made.kind for plan in plans for made in plan_findings(plan, looked.text)]
    is_cured = "row_misestimate" not in left
    cure = "ANALYZE cures it" if is_cured else "ANALYZE does not cure it"
    evidence = wrong.evidence | {"analyze_cures": is_cured}
    return wrong._replace(text=f"{wrong.text}; {cure}", evidence=evidence)


def with_work_mem(session: Connection[Any], each: Finding, looked: Looked) -> Finding:
    """Return a spill with the least doubled work_mem that avoids it, and the time with it."""
    if not looked.sets:
        return each
    row = session.execute("SELECT s, pg_size_bytes(s) FROM current_setting('work_mem') s").fetchone()
    assert row is not None
    own_work_mem, work_mem = row
    before_ms = float(explained(session, looked.text, looked.sets[0])["Execution Time"])
    try:
        while (work_mem := 2 * work_mem) <= MAX_WORK_MEM:
            session.execute(f"SET work_mem = '{work_mem // 1024}kB'")
            plan = explained(session, looked.text, looked.sets[0])
            if all(made.kind != "spill_to_disk" for made in plan_findings(plan, looked.text)):
                after_ms = float(plan["Execution Time"])
                text = (
                    f"{each.text}; with work_mem = {work_mem / MIB:,.0f} MiB it stays in memory, in"
                    f" {after_ms:,.1f} ms instead of {before_ms:,.1f} ms"
                )
                evidence = {"work_mem_bytes": work_mem, "before_ms": before_ms, "after_ms": after_ms}
                return each._replace(text=text, evidence=each.evidence | evidence)
    finally:
        session.execute("SELECT set_config('work_mem', $1, false)", [own_work_mem])
    return each


def with_index_in_use(
    session: Connection[Any], each: Finding, looked: Looked, before: Measured
) -> Finding | None:
    """Return that an index there is goes unused, with the setting that has it used and the gain.

    None where the statement is no faster with the index.
    """
    table = str(each.evidence["table"])
    for name, value in TOWARDS_INDEXES:
        row = session.execute("SELECT current_setting($1)", [name]).fetchone()
        assert row is not None
        session.execute("SELECT set_config($1, $2, false)", [name, value])
        try:
            after = measured(session, looked.text, looked.sets[: len(before.times_ms)])
        finally:
            session.execute("SELECT set_config($1, $2, false)", [name, row[0]])
        low, high = median_interval([b / a for a, b in zip(before.times_ms, after.times_ms, strict=False)])
        if high is None or high >= 1 or after.blocks >= before.blocks:
            continue
        before_ms, after_ms = median(before.times_ms), median(after.times_ms)
        text = (
            f"{each.text}, although an index begins with its column; with {name} = {value} instead of"
            f" {row[0]} the plan uses it: {before_ms:.3g} ms before, {after_ms:.3g} ms after,"
            f" {before.blocks:,.0f} blocks before, {after.blocks:,.0f} after"
        )
        measured_here = {
            "setting": name,
            "before_ms": before_ms,
            "after_ms": after_ms,
            "ratio_low": low,
            "ratio_high": high,
            "before_blocks": before.blocks,
            "after_blocks": after.blocks,
        }
        return finding("index_not_used", table, text, each.evidence | measured_here)
    return None
