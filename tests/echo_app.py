"""An ASGI application that answers with what it saw; as a module it prints its URL and serves on uvicorn.

`/redirect/302?to=URL` redirects, `/cookies?set=a%3Db` sets cookies, `/slow/0.2` takes so many seconds;
every other path answers 200. All answers but redirects carry what came in as JSON, also in the header `X-Saw`
for requests whose answer has no body.
"""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

import uvicorn

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


async def echo(scope: Message, receive: Receive, send: Send) -> None:
    """Answer one request."""
    assert scope["type"] == "http"
    pairs = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in scope["headers"]]
    saw = json.dumps(
        {
            "method": scope["method"],
            "path": scope["raw_path"].decode("latin-1"),
            "query": scope["query_string"].decode("latin-1"),
            "headers": pairs,
            "body": (await _body(receive)).decode("latin-1"),
        }
    ).encode()
    query = parse_qs(scope["query_string"].decode("latin-1"))
    route, _, rest = scope["path"].removeprefix("/").partition("/")
    status, headers = 200, [(b"content-type", b"application/json"), (b"x-saw", base64.b64encode(saw))]
    if route == "redirect":
        status, saw = int(rest), b""
        headers = [(b"location", target.encode()) for target in query.get("to", [])]
    if route == "slow":
        await asyncio.sleep(float(rest))
    headers += [(b"set-cookie", cookie.encode("latin-1")) for cookie in query.get("set", [])]
    headers.append((b"content-length", str(len(saw)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": saw})


async def _body(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


def main() -> None:
    """Serve on a free port of loopback until stopped."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sys.stdout.write(f"http://127.0.0.1:{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        config = uvicorn.Config(echo, lifespan="off", log_level="error")
        uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
