"""Databases of their own for runs: copied, dropped however a run ends, found where they are left over."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from plimsoll import branches
from plimsoll.branches import BranchError, branch_of, empty_branch, leftovers, remove, url_faults
from plimsoll.command_line import list_branches

HOLD = """
import sys
from plimsoll.branches import branch_of
with branch_of(sys.argv[1], "branch_template") as branch:
    print(branch.name, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def template(database_url: str) -> Iterator[str]:
    """Make a database with a table of 1000 rows, to be copied."""
    with psycopg.connect(database_url, autocommit=True) as server:
        server.execute("DROP DATABASE IF EXISTS branch_template WITH (FORCE)")
        server.execute("CREATE DATABASE branch_template")
        with psycopg.connect(make_conninfo(database_url, dbname="branch_template")) as database:
            database.execute("CREATE TABLE rows AS SELECT generate_series(1, 1000) AS n")
        yield "branch_template"
        server.execute("DROP DATABASE branch_template WITH (FORCE)")


def names(database_url: str) -> set[str]:
    """Return the names of all databases of the server."""
    with psycopg.connect(database_url) as connection:
        return {name for (name,) in connection.execute("SELECT datname FROM pg_database")}


def test_two_branches_do_not_see_each_other(database_url: str, template: str) -> None:
    """Each is a copy of the template; what is written to one is in no other, and both are dropped."""
    before = names(database_url)
    with branch_of(database_url, template) as first, branch_of(database_url, template) as second:
        with psycopg.connect(first.url) as connection:
            connection.execute("DELETE FROM rows WHERE n > 10")
        with psycopg.connect(second.url) as connection:
            assert connection.execute("SELECT count(*) FROM rows").fetchone() == (1000,)
            known = connection.execute("SELECT reltuples FROM pg_class WHERE relname = 'rows'").fetchone()
            assert known == (1000,)
        assert first.name != second.name
        assert names(database_url) == before | {first.name, second.name}

    assert names(database_url) == before


def test_a_branch_is_dropped_with_its_sessions_when_its_run_fails(database_url: str, template: str) -> None:
    """An exception passes on, and sessions that are still there do not keep the database."""
    with suppress(ZeroDivisionError), branch_of(database_url, template) as branch:
        left = psycopg.connect(branch.url)
        _ = 1 // 0

    assert branch.name not in names(database_url)
    with pytest.raises(psycopg.OperationalError):
        left.execute("SELECT 1")
    left.close()


def test_a_large_template_is_copied_as_files(
    database_url: str, template: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copy is the same however it is made."""
    monkeypatch.setattr(branches, "COPIED_BY_LOG_BYTES", 1)
    with branch_of(database_url, template) as branch, psycopg.connect(branch.url) as connection:
        assert connection.execute("SELECT count(*) FROM rows").fetchone() == (1000,)


def test_an_empty_branch_is_filled(database_url: str) -> None:
    """What a run fills by itself is committed, and dropped with it."""

    def fill(connection: psycopg.Connection[Any]) -> None:
        connection.execute("CREATE TABLE own (n integer)")

    with empty_branch(database_url, fill) as branch, psycopg.connect(branch.url) as connection:
        assert connection.execute("SELECT count(*) FROM own").fetchone() == (0,)

    assert branch.name not in names(database_url)


@pytest.mark.parametrize("fault", ["in use", "no right", "no such"])
def test_what_a_server_refuses_is_said(database_url: str, template: str, fault: str) -> None:
    """A template with sessions, a role without the right, and a missing template are told with a remedy."""
    url = database_url
    with psycopg.connect(database_url, autocommit=True) as server:
        server.execute("DROP ROLE IF EXISTS branch_poor")
        server.execute("CREATE ROLE branch_poor LOGIN")
        if fault == "no right":
            url = make_conninfo(database_url, user="branch_poor")
        says = {
            "in use": "has open sessions",
            "no right": "it needs CREATEDB",
            "no such": "there is no database",
        }
        with psycopg.connect(make_conninfo(database_url, dbname=template)) as used:
            if fault != "in use":
                used.close()
            source = "nowhere" if fault == "no such" else template
            with pytest.raises(BranchError, match=says[fault]), branch_of(url, source):
                pass
        server.execute("DROP ROLE branch_poor")


@pytest.mark.usefixtures("template")
def test_a_killed_run_leaves_a_branch_that_is_listed_and_removed(
    database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """While its run lives a branch is not left over; after kill -9 it is listed, and removed once old."""
    command = [sys.executable, "-c", HOLD, database_url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        name = holder.stdout.readline().strip()
        assert name in names(database_url)
        assert name not in {each.name for each in leftovers(database_url)}
        holder.kill()
        holder.wait()
    url = ["--database-url", database_url]
    with psycopg.connect(database_url, autocommit=True) as server:
        # The server notices that its client is gone, and gives its lock back.
        server.execute("SELECT pg_advisory_lock(hashtext(%s))", [name])
        server.execute("SELECT pg_advisory_unlock(hashtext(%s))", [name])

    assert list_branches(url) == 0
    assert name in capsys.readouterr().out
    assert remove(database_url, timedelta(days=1)) == []
    assert list_branches([*url, "--remove", "--older-than", "-1"]) == 0
    assert f"{name}  20" in capsys.readouterr().out
    assert name not in names(database_url)


def test_a_branch_is_dropped_when_the_server_was_away(
    database_url: str, template: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that cannot be reached for a moment, as while it starts again, is waited for."""
    refused = iter([True, True])
    connect = psycopg.connect

    def connect_later(*arguments: object, **options: object) -> object:
        if next(refused, False):
            raise psycopg.OperationalError("the database system is starting up")
        return connect(*arguments, **options)  # type: ignore[arg-type] # as it was called

    with branch_of(database_url, template) as branch:
        monkeypatch.setattr(time, "sleep", lambda _: None)
        monkeypatch.setattr(psycopg, "connect", connect_later)

    assert list(refused) == []
    monkeypatch.undo()
    assert branch.name not in names(database_url)


def test_a_wrong_url_is_refused_without_its_password(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing of the URL is quoted, and a pooler is refused, as its sessions are not the user's."""
    assert url_faults("postgresql://a:s3cret@h/db", "--database-url") == []
    wrong = "postgresql://a:s3cret@h/db?no_such_option=1"
    assert "s3cret" not in str(url_faults(wrong, "--database-url"))
    assert "pooler" in url_faults("postgresql://a@ep-x-pooler.neon.tech/db", "x")[0]
    with pytest.raises(SystemExit):
        list_branches(["--database-url", wrong])
    assert "s3cret" not in capsys.readouterr().err
