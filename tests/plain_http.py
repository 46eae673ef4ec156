"""httpx for services without TLS: without the authorities it reads for every client, 70 ms of CPU time."""

from __future__ import annotations

import ssl
from functools import partial

import httpx

NO_AUTHORITIES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

PATIENCE_S = 120.0
"""A busy machine is no fault of a service."""

Client = partial(httpx.Client, verify=NO_AUTHORITIES, timeout=PATIENCE_S)
get = partial(httpx.get, verify=NO_AUTHORITIES, timeout=PATIENCE_S)
post = partial(httpx.post, verify=NO_AUTHORITIES, timeout=PATIENCE_S)
