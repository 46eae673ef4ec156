"""The server that all HTTP benchmarks load: Debian's nginx with one worker, which counts for itself."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

BODY = "the load line is not under water"
MOST_CONNECTIONS = 19_000  # a process may open 20,000 files
_STATUS_PATH = "/status"
_CONFIGURATION = """
daemon off;
worker_processes 1;
user root;  # of effect for root only, whose temporary folders nobody else may read
pid {folder}/pid;
error_log stderr crit;
worker_rlimit_nofile {files};
events {{ worker_connections {connections}; }}
http {{
  access_log off;
  keepalive_timeout 1h;
  keepalive_requests 1000000000;
  default_type text/plain;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen {host}:{port} backlog=4096;
    location / {{ return 200 "{body}"; }}
    location = {status} {{ stub_status; }}
  }}
}}
"""


class Counts(NamedTuple):
    """What nginx has counted: requests since its start, and connections that are open now."""

    requests: int
    connections: int


class Nginx(NamedTuple):
    """A running nginx."""

    url: str

    def counts(self) -> Counts:
        """Ask nginx; the question itself is left out of what it has counted."""
        with urllib.request.urlopen(self.url + _STATUS_PATH, timeout=10) as answer:  # noqa: S310 - our own server
            text = answer.read().decode()
        connections = re.search(r"Active connections: (\d+)", text)
        requests = re.search(r"requests\s+\d+ \d+ (\d+)", text)
        assert connections is not None
        assert requests is not None
        return Counts(int(requests[1]) - 1, int(connections[1]) - 1)


@contextmanager
def running_nginx(cores: str, host: str = "127.0.0.1") -> Iterator[Nginx]:
    """Run nginx on these cores (as taskset writes them) and a free port of the loopback address *host*.

    It listens on a socket that is open already: no port to lose, no start to await.
    """
    with tempfile.TemporaryDirectory() as folder, socket.create_server((host, 0), backlog=4096) as listening:
        listening.settimeout(0)  # nginx takes it as it is: it must not block
        port = listening.getsockname()[1]
        text = _CONFIGURATION.format(
            folder=folder,
            host=host,
            port=port,
            body=BODY,
            status=_STATUS_PATH,
            connections=MOST_CONNECTIONS,
            files=MOST_CONNECTIONS + 500,
        )
        file = Path(folder, "nginx.conf")
        file.write_text(text, encoding="utf-8")
        command = ["taskset", "-c", cores, program("nginx"), "-c", str(file), "-p", folder, "-e", "stderr"]
        process = subprocess.Popen(  # noqa: S603 - our own command
            command, env=os.environ | {"NGINX": f"{listening.fileno()};"}, pass_fds=[listening.fileno()]
        )
        try:
            yield Nginx(f"http://{host}:{port}")
        finally:
            process.terminate()
            process.wait(timeout=30)


def program(name: str) -> str:
    """Return the path of an installed program; raises SystemExit that says what to install."""
    path = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if path is None:
        raise SystemExit(f"{name!r} is not installed; on Debian: apt-get install nginx-light wrk")
    return path
