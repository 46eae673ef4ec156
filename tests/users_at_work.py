"""Users in greenlets with a context, as Locust gives them one, and what is recorded of them."""

from __future__ import annotations

import gevent
from locust import User
from locust.env import Environment

from collections.abc import Callable
from copy import copy
from typing import Any

from plimsoll.context import Attribution, Iteration, Transaction, execution_of, follow_users, give_context


class Visitor(User):
    """A user whose class is to be known."""


class Kept:
    """A recorder that keeps everything as it is."""

    def __init__(self, environment: Environment) -> None:
        self.iterations: list[Iteration] = []
        self.transactions: list[Transaction] = []
        self.unfinished: list[tuple[Attribution, str, str, float]] = []
        self.values: list[tuple[str, str, float]] = []
        execution_of(environment).recorder = self

    def record_iteration(self, iteration: Iteration) -> None:
        """Keep it."""
        self.iterations.append(iteration)

    def record_transaction(self, transaction: Transaction) -> None:
        """Keep it."""
        self.transactions.append(copy(transaction))  # a greenlet may outlive it

    def record_unfinished(
        self, attribution: Attribution, request_type: str, name: str, started_s: float, ended_s: float
    ) -> None:
        """Keep it, with its age in seconds."""
        self.unfinished.append((attribution, request_type, name, ended_s - started_s))

    def record_value(self, kind: str, name: str, value: float) -> None:
        """Keep it."""
        self.values.append((kind, name, value))


def spawn_user(environment: Environment, flow: Callable[[], Any], user_class: type[User] = Visitor) -> Any:
    """Start a flow in the greenlet of a user, and return the greenlet."""
    follow_users()
    greenlet = gevent.spawn(flow)
    give_context(user_class(environment), greenlet)
    return greenlet


def as_user(environment: Environment, flow: Callable[[], Any], user_class: type[User] = Visitor) -> Any:
    """Run a flow in the greenlet of a user, and return what it returns."""
    return spawn_user(environment, flow, user_class).get()
