"""Real HTTP servers on free ports of loopback: nginx, and one that plays the scripts of a test."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import NamedTuple

import pytest

from tests.certificates import Certificates, make_certificates
from tests.scripted_server import ScriptedServer

BIG_FILE_BYTES = 32 << 20
TEXT = "a line that is worth compressing\n" * 400
NGINX_CONF = """
daemon off;
worker_processes 1;
user root;  # of effect for root only, whose temporary folders nobody else may read
pid {folder}/nginx.pid;
error_log stderr crit;
events {{ worker_connections 512; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  client_max_body_size 64m;
  keepalive_requests 100000;
  default_type application/octet-stream;
  types {{ text/plain txt; }}
  gzip on;
  gzip_types text/plain;
  add_header X-Connection $connection always;
  server {{
    listen 127.0.0.1:{plain_port};
    listen 127.0.0.1:{tls_port} ssl;
    ssl_certificate {certificates}/good.pem;
    ssl_certificate_key {certificates}/good.key;
    root {folder}/files;
    location = /ok {{ return 200 "ok"; }}
    location = /no-content {{ return 204; }}
    location = /missing {{ return 404 "missing"; }}
    location = /moved {{ return 302 /ok; }}
    location = /to-tls {{ return 302 https://127.0.0.1:{tls_port}/ok; }}
  }}
}}
"""


class Nginx(NamedTuple):
    """Where nginx listens; every answer says in `X-Connection` on which connection it came."""

    url: str
    tls_url: str


def program(name: str) -> str:
    """Return the path of a program from Debian; without it the test is skipped, in CI it fails."""
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if path is None:
        missing = f"{name} is not installed"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    return path


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Make the certificates of an authority of our own."""
    return make_certificates(tmp_path_factory.mktemp("certificates"), program("openssl"))


@pytest.fixture(scope="session")
def nginx(certificates: Certificates, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    """Run Debian's nginx on sockets that listen already: no port to lose, no start to await."""
    folder = tmp_path_factory.mktemp("nginx")
    (folder / "files").mkdir()
    (folder / "files" / "text.txt").write_text(TEXT, encoding="ascii")
    (folder / "files" / "big").write_bytes(bytes(BIG_FILE_BYTES))
    with socket.create_server(("127.0.0.1", 0)) as plain, socket.create_server(("127.0.0.1", 0)) as tls:
        ports = {"plain_port": plain.getsockname()[1], "tls_port": tls.getsockname()[1]}
        (folder / "nginx.conf").write_text(
            NGINX_CONF.format(folder=folder, certificates=certificates.folder, **ports), encoding="utf-8"
        )
        process = subprocess.Popen(
            [program("nginx"), "-c", str(folder / "nginx.conf"), "-p", str(folder), "-e", "stderr"],
            env={"NGINX": f"{plain.fileno()};{tls.fileno()};"},
            pass_fds=(plain.fileno(), tls.fileno()),
        )
    yield Nginx(f"http://127.0.0.1:{ports['plain_port']}", f"https://127.0.0.1:{ports['tls_port']}")
    process.terminate()
    process.wait(timeout=60)


@pytest.fixture(autouse=True)
def close_visitors() -> Iterator[None]:
    """Close the client's connections after each test, without importing Locust where no test does."""
    yield
    if visitor := sys.modules.get("tests.client.visitor"):
        visitor.close_all()


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """Run a scripted server for one test."""
    with closing(ScriptedServer()) as running:
        yield running


@pytest.fixture
def start_tls(certificates: Certificates) -> Iterator[Callable[[str], ScriptedServer]]:
    """Give a function that starts a scripted server which shows the certificate of this name."""
    with ExitStack() as running:

        def start(name: str) -> ScriptedServer:
            return running.enter_context(closing(ScriptedServer(tls=certificates.server_context(name))))

        yield start
