"""The statements of a run on a branch: their plans, and the indexes that were measured to help them."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import psycopg
from psycopg import Connection

from plimsoll.advice.candidates import best_of, candidates
from plimsoll.advice.catalogue import Catalogue, read_catalogue
from plimsoll.advice.explain import Parameters, explained, generic_plan, parameter_sets
from plimsoll.advice.plans import plan_findings
from plimsoll.advice.samples import StatementCalls
from plimsoll.advice.server import MIB, ForeignKey
from plimsoll.advice.sql import Column, Statement, columns_of, parsed
from plimsoll.advice.trial import MIN_SETS, TRIAL_SETS, Measured, measured, try_index
from plimsoll.run_files.advice import Finding, Gain

EXPLAINED_SETS = 5
MAX_TRIALS = 12
CURED_BY_INDEX = ("missing_index", "unindexed_join", "nested_loop_scan", "ineffective_index", "spill_to_disk")
MAX_WORK_MEM = 1 << 30


class Looked(NamedTuple):
    """A statement whose plan was looked at, with parameters to execute it, and what was found."""

    text: str
    statement: Statement
    sets: list[Parameters]
    findings: list[Finding]


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
        looked = [found for each in slow if (found := self._look(each)) is not None]
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

    def _look(self, call: StatementCalls) -> Looked | None:
        statement = parsed(call.text)
        mean_ms = call.total_ms / call.calls
        tables = set(statement.tables.values()) if statement is not None else set()
        if statement is None or not tables or not tables <= self.source.tables.keys():
            if mean_ms >= 1:
                self.notes.append(
                    f"not looked at (no statement on tables of this database): {call.text[:200]}"
                )
            return None
        if statement.kind == "insert" or statement.is_administrative:
            return None
        try:
            sets = parameter_sets(self.session, statement, self.source, TRIAL_SETS)
            if sets:
                plans = [explained(self.session, call.text, each) for each in _some(sets)]
                plan = max(plans, key=lambda each: float(each["Execution Time"]))
            else:
                estimated = generic_plan(self.session, call.text, self.source)
                if estimated is None:
                    self.notes.append(f"its parameters cannot be drawn from columns: {call.text[:200]}")
                    return None
                plan = estimated
        except psycopg.Error as error:
            self.notes.append(f"no plan ({str(error).splitlines()[0]}): {call.text[:200]}")
            return None
        found = plan_findings(plan, call.text)
        for each in found:
            each.evidence["mean_ms"], each.evidence["calls"] = mean_ms, call.calls
            if not sets:
                each.evidence["is_estimated"] = True
        return Looked(call.text, statement, sets, found)

    def _with_gains(self, looked: Looked) -> Iterator[Finding]:
        """Yield the findings on a statement, those that an index cures with its measured gain."""
        tables = dict.fromkeys(
            str(each.evidence["table"]) for each in looked.findings if each.kind in CURED_BY_INDEX
        )
        gains: dict[str, tuple[tuple[str, ...], Gain] | None] = {}
        if len(looked.sets) >= MIN_SETS:
            before: Measured | None = None
            for table in [each for each in tables if each in self.catalogue.tables]:
                wanted = candidates(looked.statement, table, self.catalogue)
                if wanted and before is None:
                    before = self._measured(looked)
                if wanted and before is not None:
                    gains[table] = self._best(looked, table, wanted, before)
        seen: set[str] = set()
        for each in looked.findings:
            table = str(each.evidence["table"])
            if each.kind == "spill_to_disk":
                yield self._with_work_mem(each, looked)
            elif each.kind == "row_misestimate":
                yield self._with_cure(each, looked)
            elif table not in gains:
                yield self._unmeasured(each, looked, table)
            elif (best := gains[table]) is not None and table not in seen:
                seen.add(table)
                yield each._replace(subject=f"{table} ({', '.join(best[0])})", gain=best[1])

    def _measured(self, looked: Looked) -> Measured | None:
        try:
            return measured(self.session, looked.text, looked.sets)
        except psycopg.Error as error:
            self.notes.append(f"not measured ({str(error).splitlines()[0]}): {looked.text[:200]}")
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
                said = str(error).splitlines()[0]
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

    def _unmeasured(self, each: Finding, looked: Looked, table: str) -> Finding:
        """Return a finding without a gain, with the columns of its condition as its subject."""
        columns = columns_of(str(each.evidence["condition"])) & set(self.source.tables[table].distinct)
        subject = f"{table} ({', '.join(sorted(columns))})" if columns else table
        why = (
            "no column index can serve it"
            if looked.sets
            else "its parameters are unknown, so nothing was measured"
        )
        return each._replace(subject=subject, text=f"{each.text}; {why}")

    def _with_cure(self, wrong: Finding, looked: Looked) -> Finding:
        """Return a wrong estimate with whether it is right after ANALYZE."""
        if not looked.sets:
            return wrong
        plans = [explained(self.session, looked.text, each) for each in _some(looked.sets)]
        left = [made.kind for plan in plans for made in plan_findings(plan, looked.text)]
        is_cured = "row_misestimate" not in left
        cure = "ANALYZE cures it" if is_cured else "ANALYZE does not cure it"
        evidence = wrong.evidence | {"analyze_cures": is_cured}
        return wrong._replace(text=f"{wrong.text}; {cure}", evidence=evidence)

    def _with_work_mem(self, each: Finding, looked: Looked) -> Finding:
        """Return a spill with the least doubled work_mem that avoids it, and the time with it."""
        if not looked.sets:
            return each
        row = self.session.execute("SELECT s, pg_size_bytes(s) FROM current_setting('work_mem') s").fetchone()
        assert row is not None
        own_work_mem, work_mem = row
        before_ms = float(explained(self.session, looked.text, looked.sets[0])["Execution Time"])
        try:
            while (work_mem := 2 * work_mem) <= MAX_WORK_MEM:
                self.session.execute(f"SET work_mem = '{work_mem // 1024}kB'")
                plan = explained(self.session, looked.text, looked.sets[0])
                if all(made.kind != "spill_to_disk" for made in plan_findings(plan, looked.text)):
                    after_ms = float(plan["Execution Time"])
                    text = (
                        f"{each.text}; with work_mem = {work_mem / MIB:,.0f} MiB it stays in memory, in"
                        f" {after_ms:,.1f} ms instead of {before_ms:,.1f} ms"
                    )
                    evidence = {"work_mem_bytes": work_mem, "before_ms": before_ms, "after_ms": after_ms}
                    return each._replace(text=text, evidence=each.evidence | evidence)
        finally:
            self.session.execute("SELECT set_config('work_mem', $1, false)", [own_work_mem])
        return each

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
        sets = parameter_sets(self.session, statement, self.catalogue, TRIAL_SETS)
        if len(sets) < MIN_SETS:
            return each
        check = Looked(text, statement, sets, [])
        before = self._measured(check)
        if before is None:
            return each
        best = self._best(check, table, [columns], before)
        return None if best is None else each._replace(gain=best[1])


def _some(sets: Sequence[Parameters]) -> list[Parameters]:
    return list(dict.fromkeys(sets[:EXPLAINED_SETS]))


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
