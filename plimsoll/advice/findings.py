"""The kinds of findings: what each is about, and the four next steps that follow from it."""

from typing import Any, NamedTuple

from plimsoll.run_files.advice import (
    NOTE,
    RELIABILITY,
    RESOURCES,
    RESPONSE_TIME,
    SEVERITY_OF_GROUP,
    THROUGHPUT,
    Finding,
)


class Kind(NamedTuple):
    """A kind of finding; next steps may name figures of its evidence in braces."""

    group: str
    next_steps: tuple[str, str, str, str]
    is_note: bool = False


KINDS = {
    "missing_index": Kind(
        RESPONSE_TIME,
        (
            "create the index with CREATE INDEX CONCURRENTLY, which does not block writes",
            "ANALYZE the table, and look whether the plan uses the index",
            "run the same load again and compare latency and written WAL",
            "look for other indexes that the new one makes redundant",
        ),
    ),
    "unindexed_join": Kind(
        RESPONSE_TIME,
        (
            "index the join column of the large table",
            "ANALYZE both tables, so that the planner knows how few rows match",
            "run the same load again and compare the plan and its blocks",
            "select only the columns and rows that are needed before the join",
        ),
    ),
    "unindexed_foreign_key": Kind(
        RESPONSE_TIME,
        (
            "create an index that begins with the columns of the foreign key, CONCURRENTLY",
            "delete parents in small transactions until then: each delete scans the child table",
            "look at the deletes of the parent again: the time of their triggers should be gone",
            "look for other tables that refer to the same parent",
        ),
    ),
    "index_not_used": Kind(
        RESPONSE_TIME,
        (
            "where most blocks are in memory or on an SSD, lower random_page_cost to 1.1 and compare",
            "ANALYZE the table: a wrong estimate makes a scan look cheap",
            "compare the types of column and value: a cast of the column makes an index useless",
            "run the same load again and compare the plan and its blocks",
        ),
    ),
    "ineffective_index": Kind(
        RESPONSE_TIME,
        (
            "add the column of the filter to the index, after those compared for equality",
            "or make the index partial, where the filter is always the same",
            "look which of both indexes the other statements need",
            "run the same load again and compare the rows removed by the filter",
        ),
    ),
    "nested_loop_scan": Kind(
        RESPONSE_TIME,
        (
            "index the column by which the inner table is joined",
            "ANALYZE both tables: a nested loop is chosen when few outer rows are expected",
            "compare the types of both join columns: a cast makes an index useless",
            "run the same load again and compare the plan",
        ),
    ),
    "row_misestimate": Kind(
        RESPONSE_TIME,
        (
            "ANALYZE the table, and let autovacuum do so more often (autovacuum_analyze_scale_factor)",
            "raise the statistics of the column: ALTER TABLE … ALTER COLUMN … SET STATISTICS 1000",
            "CREATE STATISTICS on columns that depend on each other",
            "look whether the plan changes when the estimate is right; if not, leave it",
        ),
    ),
    "n_plus_one": Kind(
        RESPONSE_TIME,
        (
            "fetch all rows with one statement: a join, or WHERE … = ANY($1)",
            "in an object mapper, load the relation eagerly (select_related, joinedload, DataLoader)",
            "limit the list, so that its length cannot multiply the statements",
            "run the same load again: calls per call of the list should fall to one or two",
        ),
    ),
    "spill_to_disk": Kind(
        RESOURCES,
        (
            "raise work_mem for this statement or role alone: each sort of each session may take that much",
            "or index the columns in the order that is asked for, so that nothing is sorted",
            "sort or aggregate fewer rows and columns: filter earlier, select less",
            "run the same load again: postgres.temp_bytes should stay 0",
        ),
    ),
    "idle_in_transaction": Kind(
        RELIABILITY,
        (
            "commit or roll back before waiting for anything outside of the database: users, HTTP, queues",
            "set idle_in_transaction_session_timeout as a safety net",
            "look for code paths that leave a transaction open after an error",
            "use autocommit for single SELECTs: without it each opens a transaction",
        ),
    ),
    "lock_pile_up": Kind(
        RELIABILITY,
        (
            "shorten the transaction of the session that blocks the others",
            "update hot rows last in a transaction, in one order everywhere",
            "set lock_timeout, so that waiters fail fast instead of piling up",
            "spread a hot row over several, or queue its changes (FOR UPDATE SKIP LOCKED)",
        ),
    ),
    "pool_too_small": Kind(
        THROUGHPUT,
        (
            "enlarge the pool step by step while the server has sessions and CPU to spare",
            "hold a connection only while a statement runs: return it before slow work",
            "look at slow statements first: a connection that is free sooner serves more requests",
            "run the same load again: requests should wait for a connection in under 10 % of samples",
        ),
    ),
    "unused_index": Kind(
        RESOURCES,
        (
            "look at idx_scan over weeks and on every replica: minutes prove no disuse",
            "ask whether a monthly job or a report needs it",
            "drop it with DROP INDEX CONCURRENTLY once that is answered",
            "keep its definition, so that it can be made again",
        ),
        is_note=True,
    ),
    "redundant_index": Kind(
        RESOURCES,
        (
            "compare both definitions: the longer index serves whatever the shorter one does",
            "look whether the shorter one is so much smaller that scans of it are faster",
            "drop the redundant one with DROP INDEX CONCURRENTLY",
            "run the same load again and compare latency and written WAL",
        ),
        is_note=True,
    ),
    "cache_hit_ratio": Kind(
        RESOURCES,
        (
            "look at the statements that read most blocks: an index may save most of them",
            "compare shared_buffers and memory with the size of the tables and indexes in use",
            "look whether the run began with cold caches: repeat it after a warm-up",
            "look for bloat: dead rows take as much cache as live ones",
        ),
    ),
    "server_setting": Kind(
        RESOURCES,
        (
            "change the setting with ALTER SYSTEM SET, one at a time",
            "reload the configuration, or restart where pg_settings says context postmaster",
            "run the same load again and compare it with this run",
            "keep the change only where a figure has improved",
        ),
    ),
}


def finding(kind: str, subject: str, text: str, evidence: dict[str, Any], group: str = "") -> Finding:
    """Return a finding of a kind; *group* where it is not that of the kind."""
    known = KINDS[kind]
    group = group or known.group
    severity = NOTE if known.is_note else SEVERITY_OF_GROUP[group]
    return Finding(kind, group, severity, subject, text, evidence, known.next_steps)
