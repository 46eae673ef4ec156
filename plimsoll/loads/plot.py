"""A schedule as text: its course over time, and its stages."""

from __future__ import annotations

from plimsoll.loads.arrival_schedule import ArrivalSchedule
from plimsoll.loads.schedule import HOUR, MINUTE, Schedule

COLUMNS = 72
ROWS = 10
LOOKS_PER_COLUMN = 8
_BARS = " ▁▂▃▄▅▆▇█"


def plot(name: str, schedule: Schedule | ArrivalSchedule) -> str:
    """Return a schedule as lines of text: what it comes to, its course, and each of its stages."""
    heading = f"{name}: {summary(schedule)}"
    return "\n\n".join([heading, "\n".join(_course(schedule)), "\n".join(_stage_table(schedule))])


def summary(schedule: Schedule | ArrivalSchedule) -> str:
    """Return how long a schedule lasts, its peak, and the area under its course."""
    if isinstance(schedule, ArrivalSchedule):
        load = f"peak {_number(schedule.peak_rate)} arrivals/s, {_number(schedule.planned_arrivals)} arrivals"
        return f"{duration(schedule.duration_s)}, {load}, at most {_number(schedule.max_users)} users"
    load = f"peak {_number(schedule.peak_users)} users, {_number(schedule.user_hours)} user-hours"
    return f"{duration(schedule.duration_s)}, {load}"


def duration(seconds: float) -> str:
    """Return seconds in words: 90 => "1 min 30 s", 30300 => "8 h 25 min"."""
    if seconds < MINUTE:
        return f"{seconds:.3g} s"
    minutes, rest_s = divmod(round(seconds), round(MINUTE))
    hours, minutes = divmod(minutes, round(HOUR / MINUTE))
    parts = [(hours, "h"), (minutes, "min"), (rest_s, "s")]
    return " ".join(f"{number} {unit}" for number, unit in parts if number)


def _course(schedule: Schedule | ArrivalSchedule) -> list[str]:
    level_at = schedule.rate_at if isinstance(schedule, ArrivalSchedule) else schedule.users_at
    step_s = schedule.duration_s / (COLUMNS * LOOKS_PER_COLUMN)
    looks = [level_at((look + 0.5) * step_s) or 0.0 for look in range(COLUMNS * LOOKS_PER_COLUMN)]
    # The highest load within each column, so that none is too short to be seen.
    levels = [max(looks[at : at + LOOKS_PER_COLUMN]) for at in range(0, len(looks), LOOKS_PER_COLUMN)]
    peak = max(levels)
    labels = [_number(peak), _number(peak / 2), "0"]
    width = max(map(len, labels))
    rows = []
    for row in reversed(range(ROWS)):
        label = {ROWS - 1: labels[0], ROWS // 2 - 1: labels[1]}.get(row, "")
        # How much of each cell is filled from below.
        filled = (min(max(level / peak * ROWS - row, 0.0), 1.0) for level in levels)
        rows.append(f"{label:>{width}} ┤{''.join(_BARS[round(ratio * 8)] for ratio in filled)}".rstrip())
    end = duration(schedule.duration_s)
    return [*rows, f"{labels[2]:>{width}} ┼{'─' * COLUMNS}", f"{'':{width}} 0 s{end:>{COLUMNS - 2}}"]


def _stage_table(schedule: Schedule | ArrivalSchedule) -> list[str]:
    unit = "arrivals/s" if isinstance(schedule, ArrivalSchedule) else "users"
    rows = [("stage", "from", "for", unit)]
    start_s = 0.0
    for stage in schedule.stages:
        _, _, low, high = stage
        load = _number(low) if low == high else f"{_number(low)} → {_number(high)}"
        rows.append((stage.name, duration(start_s), duration(stage.duration_s), load))
        start_s += stage.duration_s
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(f"{text:<{width}}" for text, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"
