"""Rules over the catalogue and the settings of a server, and over its counters during a run."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from plimsoll.advice.findings import finding
from plimsoll.run_files.advice import RELIABILITY, THROUGHPUT, Finding

MIB, GIB = 1 << 20, 1 << 30
MIN_INDEX_BYTES = MIB
"""A smaller index costs next to nothing."""
MIN_CHILD_ROWS = 10_000
HIT_RATIO, MIN_BLOCKS_READ = 0.99, 10_000
MAX_BUFFERS_SHARE, MIN_BUFFERS_SHARE = 0.4, 0.1
MAX_SESSIONS = 500
PEAK_RATIO = 0.9
DEFAULT_RANDOM_PAGE_COST = 4.0


class Machine(NamedTuple):
    """The machine of a server, where it is this one."""

    memory_bytes: int
    cores: int


class Counters(NamedTuple):
    """What a server counted during a run; None where it was not sampled."""

    blocks_hit: int | None = None
    blocks_read: int | None = None
    temp_bytes: int | None = None
    checkpoints_timed: int | None = None
    checkpoints_requested: int | None = None
    peak_connections: int | None = None


class Index(NamedTuple):
    """An index; keys are its key columns or expressions with operator class and order."""

    table: str
    name: str
    keys: tuple[str, ...]
    included: frozenset[str]
    method: str
    predicate: str
    is_unique: bool
    is_constraint: bool
    scans: int
    size_bytes: int


class ForeignKey(NamedTuple):
    """A foreign key; it is indexed where its columns come first in a valid index without a condition."""

    name: str
    table: str
    columns: tuple[str, ...]
    parent: str
    table_rows: float
    is_indexed: bool


def index_findings(indexes: Sequence[Index]) -> list[Finding]:
    """Return unused and redundant indexes, each as one note."""
    found = []
    for each in indexes:
        if each.is_unique or each.is_constraint or each.size_bytes < MIN_INDEX_BYTES:
            continue
        cover = next((other for other in indexes if _covers(other, each)), None)
        size = f"{each.size_bytes / MIB:,.1f} MiB"
        evidence = {
            "table": each.table,
            "index": each.name,
            "size_bytes": each.size_bytes,
            "scans": each.scans,
        }
        if cover is not None:
            text = f"{each.name} on {each.table} takes {size}, and {cover.name} has the same columns first"
            found.append(finding("redundant_index", each.name, text, evidence | {"covered_by": cover.name}))
        elif not each.scans:
            text = f"{each.name} on {each.table} takes {size} and was not scanned since statistics were reset"
            found.append(finding("unused_index", each.name, text, evidence))
    return found


def _covers(other: Index, each: Index) -> bool:
    """Tell whether *other* does all that an index does; of two that are the same, the one kept is by name."""
    is_alike = other.table == each.table and other.method == each.method and other.predicate == each.predicate
    if other is each or not is_alike or other.keys[: len(each.keys)] != each.keys:
        return False
    if not each.included <= other.included | set(other.keys):
        return False
    if other.keys == each.keys and other.included == each.included:
        return other.is_unique or other.name < each.name
    return len(other.keys) > len(each.keys) or other.included > each.included


def foreign_key_findings(keys: Sequence[ForeignKey], used_by: Mapping[str, str]) -> list[Finding]:
    """Return foreign keys of large tables without an index, where the run used them.

    *used_by* maps the name of each to a statement that joins by it, or deletes from its parent.
    """
    found = []
    for key in keys:
        if key.is_indexed or key.table_rows < MIN_CHILD_ROWS or key.name not in used_by:
            continue
        columns = ", ".join(key.columns)
        text = (
            f"{key.table} ({columns}) refers to {key.parent} and no index begins with it: each join by it and"
            f" each delete of a parent reads {key.table_rows:,.0f} rows"
        )
        evidence = {
            "table": key.table,
            "columns": list(key.columns),
            "constraint": key.name,
            "parent": key.parent,
            "table_rows": key.table_rows,
            "statement": used_by[key.name],
        }
        found.append(finding("unindexed_foreign_key", f"{key.table} ({columns})", text, evidence))
    return found


def counter_findings(counters: Counters) -> list[Finding]:
    """Return what the counters of a run say: too few blocks found in memory."""
    hit, read = counters.blocks_hit, counters.blocks_read
    if hit is None or read is None or read < MIN_BLOCKS_READ or hit / (hit + read) >= HIT_RATIO:
        return []
    text = f"{hit / (hit + read):.1%} of {hit + read:,} blocks were found in shared_buffers"
    evidence = {"hit_ratio": hit / (hit + read), "blocks_hit": hit, "blocks_read": read}
    return [finding("cache_hit_ratio", "shared_buffers", text, evidence)]


def setting_findings(
    settings: Mapping[str, Any], counters: Counters, machine: Machine | None
) -> Iterator[Finding]:
    """Yield the settings that do not fit; sizes are in bytes, times in seconds.

    Those against memory and cores need the machine.
    """
    if settings.get("autovacuum") is False:
        text = "autovacuum is off: dead rows and old statistics pile up until the tables are slow"
        yield finding("server_setting", "autovacuum", text, {"autovacuum": "off"}, RELIABILITY)
    yield from _connections(settings, counters)
    yield from _checkpoints(settings, counters)
    random_cost, sequential_cost = settings.get("random_page_cost"), settings.get("seq_page_cost", 1.0)
    if random_cost is not None and not sequential_cost <= random_cost <= DEFAULT_RANDOM_PAGE_COST:
        text = (
            f"random_page_cost is {random_cost:g}: between seq_page_cost ({sequential_cost:g}, all in memory)"
            f" and {DEFAULT_RANDOM_PAGE_COST:g} (a rotating disk) is what machines have"
        )
        yield finding("server_setting", "random_page_cost", text, {"random_page_cost": random_cost})
    if machine is not None:
        yield from _memory(settings, counters, machine)


def _connections(settings: Mapping[str, Any], counters: Counters) -> Iterator[Finding]:
    limit, peak = settings.get("max_connections"), counters.peak_connections
    if limit is None:
        return
    evidence = {"max_connections": limit, "peak_connections": peak}
    if peak is not None and peak >= PEAK_RATIO * limit:
        text = f"{peak} of {limit} connections were in use: the next clients are refused (53300)"
        yield finding("server_setting", "max_connections", text, evidence, RELIABILITY)
    elif limit > MAX_SESSIONS:
        text = f"max_connections is {limit}: so many sessions compete for few cores; a pool needs far fewer"
        yield finding("server_setting", "max_connections", text, evidence)


def _checkpoints(settings: Mapping[str, Any], counters: Counters) -> Iterator[Finding]:
    requested, timed = counters.checkpoints_requested or 0, counters.checkpoints_timed or 0
    if requested >= 2 and requested > timed:
        size = settings.get("max_wal_size", 0)
        text = (
            f"{requested} of {requested + timed} checkpoints came before their time, because"
            f" {size / MIB:,.0f} MiB of WAL (max_wal_size) were full: each writes whole pages again"
        )
        evidence = {"checkpoints_requested": requested, "checkpoints_timed": timed, "max_wal_size": size}
        yield finding("server_setting", "max_wal_size", text, evidence, THROUGHPUT)
    spread = settings.get("checkpoint_completion_target")
    if spread is not None and spread < 0.5:
        text = f"checkpoint_completion_target is {spread:g}: checkpoints write in a burst; 0.9 spreads them"
        evidence = {"checkpoint_completion_target": spread}
        yield finding("server_setting", "checkpoint_completion_target", text, evidence, THROUGHPUT)


def _memory(settings: Mapping[str, Any], counters: Counters, machine: Machine) -> Iterator[Finding]:
    memory = machine.memory_bytes

    def misfit(name: str, text: str, group: str = "") -> Finding:
        evidence = {f"{name}_bytes": settings[name], "memory_bytes": memory, "cores": machine.cores}
        whole = f"{name} is {_size(settings[name])} on a machine with {_size(memory)}: {text}"
        return finding("server_setting", name, whole, evidence, group)

    buffers = settings["shared_buffers"]
    if buffers > MAX_BUFFERS_SHARE * memory:
        yield misfit(
            "shared_buffers", "little is left for sessions and for the system's own cache", RELIABILITY
        )
    if buffers < MIN_BUFFERS_SHARE * memory and counter_findings(counters):
        yield misfit("shared_buffers", "a quarter of memory is usual, and blocks were missed during the run")
    if settings["work_mem"] * settings["max_connections"] > memory:
        text = f"times {settings['max_connections']} connections it is more than there is"
        yield misfit("work_mem", text, RELIABILITY)
    if settings["effective_cache_size"] > memory:
        yield misfit("effective_cache_size", "the planner counts on more cache than there is")
    elif settings["effective_cache_size"] < buffers:
        yield misfit("effective_cache_size", "it includes shared_buffers, so it cannot be less")
    workers = settings.get("autovacuum_max_workers", 3)
    if settings["maintenance_work_mem"] * workers > memory / 2:
        yield misfit("maintenance_work_mem", f"{workers} autovacuum workers may take it each", RELIABILITY)
    elif settings["maintenance_work_mem"] < 64 * MIB <= memory / 64:
        yield misfit(
            "maintenance_work_mem", "indexes are built and tables vacuumed in more passes than needed"
        )
    parallel = settings.get("max_parallel_workers_per_gather", 0)
    if parallel > 2 * machine.cores:
        text = f"max_parallel_workers_per_gather is {parallel} on a machine of {machine.cores} cores"
        evidence = {"max_parallel_workers_per_gather": parallel, "cores": machine.cores}
        yield finding("server_setting", "max_parallel_workers_per_gather", text, evidence)


def _size(size_bytes: float) -> str:
    return f"{size_bytes / GIB:,.1f} GiB" if size_bytes >= GIB else f"{size_bytes / MIB:,.1f} MiB"
