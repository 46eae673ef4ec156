"""The contract between the bundled service's process and the process that starts it."""

import json
import signal
import socket
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import httpx
import psutil
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from service.embedded_postgres import HOME_PREFIX
from tests import plain_http
from tests.fix_bundled_service import (
    STOP_TIMEOUT_S,
    kill_guard,
    refuse_service,
    running_service,
    start_service,
)
from tests.fix_runs import until


@pytest.fixture
def ascii_database_url(database_url: str) -> Iterator[str]:
    """Make a database without an encoding, as initdb does where the locale is C."""
    with psycopg.connect(database_url, autocommit=True) as server:
        server.execute(
            "CREATE DATABASE plain ENCODING 'SQL_ASCII' TEMPLATE template0 LOCALE_PROVIDER libc LOCALE 'C'"
        )
        yield make_conninfo(database_url, dbname="plain")
        server.execute("DROP DATABASE plain")


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give the services of one test a short temporary directory of their own: socket paths are limited."""
    with tempfile.TemporaryDirectory(prefix="t-") as folder:
        Path(folder).chmod(0o755)
        monkeypatch.setenv("TMPDIR", folder)
        yield Path(folder)


def homes(folder: Path) -> list[Path]:
    """Return the data directories of embedded servers."""
    return list(folder.glob(f"{HOME_PREFIX}*"))


def servers(folder: Path) -> list[int]:
    """Return the process ids of the PostgreSQL servers that run on data below the folder."""
    return [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if any(str(folder) in part for part in process.info["cmdline"] or ())
        and process.info["cmdline"][0].endswith("postgres")
    ]


def test_ready_line_says_where_and_what() -> None:
    """The line names url, version, process, size and the embedded database, and the url answers at once."""
    with running_service("--size", "small") as service:
        assert plain_http.get(f"{service.url}/health").status_code == 200
        port = httpx.URL(service.url).port
        ready = service.ready

    assert ready == {
        "url": f"http://127.0.0.1:{port}",
        "version": version("plimsoll"),
        "pid": service.process.pid,
        "size": "small",
        "database": ready["database"],
        "database_url": ready["database_url"],
    }
    assert ready["database"].startswith("PostgreSQL 18.")


def test_end_of_input_stops_everything(temporary: Path) -> None:
    """When standard input closes, the process ends with 0 and no word more; server and data are gone."""
    with start_service("--port", "0", "--until-stdin-closes") as process:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        plain_http.get(f"{url}/nowhere")
        assert len(servers(temporary)) == len(homes(temporary)) == 1
        output, _ = process.communicate(timeout=STOP_TIMEOUT_S)

    assert (process.returncode, output) == (0, "")
    assert not servers(temporary)
    assert not homes(temporary)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_stop_everything(temporary: Path, number: signal.Signals) -> None:
    """SIGTERM and SIGINT end the process with 0 and nothing on stderr; server and data are gone."""
    with start_service("--port", "0") as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["pid"] == process.pid
        process.send_signal(number)
        output, errors = process.communicate(timeout=STOP_TIMEOUT_S)

    assert (process.returncode, output, errors) == (0, "", "")
    assert not servers(temporary)
    assert not homes(temporary)


def test_input_that_ends_during_the_start_stops_it(temporary: Path) -> None:
    """A service whose starter is gone before it can serve cleans up and never says it is ready."""
    with start_service("--port", "0", "--size", "large", "--until-stdin-closes") as process:
        output, _ = process.communicate(timeout=STOP_TIMEOUT_S)

    assert (process.returncode, output) == (0, "")
    assert not servers(temporary)
    assert not homes(temporary)


def test_nothing_stays_of_a_killed_service(temporary: Path) -> None:
    """The server and the data of a service killed with SIGKILL go with it, and those of no other."""
    with running_service() as living:
        with start_service("--port", "0") as killed:
            assert killed.stdout is not None
            killed.stdout.readline()
            assert len(homes(temporary)) == len(servers(temporary)) == 2
            killed.kill()
            killed.communicate(timeout=STOP_TIMEOUT_S)

        until(lambda: len(homes(temporary)) == len(servers(temporary)) == 1)
        assert plain_http.get(f"{living.url}/api/products/1").status_code == 200


def test_nothing_stays_of_a_service_that_hangs(temporary: Path) -> None:
    """A service that does not end when its standard input does is killed, and its server and data go."""
    with start_service("--port", "0", "--until-stdin-closes") as hanging:
        assert hanging.stdout is not None
        hanging.stdout.readline()
        hanging.send_signal(signal.SIGSTOP)
        hanging.communicate(timeout=STOP_TIMEOUT_S)

    assert hanging.returncode == -signal.SIGKILL
    until(lambda: not homes(temporary) and not servers(temporary))


def test_leftovers_are_removed_by_the_next_service(temporary: Path) -> None:
    """A start stops what is left of a service killed with its guard; neither it nor its end stops others."""
    with running_service() as living:
        with start_service("--port", "0") as killed:
            assert killed.stdout is not None
            killed.stdout.readline()
            kill_guard(killed.pid)
            killed.kill()
            killed.communicate()
        orphans = servers(temporary)
        assert len(orphans) == 2

        with running_service():
            assert len(homes(temporary)) == len(servers(temporary)) == 2
            assert len(set(orphans) & set(servers(temporary))) == 1
        assert len(servers(temporary)) == 1
        assert plain_http.get(f"{living.url}/api/products/1").status_code == 200


def test_busy_port_is_one_clear_line() -> None:
    """A port that is taken ends the process with 2 and a line that says what would do."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        status, errors = refuse_service("--port", str(port))

    assert status == 2
    assert errors == (
        f"service: cannot listen on 127.0.0.1:{port}: Address already in use; --port 0 takes any free port\n"
    )


def test_host_of_another_machine_is_refused() -> None:
    """An address that is not ours ends the process with 2 and one line."""
    status, errors = refuse_service("--host", "no.such.host.invalid", "--port", "0")

    assert status == 2
    assert errors.startswith("service: cannot listen on no.such.host.invalid:0: ")
    assert errors.count("\n") == 1


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://someone:s3cret@127.0.0.1:1/nowhere",
        "postgresql://someone:s3cret@127.0.0.1:no-port/nowhere",
        "someone s3cret",
        "postgresql://someone:s3cret@[::1/nowhere",
    ],
)
def test_unusable_database_is_one_line_without_the_password(url: str) -> None:
    """No answer at the URL, or no sense in it, ends with 2 and one line that never shows the password."""
    status, errors = refuse_service("--port", "0", DATABASE_URL=url)

    assert status == 2
    assert errors.startswith("service: ")
    assert errors.count("\n") == 1
    assert "s3cret" not in errors


def test_schema_of_another_version_is_refused(ascii_database_url: str) -> None:
    """A database whose schema is of another version is left alone, and one line tells how to go on."""
    with psycopg.connect(ascii_database_url, autocommit=True) as database:
        database.execute("CREATE SCHEMA plimsoll")
        database.execute("COMMENT ON SCHEMA plimsoll IS 'version 1'")

    status, errors = refuse_service("--port", "0", DATABASE_URL=ascii_database_url)

    assert status == 2
    assert errors == (
        "service: the schema 'plimsoll' in the database of DATABASE_URL must be of version 2, "
        "got 'version 1'; "
        "DROP SCHEMA plimsoll CASCADE lets it be made anew\n"
    )


def test_all_faults_are_told_at_once() -> None:
    """Three wrong settings give three lines, each with what was given and what would be valid."""
    status, errors = refuse_service("--port", "65536", "--size", "huge", SERVICE_TOKEN_SECRET="short")

    assert status == 2
    assert errors.splitlines() == [
        "service: --port must be a whole number from 0 (any free port) to 65535, got '65536'",
        "service: --size must be one of small, medium, large, got 'huge'",
        "service: SERVICE_TOKEN_SECRET must have at least 32 characters, got 5",
    ]


def test_a_database_without_encoding(ascii_database_url: str) -> None:
    """Texts are texts also where the server does not know their encoding: a login is answered."""
    login = {"email": "student-000001@plimsoll.test", "password": "plimsoll"}
    with running_service(DATABASE_URL=ascii_database_url) as service:
        assert plain_http.post(f"{service.url}/api/auth/login", json=login).status_code == 200
