"""Rules over what was sampled of a run: calls of statements, sessions, locks, and connection pools."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from plimsoll.advice.findings import finding
from plimsoll.run_files.advice import Finding

N_PLUS_ONE_CALLS = 10
MIN_PARENT_CALLS = 5
STABLE = 0.1
"""How far the ratios of the stages, and rows of the list and calls, may be apart, as a share."""
IDLE_S = 1.0
VICTIMS, PILE_UP_SAMPLES = 3, 2
WAITING_RATIO, MIN_POOL_SAMPLES = 0.1, 10
BUSY_RATIO = 0.8
"""The share of max_connections over which a server has no sessions to spare."""


class StatementCalls(NamedTuple):
    """Calls of a statement in a stage of a run, with the rows that they returned or changed."""

    stage: str
    queryid: str
    text: str
    calls: int
    rows: int
    total_ms: float
    temp_blocks: int = 0


class ServerSample(NamedTuple):
    """One sample of a server: its sessions, the longest idle transaction, the worst pile of lock waits."""

    elapsed_s: float
    connections: int
    max_connections: int | None
    idle_in_transaction_s: float
    root_blocker: str | None
    victims: int


class PoolSample(NamedTuple):
    """One sample of connection pools: connections that they may hold, and requests that wait for one."""

    unix_s: int
    size: float | None
    waiting: float


def n_plus_one(calls: Sequence[StatementCalls], iterations: Mapping[str, int]) -> list[Finding]:
    """Return the statements that are executed once for each row of a list.

    Either another statement returns as many rows as this one has calls, or each iteration calls it ten times
    or more for a row or less each; both in every stage alike. *iterations* are those of each stage, where
    the run knows them.
    """
    by_statement: dict[str, dict[str, StatementCalls]] = defaultdict(dict)
    for each in calls:
        if each.calls:
            by_statement[each.queryid][each.stage] = each
    found = []
    for queryid, stages in by_statement.items():
        lists = (other for other_id, other in by_statement.items() if other_id != queryid)
        parent = next((other for other in lists if _is_list_of(other, stages)), None)
        per_iteration = _stable(
            [
                each.calls / iterations.get(stage, 0) if iterations.get(stage) else 0.0
                for stage, each in stages.items()
            ]
        )
        if parent is not None:
            found.append(_n_plus_one(stages, parent))
        elif per_iteration >= N_PLUS_ONE_CALLS and _total(stages, "rows") <= _total(stages, "calls"):
            found.append(_per_iteration(stages, per_iteration))
    return found


def _is_list_of(parent: Mapping[str, StatementCalls], child: Mapping[str, StatementCalls]) -> bool:
    """Tell whether in each stage the child was called once for each row that the parent returned."""
    if parent.keys() < child.keys() or any(parent[stage].calls < MIN_PARENT_CALLS for stage in child):
        return False
    ratio = _stable([each.calls / parent[stage].calls for stage, each in child.items()])
    rows = [parent[stage].rows / each.calls for stage, each in child.items()]
    return ratio >= N_PLUS_ONE_CALLS and all(abs(each - 1) <= STABLE for each in rows)


def _stable(ratios: Sequence[float]) -> float:
    """Return the smallest of ratios that are alike, else 0."""
    return min(ratios) if max(ratios) - min(ratios) <= STABLE * max(ratios) else 0.0


def _total(stages: Mapping[str, StatementCalls], field: str) -> float:
    return float(sum(getattr(each, field) for each in stages.values()))


def _n_plus_one(child: Mapping[str, StatementCalls], parent: Mapping[str, StatementCalls]) -> Finding:
    one, other = next(iter(child.values())), next(iter(parent.values()))
    parent_calls = sum(parent[stage].calls for stage in child)
    ratio = _total(child, "calls") / parent_calls
    text = (
        f"{ratio:,.0f} calls for each call of a statement that returns as many rows"
        f" ({_total(child, 'calls'):,.0f} and {parent_calls:,.0f} in all): one for each row of a list"
    )
    evidence = {
        "calls": _total(child, "calls"),
        "calls_per_list": ratio,
        "total_ms": _total(child, "total_ms"),
        "list_statement": other.text,
        "list_calls": parent_calls,
        "list_rows": sum(parent[stage].rows for stage in child),
        "stages": len(child),
    }
    return finding("n_plus_one", one.text, text, evidence)


def _per_iteration(child: Mapping[str, StatementCalls], per_iteration: float) -> Finding:
    one = next(iter(child.values()))
    text = (
        f"at least {per_iteration:,.1f} calls in each iteration, for {_total(child, 'rows'):,.0f} rows in all"
    )
    evidence = {
        "calls": _total(child, "calls"),
        "calls_per_iteration": per_iteration,
        "rows": _total(child, "rows"),
        "total_ms": _total(child, "total_ms"),
        "stages": len(child),
    }
    return finding("n_plus_one", one.text, text, evidence)


def idle_in_transaction(samples: Sequence[ServerSample]) -> list[Finding]:
    """Return a finding where a session held a transaction open for over a second without a statement."""
    longest = max(samples, key=lambda each: each.idle_in_transaction_s, default=None)
    if longest is None or longest.idle_in_transaction_s <= IDLE_S:
        return []
    over = sum(each.idle_in_transaction_s > IDLE_S for each in samples)
    text = (
        f"a session was idle in a transaction for {longest.idle_in_transaction_s:,.1f} s, at"
        f" {longest.elapsed_s:,.0f} s of the run; {over} of {len(samples)} samples are over {IDLE_S:g} s:"
        " its locks are held, and VACUUM cannot remove what it could still see"
    )
    evidence = {
        "longest_s": longest.idle_in_transaction_s,
        "at_s": longest.elapsed_s,
        "samples": over,
        "samples_in_all": len(samples),
    }
    return [finding("idle_in_transaction", "sessions", text, evidence)]


def lock_pile_up(samples: Sequence[ServerSample]) -> list[Finding]:
    """Return a finding where one session blocked three or more others in two samples in a row."""
    piles = []
    for root, group in groupby(samples, lambda each: each.root_blocker if each.victims >= VICTIMS else None):
        pile = list(group)
        if root is not None and len(pile) >= PILE_UP_SAMPLES:
            piles.append(pile)
    if not piles:
        return []
    worst = max((each for pile in piles for each in pile), key=lambda each: each.victims)
    lasting_s = max(pile[-1].elapsed_s - pile[0].elapsed_s for pile in piles)
    text = (
        f"up to {worst.victims} sessions waited for locks behind the one session {worst.root_blocker}, at"
        f" {worst.elapsed_s:,.0f} s of the run; {len(piles)} such piles, the longest of {lasting_s:,.0f} s"
    )
    evidence = {
        "victims": worst.victims,
        "root_blocker": worst.root_blocker,
        "at_s": worst.elapsed_s,
        "piles": len(piles),
        "longest_s": lasting_s,
    }
    return [finding("lock_pile_up", f"session {worst.root_blocker}", text, evidence)]


def pool_too_small(pool: Sequence[PoolSample], server: Sequence[ServerSample]) -> list[Finding]:
    """Return a finding where requests waited for a connection while the server had sessions to spare."""
    waiting = [each for each in pool if each.waiting > 0]
    if len(pool) < MIN_POOL_SAMPLES or len(waiting) < WAITING_RATIO * len(pool):
        return []
    limits = [each.max_connections for each in server if each.max_connections]
    peak = max((each.connections for each in server), default=0)
    if limits and peak >= BUSY_RATIO * min(limits):
        return []
    most = max(waiting, key=lambda each: each.waiting)
    size = max((each.size for each in pool if each.size is not None), default=None)
    spare = (
        f"the server had at most {peak} of {min(limits)} sessions" if limits else "the server was not sampled"
    )
    text = (
        f"requests waited for a connection of the pool in {len(waiting)} of {len(pool)} samples, up to"
        f" {most.waiting:,.0f} at once{f', of {size:,.0f} connections' if size is not None else ''}; {spare}"
    )
    evidence = {
        "samples_waiting": len(waiting),
        "samples": len(pool),
        "most_waiting": most.waiting,
        "pool_size": size,
        "peak_sessions": peak if server else None,
        "max_connections": min(limits, default=None),
    }
    return [finding("pool_too_small", "connection pool", text, evidence)]


def slowest(calls: Iterable[StatementCalls], over_ms: float, most: int) -> Iterator[StatementCalls]:
    """Yield the statements to look at over all stages, those of most time first.

    These are those with a mean over *over_ms*, and those that took most time, *most* in all.
    """
    merged: dict[str, StatementCalls] = {}
    for each in calls:
        before = merged.get(each.queryid)
        merged[each.queryid] = (
            each
            if before is None
            else each._replace(
                calls=each.calls + before.calls,
                rows=each.rows + before.rows,
                total_ms=each.total_ms + before.total_ms,
                temp_blocks=each.temp_blocks + before.temp_blocks,
            )
        )
    called = [each for each in merged.values() if each.calls]
    # Slow ones come before those that are merely frequent, or `most` would cut them off.
    ordered = sorted(called, key=lambda each: (each.total_ms / each.calls < over_ms, -each.total_ms))
    yield from ordered[:most]
