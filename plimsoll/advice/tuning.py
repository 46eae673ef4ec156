"""The statements of a run on a branch: their plans, and the indexes that were measured to help them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
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
        for each_key in keys:
            for made in self._unless_refused(self._with_key_gain, each_key):
                advised.setdefault(made.gain.definition if made.gain else made.subject, made)
        yield from advised.values()

    def _unless_refused(
        self, measure: Callable[[Finding], Iterable[Finding]], each: Finding
    ) -> Iterable[Finding]:
        """Return what a measurement makes of a finding, or the finding as it is where it cannot be made."""
        try:
            return list(measure(each))
        except psycopg.Error as error:
            self.notes.append(f"{each.kind}: {each.subject[:200]} not measured: {type(error).__name__}")
            return [each]

    def _with_gains(self, looked: Looked) -> Iterator[Finding]:
        """Yield the findings on a statement, those that an index cures with its measured gain."""
        tables = {str(each.evidence["table"]) for each in looked.findings if each.kind in CURED_BY_INDEX}
        tried: dict[str, list[tuple[tuple[str, ...], Gain]]] = {}
        before = self._measured(looked) if tables and len(looked.sets) >= MIN_SETS else None
        if before is not None:
            for table in sorted(tables & self.catalogue.tables.keys()):
                wanted = candidates(looked.statement, table, self.catalogue)
                tried[table] = self._try(looked, table, wanted, before)
        advised: set[str] = set()
        for each in looked.findings:
            table = str(each.evidence["table"])
            best = best_of(tried.get(table, []))
            if each.kind not in CURED_BY_INDEX or not tried.get(table):
                yield from self._unless_refused(partial(self._without_index, looked, before), each)
            elif best is not None and table not in advised:
                advised.add(table)
                yield each._replace(subject=f"{table} ({', '.join(best[0])})", gain=best[1])

    def _measured(self, looked: Looked) -> Measured | None:
        try:
            return measured(self.session, looked.text, looked.sets)
        except psycopg.Error as error:
            self.notes.append(f"not measured ({type(error).__name__}): {looked.text[:200]}")
            return None

    def _try(
        self, looked: Looked, table: str, wanted: Sequence[tuple[str, ...]], before: Measured
    ) -> list[tuple[tuple[str, ...], Gain]]:
        """Try indexes on a table one by one; those without a gain are kept in `tried`."""
        results = []
        for columns in wanted:
            if self.trials >= MAX_TRIALS:
                self.notes.append(f"not tried, as {MAX_TRIALS} indexes were: {table} ({', '.join(columns)})")
                continue
            self.trials += 1
            updates_not_hot = self._updates_of(table, columns)
            statement = (looked.text, looked.sets, before)
            try:
                gain = try_index(self.session, statement, self.source.tables[table], columns, updates_not_hot)
            except psycopg.Error as error:
                said = type(error).__name__
                self.notes.append(f"index on {table} ({', '.join(columns)}) not measured: {said}")
                continue
            results.append((columns, gain))
            if not gain.is_shown:
                self.tried.append(gain)
        return results

    def _updates_of(self, table: str, columns: Sequence[str]) -> int:
        """Return how many updates of the run set a column of an index, so that they can no longer be HOT."""
        updates = 0
        for call in self.calls:
            statement = parsed(call.text)
            if statement is not None and statement.kind == "update":
                set_here = self.source.owned(statement.set_columns, statement)
                updates += call.calls if {(table, name) for name in columns} & set(set_here) else 0
        return updates

    def _without_index(self, looked: Looked, before: Measured | None, each: Finding) -> Iterator[Finding]:
        """Yield a finding that no index was tried for, with what else was; none where an index is no use."""
        if each.kind == "spill_to_disk":
            yield with_work_mem(self.session, each, looked)
            return
        if each.kind == "row_misestimate":
            yield with_analyze(self.session, each, looked)
            return
        table, condition = str(each.evidence["table"]), str(each.evidence["condition"])
        known = self.source.tables.get(table)
        columns = columns_of(condition) & (known.distinct.keys() if known is not None else set())
        subject = f"{table} ({', '.join(sorted(columns))})" if columns else table
        indexed = columns & self.source.leading_columns(table)
        if cast := cast_columns(condition) & indexed:
            text = f"{each.text}; the index on {', '.join(sorted(cast))} is of no use, as its column is cast"
            yield finding("index_not_used", subject, text, each.evidence)
        elif indexed and before is not None:
            used = with_index_in_use(self.session, each, looked, before)
            yield from [] if used is None else [used._replace(subject=subject)]
        else:
            yield each._replace(subject=subject, text=f"{each.text}; no index was measured")

    def _with_key_gain(self, each: Finding) -> Iterator[Finding]:
        """Yield a finding on a foreign key with what an index does to the check of a deleted parent.

        Nothing where an index was measured in vain.
        """
        table, columns = str(each.evidence["table"]), tuple(each.evidence["columns"])
        known = self.catalogue.tables[table]
        condition = " AND ".join(f'"{name}" = ${place}' for place, name in enumerate(columns, 1))
        text = f'SELECT 1 FROM ONLY "{known.schema}"."{table}" x WHERE {condition} FOR KEY SHARE OF x'  # noqa: S608 - names of the catalogue
        uses = {place: Column(table, name) for place, name in enumerate(columns, 1)}
        statement = Statement.of_check(table, uses)
        sets = parameter_sets(self.session, statement, self.catalogue, MAX_SETS)
        check = Looked(text, statement, sets, [])
        before = self._measured(check) if len(sets) >= MIN_SETS else None
        results = [] if before is None else self._try(check, table, [columns], before)
        best = best_of(results)
        if best is not None:
            yield each._replace(gain=best[1])
        elif not results:
            yield each


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
