"""Check the generator: one that is out of CPU, late or gone measures itself and calls it the service."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from plimsoll.run_files.files import HEALTH_FILE, MASTER, SCHEDULE_FILE, VERY_LATE_MS
from reports.load.run import ClockStep, Run
from reports.steady_state import SteadyState, judged_health
from reports.verdict.checks import LOAD, Check, Family
from reports.wording import plural

CPU_RATIO = 0.8
PEAK_RATIO = 0.9
"""Over the worst `PEAK_S`; Locust itself warns from there on."""
PEAK_S = 10
LATE_RATIO = 0.05
"""Share of the loop's wake-ups that may be very late. A lag below is part of the uncertainty of each latency;
above, the generator is saturated: its users are held up, and load the service less than it was planned."""
LATE_MEDIAN_MS = 5.0
"""Of a second in which half of the wake-ups are that late, all count as very late: the loop had no rest."""
WAIT_RATIO = 0.2
STALLED_RATIO = 0.05
"""Share of the judged time in which a process may have been unable to run: what load is missing by it."""
MAX_GAP_S = 2.0
"""Files are written once a second: of what lies between two rows, so much may go by."""
UNKNOWN_RATIO = 0.05
"""Share of the judged time of which a file may have no rows."""
CLOCK_S = 1.0


def generator_checks(run: Run, window: SteadyState | None) -> list[Check]:
    """Return the checks of the generator's processes, of those in the judged window where there is one."""
    health = run.health if window is None else judged_health(run, window)
    processes = {str(name): rows for name, rows in health.groupby("process")}
    means = {name: rows["cpu_ratio"].mean() for name, rows in processes.items()}
    peaks = {
        name: rows.sort_values("unix_s")["cpu_ratio"].rolling(PEAK_S, min_periods=PEAK_S).mean().max()
        for name, rows in processes.items()
    }
    waits = {name: rows["wait_ratio"].mean() for name, rows in processes.items()}
    stalls = {
        name: float(rows["stalled_ms"].sum(min_count=1)) / 1000 / (float(np.ptp(rows["unix_s"])) + 1)
        for name, rows in processes.items()
    }
    found = [
        health_coverage(run, window) if window is not None and not run.health.empty else None,
        _worst("generator_cpu", means, CPU_RATIO, "used {value:.0%} of its CPU on average"),
        _worst("generator_cpu_peak", peaks, PEAK_RATIO, f"used {{value:.0%}} of its CPU for {PEAK_S} s"),
        _loop_lag(processes),
        # An answer that waited for a CPU is that much late.
        _worst("generator_cpu_wait", waits, WAIT_RATIO, "waited for a CPU for {value:.0%} of the time"),
        # It was stopped or throttled, or its machine was.
        _worst("generator_stalls", stalls, STALLED_RATIO, "could not run for {value:.0%} of the time"),
        workers_lost(run),
        clock_skew(run),
        clock_steps(run, window),
    ]
    return [check for check in found if check is not None]


def health_coverage(run: Run, window: SteadyState) -> Check:
    """Hold the judged time against the rows of health.csv and of schedule.csv.

    A process must have rows from its first request on, a master from the start, an idle worker at any time.
    """
    rows, started_s = run.intervals.rows, run.intervals.seconds("started_s")
    watched = {str(name): each["unix_s"] for name, each in run.health.groupby("process")}
    loading = {str(name) for name in rows["worker"][window.blocks(started_s, 1) >= 0].unique()}
    from_s = {name: float(started_s[rows["worker"] == name].min()) for name in loading}
    if run.meta.workers:
        from_s |= dict.fromkeys({MASTER, *run.meta.workers} - from_s.keys() - watched.keys(), 0.0)
        from_s[MASTER] = 0.0
    written = {
        f"{HEALTH_FILE} of process {name!r}": _unknown_ratio(watched.get(name), window, since_s)
        for name, since_s in sorted(from_s.items())
        if name not in run.meta.lost_workers
    }
    if not run.stages.empty:
        written[SCHEDULE_FILE] = _unknown_ratio(run.stages["unix_s"], window)
    value = max(written.values(), default=0.0)
    missing = [
        f"{file} has no rows for {ratio:.0%} of the judged time"
        for file, ratio in written.items()
        if ratio > UNKNOWN_RATIO
    ]
    reason = f"{', '.join(missing)}: the state of the load generator is unknown there"
    undermines = (*LOAD, Family.SCHEDULE)
    return Check("health_coverage", value, UNKNOWN_RATIO, not missing, reason if missing else "", undermines)


def _unknown_ratio(written_s: "pd.Series[float] | None", window: SteadyState, since_s: float = 0.0) -> float:
    """Return of which share of the judged time since a moment there are no rows."""
    from_s, end_s = max(since_s, float(window.first_s)), float(window.end_s)
    at_s = np.array([]) if written_s is None else written_s.dropna().to_numpy(dtype=np.float64)
    inside = np.sort(at_s[(at_s >= from_s) & (at_s <= end_s)])
    gaps_s = np.diff(np.concatenate(([from_s], inside, [end_s])))
    return float(np.maximum(gaps_s - MAX_GAP_S, 0.0).sum()) / max(end_s - from_s, 1.0)


def _loop_lag(processes: dict[str, pd.DataFrame]) -> Check | None:
    late = {}
    for name, rows in processes.items():
        samples = float(rows["lag_samples"].sum())
        # Older files count only those over 10 ms: they may all have been later.
        very_late = rows["lag_very_late"].fillna(rows["lag_late"])
        very_late = very_late.where(~(rows["lag_p50_ms"] >= LATE_MEDIAN_MS), rows["lag_samples"])
        late[name] = float(very_late.sum()) / samples if samples else math.nan
    words = (
        f"woke over {VERY_LATE_MS:.0f} ms late, or in a second with a median over {LATE_MEDIAN_MS:.0f} ms,"
        " in {value:.1%} of the samples"
    )
    # A browser times itself.
    undermines = (Family.LOOP_TIMED, Family.RATE, Family.COUNT)
    return _worst("generator_loop_lag", late, LATE_RATIO, words, undermines)


def _worst(
    check: str, by_process: dict[str, float], limit: float, words: str, undermines: Sequence[Family] = LOAD
) -> Check | None:
    """Return the check of the worst process, None where nothing is known."""
    known = {name: float(value) for name, value in by_process.items() if not math.isnan(value)}
    if not known:
        return None
    process, value = max(known.items(), key=lambda item: item[1])
    ok = value < limit
    measured = words.format(value=value)
    reason = f"the load generator (process {process!r}) {measured}: it measured itself, not the service"
    return Check.of(check, value, limit, ok, reason, undermines)


def workers_lost(run: Run) -> Check | None:
    """Return how many workers were lost."""
    if not run.meta.recorded or not (run.meta.workers or run.meta.lost_workers):
        return None
    lost = run.meta.lost_workers
    named = ", ".join(repr(worker) for worker in lost)
    reason = f"{len(lost)} {plural(len(lost), 'worker was', 'workers were')} lost: {named}" if lost else ""
    return Check("workers_lost", float(len(lost)), 0.0, not lost, reason, (*LOAD, Family.SCHEDULE))


def clock_skew(run: Run) -> Check | None:
    """Return by how much the clock of a worker differs from the master's."""
    if not run.meta.clock_offsets_s:
        return None
    worker, offset_s = max(run.meta.clock_offsets_s.items(), key=lambda item: abs(item[1]))
    ok = abs(offset_s) < CLOCK_S
    reason = f"the clock of worker {worker!r} is {offset_s:+.1f} s off the master's"
    undermines = (Family.LATENCY, Family.RATE)
    return Check.of("clock_skew", abs(offset_s), CLOCK_S, ok, reason, undermines)


def clock_steps(run: Run, window: SteadyState | None) -> Check | None:
    """Return for how long a machine may have stood still in the judged time; name the worst clock step.

    A step back harms nothing: all durations are of a clock that cannot be set, and the recorder puts the
    starts right that clients tell by the wall clock. A step forward may be a virtual machine that was paused
    with all its clocks, which its host then set right.
    """
    steps = run.meta.clock_steps
    if not steps:
        return None
    judged = [step for step in steps if window is None or window.from_s - 1 <= step.at_s <= window.to_s + 1]
    lost_s = max(map(_longest_pause_s, judged), default=0.0)
    worst = max(judged or steps, key=lambda step: (_longest_pause_s(step), abs(step.forward_s)))
    of = f"of process {worst.process!r} was"
    when = f"{worst.at_s:.0f} s after the start"
    reason = f"the wall clock {of} set {'forward' if worst.forward_s > 0 else 'back'}"
    reason += f" by {abs(worst.forward_s):.4g} s, {when}"
    if worst.suspended_s:
        reason = f"the machine {of} suspended for {worst.suspended_s:.4g} s, {when}"
    elif lost_s:
        reason += ", or its machine was paused with its clocks: which of them is not known"
    else:
        reason += ": only latencies that a client takes from that clock are wrong by it"
    return Check("clock_steps", lost_s, 0.0, not lost_s, reason, LOAD)


def _longest_pause_s(step: ClockStep) -> float:
    """Return for how long, in seconds, the machine may have stood still at most around a clock step."""
    unknown_s = abs(step.forward_s) if step.suspended_s is None else max(step.forward_s, 0.0)
    return step.suspended_s or unknown_s
