"""The client in real Locust processes, which patch themselves for gevent and fork workers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.certificates import Certificates
from tests.fix_http_servers import TEXT, Nginx
from tests.processes import finish, start_locust, two_workers
from tests.scripted_server import Ending, ScriptedServer

LOCUSTFILE = """
from locust import constant, task
import gevent
from plimsoll.users.http import LeanHttpUser
from plimsoll.http1.errors import TotalTimeout

class Visitor(LeanHttpUser):
    wait_time = constant(0.05)

    @task
    def visit(self):
        self.client.get("/ok", name="plain")
        self.client.get("/moved", name="moved")
        self.client.get({tls_url!r} + "/ok", name="tls")
        with self.client.get(
            "/text.txt", name="gzip", headers={{"Accept-Encoding": "gzip"}}, catch_response=True
        ) as response:
            if len(response.text) != {text_chars}:
                response.failure("wrong length")
        with self.client.get({silent_url!r}, name="silent", timeout=0.1, catch_response=True) as response:
            if isinstance(response.error, TotalTimeout):
                response.success()
        gevent.joinall([gevent.spawn(self.client.get, "/ok", name="parallel") for _ in range(3)])

# Otherwise Locust's timer of the run time would count from before this file was loaded.
gevent.get_hub().loop.update_now()
"""


@pytest.fixture
def locustfile(nginx: Nginx, server: ScriptedServer, tmp_path: Path) -> Path:
    """Write a user that does a bit of everything."""
    path = tmp_path / "visitor.py"
    text = LOCUSTFILE.format(
        tls_url=nginx.tls_url.replace("127.0.0.1", "localhost"),
        text_chars=len(TEXT),
        silent_url=server.url + server.script([Ending.HOLD]),
    )
    path.write_text(text, encoding="utf-8")
    return path


def test_two_workers(locustfile: Path, nginx: Nginx, certificates: Certificates, tmp_path: Path) -> None:
    """Names are resolved, TLS shakes hands, parallel requests pool, silence is given up."""
    load = ["--headless", "-u", "4", "-r", "4", "-t", "8s", *two_workers()]
    options = ["-f", str(locustfile), "-H", nginx.url, "--json-file", str(tmp_path / "stats")]
    trust = {"SSL_CERT_FILE": str(certificates.authority)}
    output = finish(start_locust([*options, *load], tmp_path, trust))
    rows: list[dict[str, Any]] = json.loads((tmp_path / "stats.json").read_text(encoding="utf-8"))

    failures = {row["name"]: row["num_failures"] for row in rows}
    assert failures == dict.fromkeys(["plain", "moved", "tls", "gzip", "silent", "parallel"], 0), output
    assert "Traceback" not in output
