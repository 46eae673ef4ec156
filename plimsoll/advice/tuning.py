"""The statements of a run on a branch: their plans, and the indexes that were measured to help them."""

from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
from psycopg import Connection

from plimsoll.advice.candidates import best_of, candidates
from plimsoll.advice.catalogue import Catalogue, read_catalogue
from plimsoll.advice.cures import with_analyze, with_index_in_use, with_work_mem
from plimsoll.advice.explain import MAX_SETS, Looked, look, parameter_sets
from plimsoll.advice.findings import finding
from plimsoll.advice.plans import cast_columns
from plimsoll.advice.samples import StatementCalls
from plimsoll.advice.server import ForeignKey
from plimsoll.advice.sql import Column, Statement, columns_of, parsed
from plimsoll.advice.trial import MIN_SETS, Measured, measured, try_index
from plimsoll.run_files.advice import Finding, Gain

MAX_TRIALS = 12
CURED_BY_INDEX = ("missing_index", "unindexed_join", "nested_loop_scan", "ineffective_index")


class Tuning:
    """The work on one branch; `tried` are the indexes without a gain, `notes` what was not looked at."""

    def __init__(self, session: Connection[Any], source: Catalogue, calls: Sequence[StatementCalls]) -> None:
        self.session, self.source, self.calls = session, source, calls
        self.catalogue = source
        self.tried: list[Gain] = []
        self.notes: list[str] = []
        self.trials = 0

    def findings(self, slow: Sequence[StatementCalls], keys: Sequence[Finding]) -> Iterator[Finding]:
        """Yield what is wrong with the plans of statements, with the gain of an index where one was measured.

        *keys* are findings on foreign keys; each is yielded with its gain unless an index was tried in vain.
        """
        # Before ANALYZE, as the statistics that the database itself plans by are copied with it.
        plans = [look(self.session, each, self.source, self.notes) for each in slow]
        looked = [each for each in plans if each is not None]
        self.session.execute("ANALYZE")
        self.catalogue = read_catalogue(self.session)
        advised: dict[object, Finding] = {}
        for made in (made for each in looked for made in self._with_gains(each)):
            # One index is advised once, whatever the statements are that it helps.
            key = made.gain.definition if made.gain else (made.kind, made.subject)
            if key in advised:
                evidence = advised[key].evidence
                evidence["other_statements"] = evidence.get("other_statements", 0) + 1
            advised.setdefault(key, made)
        for key_finding in keys:
            with_gain = self._with_key_gain(key_finding)
            if with_gain is not None:
                advised.setdefault(
                    with_gain.gain.definition if with_gain.gain else with_gain.subject, with_gain
                )
        yield from advised.values()

    def _with_gains(self, looked: Looked) -> Iterator[Finding]:
        """Yield the findings on a statement, those that an index cures with its measured gain."""
        tables = {str(each.evidence["table"]) for each in looked.findings if each.kind in CURED_BY_INDEX}
        gains: dict[str, tuple[tuple[str, ...], Gain] | None] = {}
        before = self._measured(looked) if tables and len(looked.sets) >= MIN_SETS else None
        if before is not None:
            for table in sorted(tables & self.catalogue.tables.keys()):
                if wanted := candidates(looked.statement, table, self.catalogue):
                    gains[table] = self._best(looked, table, wanted, before)
        seen: set[str] = set()
        for each in looked.findings:
            table = str(each.evidence["table"])
            if each.kind == "spill_to_disk":
                yield with_work_mem(self.session, each, looked)
            elif each.kind == "row_misestimate":
                yield with_analyze(self.session, each, looked)
            elif table not in gains:
                yield from self._without_trial(each, looked, table, before)
            elif (best := gains[table]) is not None and table not in seen:
                seen.add(table)
                yield each._replace(subject=f"{table} ({', '.join(best[0])})", gain=best[1])

    def _measured(self, looked: Looked) -> Measured | None:
        try:
            return measured(self.session, looked.text, looked.sets)
        except psycopg.Error as error:
            self.notes.append(f"not measured ({type(error).__name__}): {looked.text[:200]}")
            return None

    def _best(
        self, looked: Looked, table: str, wanted: Sequence[tuple[str, ...]], before: Measured
    ) -> tuple[tuple[str, ...], Gain] | None:
        """Try indexes on a table one by one; return the one to advise, and keep those without a gain."""
        results = []
        for columns in wanted:
            if self.trials >= MAX_TRIALS:
                self.notes.append(f"not tried, as {MAX_TRIALS} indexes were: {table} ({', '.join(columns)})")
                continue
            self.trials += 1
            try:
                gain = try_index(
                    self.session,
                    (looked.text, looked.sets, before),
                    self.source.tables[table]._replace(schema=self.catalogue.tables[table].schema),
                    columns,
                    self._updates_of(table, columns),
                )
            except psycopg.Error as error:
                said = type(error).__name__
                self.notes.append(f"index on {table} ({', '.join(columns)}) not measured: {said}")
                continue
            results.append((columns, gain))
            if not gain.is_shown:
                self.tried.append(gain)
        return best_of(results)

    def _updates_of(self, table: str, columns: Sequence[str]) -> int:
        """Return how many updates of the run set a column of an index, so that they can no longer be HOT."""
        updates = 0
        for call in self.calls:
            statement = parsed(call.text)
            if statement is not None and statement.kind == "update":
                set_here = self.source.owned(statement.set_columns, statement)
                updates += call.calls if {(table, name) for name in columns} & set(set_here) else 0
        return updates

    def _without_trial(
        self, each: Finding, looked: Looked, table: str, before: Measured | None
    ) -> Iterator[Finding]:
        """Yield a finding for which no index was tried, and why; none where an existing one saves nothing."""
        condition = str(each.evidence["condition"])
        columns = columns_of(condition) & set(self.source.tables[table].distinct)
        subject = f"{table} ({', '.join(sorted(columns))})" if columns else table
        indexed = columns & self.source.leading_columns(table)
        if cast := cast_columns(condition) & indexed:
            text = f"{each.text}; the index on {', '.join(sorted(cast))} is of no use, as its column is cast"
            yield finding("index_not_used", subject, text, each.evidence)
        elif indexed and before is not None:
            used = with_index_in_use(self.session, each, looked, before)
            yield from [] if used is None else [used._replace(subject=subject)]
        else:
            why = "no column index can serve it" if looked.sets else "its parameters are unknown"
            yield each._replace(subject=subject, text=f"{each.text}; nothing was measured, as {why}")

    def _with_key_gain(self, each: Finding) -> Finding | None:
        """Return a finding on a foreign key with what an index does to the check of a deleted parent.

        None where an index was measured in vain.
        """
        table, columns = str(each.evidence["table"]), tuple(each.evidence["columns"])
        known = self.catalogue.tables[table]
        condition = " AND ".join(f'"{name}" = ${place}' for place, name in enumerate(columns, 1))
        text = f'SELECT 1 FROM ONLY "{known.schema}"."{table}" x WHERE {condition} FOR KEY SHARE OF x'  # noqa: S608 - names of the catalogue
        uses = {place: Column(table, name) for place, name in enumerate(columns, 1)}
        statement = Statement.of_check(table, uses)
        sets = parameter_sets(self.session, statement, self.catalogue, MAX_SETS)
        if len(sets) < MIN_SETS:
            return each
        check = Looked(text, statement, sets, [])
        before = self._measured(check)
        if before is None:
            return each
        best = self._best(check, table, [columns], before)
        return None if best is None else each._replace(gain=best[1])


def key_uses(
    keys: Sequence[ForeignKey], calls: Sequence[StatementCalls], catalogue: Catalogue
) -> dict[str, str]:
    """Return a statement for each foreign key that statements join by, or whose parents they delete."""
    found: dict[str, str] = {}
    for call in calls:
        statement = parsed(call.text)
        if statement is None or not call.calls:
            continue
        joined = catalogue.owned(statement.joined, statement)
        for key in keys:
            is_joined = (key.table, key.columns[0]) in joined
            is_deleted = statement.kind == "delete" and key.parent in statement.tables.values()
            if is_joined or is_deleted:
                found.setdefault(key.name, call.text)
    return found
