"""Loads asked for in the web UI wait for their preparation, and do not start when that fails."""

from __future__ import annotations

import gevent
from gevent.event import Event
from locust.runners import Runner
from locust.web import WebUI

import logging
from collections.abc import Callable

from flask import Response, jsonify, request

from plimsoll.data.set_up import SetUpError
from plimsoll.data.sources import FeedError
from plimsoll.locust_internals import SWARM_ENDPOINT, guard_starts, stop_run_timer

logger = logging.getLogger("plimsoll")


class StartGuard:
    """Prepares each load before it starts, and answers the form that asked for it with what went wrong."""

    def __init__(self, web_ui: WebUI, runner: Runner, prepare: Callable[[], None]) -> None:
        assert web_ui.app is not None
        self._web_ui, self._prepare = web_ui, prepare
        self._fault: str | None = None
        self._is_free = Event()
        self._is_free.set()
        guard_starts(runner, self._may_start)
        web_ui.app.after_request(self._answer)

    def _may_start(self) -> bool:
        """Prepare a run, and return whether it may start."""
        restart_timer = stop_run_timer(self._web_ui)
        self._fault = None
        self._is_free.clear()
        try:
            self._prepare()
        except (FeedError, SetUpError) as error:
            self._fault = str(error)
            logger.error("load not started: %s", error)  # noqa: TRY400 - it tells all there is to tell
            return False
        finally:
            self._is_free.set()
        restart_timer()
        return True

    def _answer(self, response: Response) -> Response:
        """Add the outcome of the preparation to the answer to an accepted form; leave a refusal as it is."""
        if request.endpoint != SWARM_ENDPOINT or not (
            response.is_json and response.get_json().get("success")
        ):
            return response
        gevent.sleep(0)  # Locust has the load started by another greenlet
        self._is_free.wait()
        fault, self._fault = self._fault, None
        return jsonify({"success": False, "message": fault}) if fault else response
