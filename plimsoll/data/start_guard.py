"""Loads asked for in the web UI wait for their preparation, and do not start when that fails."""

from __future__ import annotations

import gevent
from gevent.event import Event
from locust.runners import STATE_RUNNING, STATE_SPAWNING, Runner
from locust.web import WebUI

import logging
from collections.abc import Callable
from typing import Any

from flask import Response, jsonify, request

from plimsoll.data.set_up import SetUpError
from plimsoll.data.sources import FeedError

logger = logging.getLogger("plimsoll")

_SWARM_ENDPOINT = "locust.swarm"


class StartGuard:
    """Stands before the two ways in which a load starts; a load that runs already goes on through it."""

    def __init__(self, web_ui: WebUI, runner: Runner, prepare: Callable[[], None]) -> None:
        assert web_ui.app is not None
        self._web_ui, self._runner, self._prepare = web_ui, runner, prepare
        self._fault: str | None = None
        self._is_free = Event()
        self._is_free.set()
        runner.start = self._held(runner.start)  # type: ignore[method-assign] # of this one runner
        runner.start_shape = self._held(runner.start_shape)  # type: ignore[method-assign] # likewise
        web_ui.app.after_request(self._answer)

    def _held(self, start: Callable[..., None]) -> Callable[..., None]:
        def held(*arguments: Any, **options: Any) -> None:
            if self._runner.state in {STATE_RUNNING, STATE_SPAWNING} or self._passes():
                start(*arguments, **options)

        return held

    def _passes(self) -> bool:
        """Prepare a run, and return whether it may start."""
        # Locust's clock for the run ticks already: it starts again with the load.
        is_timed = self._web_ui._run_time_greenlet is not None
        self._web_ui._cancel_run_time_timer()
        self._fault = None
        self._is_free.clear()
        try:
            self._prepare()
        except (FeedError, SetUpError) as error:
            self._fault = str(error)
            logger.error("no load is started: %s", error)  # noqa: TRY400 - it tells all there is to tell
            return False
        finally:
            self._is_free.set()
        options = self._runner.environment.parsed_options
        if is_timed and options is not None:
            self._web_ui._run_time_greenlet = gevent.spawn_later(options.run_time, self._web_ui._stop_runners)
        return True

    def _answer(self, response: Response) -> Response:
        """Add the outcome of the preparation to the answer to an accepted form; leave a refusal as it is."""
        if request.endpoint != _SWARM_ENDPOINT or not (
            response.is_json and response.get_json().get("success")
        ):
            return response
        gevent.sleep(0)  # Locust has the load started by another greenlet
        self._is_free.wait()
        fault, self._fault = self._fault, None
        return jsonify({"success": False, "message": fault}) if fault else response
