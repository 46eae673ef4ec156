"""Load tests on Locust that end in a verdict: PASS, FAIL or INCONCLUSIVE.

Each name is imported when it is first asked for, since importing Locust patches the process for gevent.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plimsoll.branches import branch_of as branch_of
    from plimsoll.branches import empty_branch as empty_branch
    from plimsoll.data.channel import seed_of as seed_of
    from plimsoll.data.feeder import Feeder as Feeder
    from plimsoll.data.feeder import FeederExhausted as FeederExhausted
    from plimsoll.data.set_up import SetUpError as SetUpError
    from plimsoll.data.set_up import set_up as set_up
    from plimsoll.data.sources import CsvFile as CsvFile
    from plimsoll.data.sources import FeedError as FeedError
    from plimsoll.loads.arrival_schedule import ArrivalSchedule as ArrivalSchedule
    from plimsoll.loads.arrival_schedule import RateStage as RateStage
    from plimsoll.loads.arrival_shape import ArrivalShape as ArrivalShape
    from plimsoll.loads.arrival_shape import SearchShape as SearchShape
    from plimsoll.loads.schedule import HOUR as HOUR
    from plimsoll.loads.schedule import MINUTE as MINUTE
    from plimsoll.loads.schedule import SECOND as SECOND
    from plimsoll.loads.schedule import Schedule as Schedule
    from plimsoll.loads.schedule import Stage as Stage
    from plimsoll.loads.scheduled_shape import ScheduledShape as ScheduledShape
    from plimsoll.recording.in_flight import track_request as track_request
    from plimsoll.recording.plugin import record_run as record_run
    from plimsoll.users.answers import Answer as Answer
    from plimsoll.users.answers import Identifier as Identifier
    from plimsoll.users.answers import WrongAnswerError as WrongAnswerError
    from plimsoll.users.answers import field as field
    from plimsoll.users.answers import filled as filled
    from plimsoll.users.answers import identifier as identifier
    from plimsoll.users.answers import status_only as status_only
    from plimsoll.users.api import ApiUser as ApiUser
    from plimsoll.users.api import GraphqlQuery as GraphqlQuery
    from plimsoll.users.api import GraphqlUser as GraphqlUser
    from plimsoll.users.browser import BrowserUser as BrowserUser
    from plimsoll.users.browser import page_metric_names as page_metric_names
    from plimsoll.users.browser import page_request_names as page_request_names
    from plimsoll.users.http import LeanHttpUser as LeanHttpUser
    from plimsoll.users.measuring import Measuring as Measuring
    from plimsoll.users.measuring import Step as Step
    from plimsoll.users.scheduled_check import ScheduledCheckUser as ScheduledCheckUser
    from plimsoll.users.scheduled_check import within as within
    from plimsoll.users.sql import SqlUser as SqlUser
    from plimsoll.users.sql import sql_request_names as sql_request_names
    from plimsoll.users.sql_connection import Queries as Queries
    from plimsoll.users.sql_connection import SqlError as SqlError
    from plimsoll.users.sql_retries import Breaker as Breaker
    from plimsoll.users.sql_retries import Retry as Retry
    from plimsoll.users.websocket import Delivery as Delivery
    from plimsoll.users.websocket import MessageListener as MessageListener
    from plimsoll.users.websocket import WebSocket as WebSocket
    from plimsoll.users.websocket import WebSocketUser as WebSocketUser
    from plimsoll.users.websocket import websocket_request_names as websocket_request_names

# The public names, each with its module.
_EXPORTS = {
    "Answer": "plimsoll.users.answers",
    "ApiUser": "plimsoll.users.api",
    "ArrivalSchedule": "plimsoll.loads.arrival_schedule",
    "ArrivalShape": "plimsoll.loads.arrival_shape",
    "Breaker": "plimsoll.users.sql_retries",
    "BrowserUser": "plimsoll.users.browser",
    "CsvFile": "plimsoll.data.sources",
    "Delivery": "plimsoll.users.websocket",
    "FeedError": "plimsoll.data.sources",
    "Feeder": "plimsoll.data.feeder",
    "FeederExhausted": "plimsoll.data.feeder",
    "GraphqlQuery": "plimsoll.users.api",
    "GraphqlUser": "plimsoll.users.api",
    "HOUR": "plimsoll.loads.schedule",
    "Identifier": "plimsoll.users.answers",
    "LeanHttpUser": "plimsoll.users.http",
    "MINUTE": "plimsoll.loads.schedule",
    "Measuring": "plimsoll.users.measuring",
    "MessageListener": "plimsoll.users.websocket",
    "Queries": "plimsoll.users.sql_connection",
    "RateStage": "plimsoll.loads.arrival_schedule",
    "Retry": "plimsoll.users.sql_retries",
    "SECOND": "plimsoll.loads.schedule",
    "Schedule": "plimsoll.loads.schedule",
    "ScheduledCheckUser": "plimsoll.users.scheduled_check",
    "ScheduledShape": "plimsoll.loads.scheduled_shape",
    "SearchShape": "plimsoll.loads.arrival_shape",
    "SetUpError": "plimsoll.data.set_up",
    "SqlError": "plimsoll.users.sql_connection",
    "SqlUser": "plimsoll.users.sql",
    "Stage": "plimsoll.loads.schedule",
    "Step": "plimsoll.users.measuring",
    "WebSocket": "plimsoll.users.websocket",
    "WebSocketUser": "plimsoll.users.websocket",
    "WrongAnswerError": "plimsoll.users.answers",
    "branch_of": "plimsoll.branches",
    "empty_branch": "plimsoll.branches",
    "field": "plimsoll.users.answers",
    "filled": "plimsoll.users.answers",
    "identifier": "plimsoll.users.answers",
    "page_metric_names": "plimsoll.users.browser",
    "page_request_names": "plimsoll.users.browser",
    "record_run": "plimsoll.recording.plugin",
    "seed_of": "plimsoll.data.channel",
    "set_up": "plimsoll.data.set_up",
    "sql_request_names": "plimsoll.users.sql",
    "status_only": "plimsoll.users.answers",
    "track_request": "plimsoll.recording.in_flight",
    "websocket_request_names": "plimsoll.users.websocket",
    "within": "plimsoll.users.scheduled_check",
}
__all__ = list(_EXPORTS)

if not TYPE_CHECKING:  # to a type checker, there are no other names

    def __getattr__(name: str) -> object:
        if name not in _EXPORTS:
            raise AttributeError(f"module 'plimsoll' has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(_EXPORTS[name]), name)
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
