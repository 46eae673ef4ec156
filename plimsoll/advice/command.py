"""`plimsoll advise RUN`: what would make the database of a run faster."""

import argparse
import json
import os
import textwrap
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from plimsoll.advice.catalogue import Catalogue, read_catalogue, read_statements
from plimsoll.advice.explain import branch_session, with_options
from plimsoll.advice.recorded import NoRunError, read_recorded
from plimsoll.advice.samples import (
    StatementCalls,
    idle_in_transaction,
    lock_pile_up,
    n_plus_one,
    pool_too_small,
    slowest,
)
from plimsoll.advice.server import (
    counter_findings,
    foreign_key_findings,
    index_findings,
    setting_findings,
)
from plimsoll.advice.tuning import Tuning, key_uses
from plimsoll.branches import Branch, BranchError, branch_of
from plimsoll.redact import redact
from plimsoll.run_files.advice import ADVICE_FILE, GROUPS, SEVERITIES, Advice, Finding
from plimsoll.run_files.exit_status import ExitStatus

DATABASE_VARIABLE = "DATABASE_URL"
SLOW_MS, MAX_STATEMENTS = 100.0, 20
WIDTH, STATEMENT_WIDTH = 100, 300
READ_ONLY = "-c default_transaction_read_only=on -c statement_timeout=30s"


def command(arguments: Sequence[str]) -> tuple[int, str]:
    """Return the exit status and the text of `plimsoll advise`, having written advice.json into the run."""
    options = _parser().parse_args(arguments)
    try:
        advice = advise(
            options.run, options.database_url, use_branch=not options.no_branch, template=options.template
        )
    except NoRunError as error:
        return ExitStatus.BAD_CONFIGURATION, f"plimsoll: {error}\n"
    except psycopg.Error as error:
        said = redact(str(error)).strip()
        return ExitStatus.BAD_CONFIGURATION, (
            f"plimsoll: the database of --database-url cannot be looked at: {said}\nIt must still be there:"
            " that of --with-service has ended with its run. Without --database-url only what was recorded"
            " is looked at.\n"
        )
    path = options.run / ADVICE_FILE
    path.write_text(json.dumps(advice.facts, indent=1), "utf-8")
    return (
        ExitStatus.PASS,
        f"{advice_text(advice)}\nadvice: {path}, shown by `plimsoll judge {options.run}`\n",
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="plimsoll advise",
        description="Say what would make the database of a run faster; indexes are measured on a branch.",
        allow_abbrev=False,
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="a run directory")
    parser.add_argument(
        "--database-url",
        metavar="URL",
        default=os.environ.get(DATABASE_VARIABLE),
        help=f"the database of the run, which must still be there (default: {DATABASE_VARIABLE})",
    )
    parser.add_argument(
        "--template", metavar="NAME", help="the database to copy as a branch, one without sessions"
    )
    parser.add_argument(
        "--no-branch", action="store_true", help="only read the catalogue: no plan and no index is measured"
    )
    return parser


def advise(
    run: Path, database_url: str | None, *, use_branch: bool = True, template: str | None = None
) -> Advice:
    """Look at a run, and where there is a URL at its database, which is only read; a branch does the rest.

    Raises NoRunError, or psycopg.Error where the database cannot be read.
    """
    recorded, catalogue, server = read_recorded(run), None, None
    notes = list(recorded.notes)
    if database_url is None:
        notes.append("no --database-url: neither plans, indexes nor settings were looked at")
    else:
        url = with_options(database_url, READ_ONLY)
        with psycopg.connect(url, autocommit=True, client_encoding="UTF8") as connection:
            server = f"PostgreSQL {connection.info.parameter_status('server_version')}"
            catalogue = read_catalogue(connection)
            if not recorded.calls and (calls := read_statements(connection)):
                recorded = recorded._replace(calls=calls)
                notes.append("statements are those of the server since its statistics were reset")
    found = [
        *n_plus_one(recorded.calls, recorded.iterations),
        *idle_in_transaction(recorded.server),
        *lock_pile_up(recorded.server),
        *pool_too_small(recorded.pool, recorded.server),
        *counter_findings(recorded.counters),
    ]
    made = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    advice = Advice(recorded.run, made, server, "none", found, [], notes)
    if database_url is not None and catalogue is not None:
        found += index_findings(catalogue.indexes)
        found += setting_findings(catalogue.settings, recorded.counters, catalogue.machine)
        if catalogue.machine is None:
            notes.append("the server is on another machine: settings were not held against memory and cores")
        used_by = key_uses(catalogue.foreign_keys, recorded.calls, catalogue)
        keys = foreign_key_findings(catalogue.foreign_keys, used_by)
        branch = branch_of(database_url, template) if use_branch else None
        advice = _with_plans(advice, branch, recorded.calls, catalogue, keys)
    found.sort(key=lambda each: (GROUPS.index(each.group), SEVERITIES.index(each.severity)))
    return advice


def _with_plans(
    advice: Advice,
    branch: AbstractContextManager[Branch] | None,
    calls: Sequence[StatementCalls],
    catalogue: Catalogue,
    keys: Sequence[Finding],
) -> Advice:
    """Return advice with what a branch shows of statements and foreign keys; without one a note says why."""
    with ExitStack() as stack:
        try:
            url = None if branch is None else stack.enter_context(branch).url
        except (BranchError, psycopg.Error) as error:
            advice.notes.append(redact(f"no branch: {str(error).strip()}"))
            url = None
        if url is None:
            advice.findings.extend(keys)
            advice.notes.append("without a branch no plan was looked at, and nothing was measured")
            return advice
        tuning = Tuning(stack.enter_context(branch_session(url, catalogue.own_settings)), catalogue, calls)
        advice.findings.extend(tuning.findings(list(slowest(calls, SLOW_MS, MAX_STATEMENTS)), keys))
        advice.tried.extend(tuning.tried)
        advice.notes.extend(map(redact, tuning.notes))
    return advice._replace(branch="copy")


def advice_text(advice: Advice) -> str:
    """Return advice for a terminal, by group."""
    lines = [f"advice for {advice.run}" + (f" ({advice.server})" if advice.server else "")]
    if not advice.findings:
        lines += ["", "nothing to advise"]
    for group in GROUPS:
        of_group = [each for each in advice.findings if each.group == group]
        lines += ["", group] if of_group else []
        for each in of_group:
            lines += [f"  {each.severity.upper()} {each.kind}: {each.subject[:120]}", f"    {each.text}"]
            lines += [_statement_line(each)] if "mean_ms" in each.evidence else []
            lines += [f"    {line}" for line in each.gain.words] if each.gain else []
            lines += [f"    next: {step}" for step in each.next_steps]
    lines += ["", "tried, no gain"] if advice.tried else []
    lines += [f"  {each.definition}: {each.words[0]}" for each in advice.tried]
    lines += ["", "notes"] if advice.notes else []
    lines += [f"  {note}" for note in advice.notes]
    # A statement may have lines of its own, and names of a database anything that a terminal acts on.
    harmless = ("".join(c if c.isprintable() else " " for c in line) for line in lines)
    return "".join(f"{_wrapped(line)}\n" for line in harmless)


def _statement_line(found: Finding) -> str:
    calls, mean_ms = found.evidence["calls"], found.evidence["mean_ms"]
    text = " ".join(str(found.evidence["statement"]).split())
    return f"    statement, {calls:,} calls of {mean_ms:.3g} ms on average: {text[:STATEMENT_WIDTH]}"


def _wrapped(line: str) -> str:
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    return textwrap.fill(line, WIDTH, subsequent_indent=indent, break_long_words=False)
