"""A locustfile that could make no load is refused with its faults, one a line, and not with a traceback."""

from __future__ import annotations

import pytest

from tests.fix_runs import Runner
from tests.fix_service import Service
from tests.processes import two_workers

WRONG_SETTINGS = """class Visitor(LeanHttpUser):
    concurrency = 0
    network_timeout = -1
"""
WRONG_HOST = """class Visitor(FastHttpUser):
    host = "shop.example"
"""
WRONG_SHAPE = """from plimsoll.loads import ArrivalShape, RateStage
class Arrivals(ArrivalShape):
    stages = [RateStage("hold", -1, 5, 5)]
"""


def refusal(run: Runner, *options: str) -> list[str]:
    """Run what is to be refused, without a traceback or a load, and return what is wrong with it."""
    refused = run("-t", "60s", *options)

    assert refused.status == 2, refused.output
    assert "Traceback" not in refused.output
    assert not (refused.directory / "run.json").exists()
    return sorted(line for line in refused.output.splitlines() if line.startswith("plimsoll:"))


@pytest.mark.parametrize("workers", [1, 2])
def test_wrong_settings_of_a_user_class(run: Runner, service: Service, workers: int) -> None:
    """What a client would refuse in each of its users is said once, before any of them is there."""
    source = run.locustfile.read_text().replace("class Visitor(FastHttpUser):\n", WRONG_SETTINGS)
    run.locustfile.write_text(f"from plimsoll.users.http import LeanHttpUser\n{source}")
    options = two_workers() if workers == 2 else []

    assert refusal(run, "-H", service.url, *options) == [
        "plimsoll: Visitor: concurrency must be at least 1, got 0",
        "plimsoll: Visitor: network_timeout must be seconds above 0, got -1",
    ]
    assert service.answered == 0


def test_wrong_host_of_a_user_class(run: Runner) -> None:
    """A class whose host is no base URL is told of it as the command line is, whichever client it has."""
    source = run.locustfile.read_text().replace("class Visitor(FastHttpUser):\n", WRONG_HOST)
    run.locustfile.write_text(source)

    assert refusal(run) == [
        "plimsoll: Visitor.host 'shop.example' is not a base URL such as http://127.0.0.1:8000"
    ]


def test_wrong_schedule(run: Runner, service: Service) -> None:
    """A shape of one's own whose schedule cannot be run is refused with each of its faults."""
    run.locustfile.write_text(run.locustfile.read_text() + WRONG_SHAPE)

    assert refusal(run, "-H", service.url) == [
        "plimsoll: Arrivals: max_users must be a whole number of at least 1, got 0",
        "plimsoll: Arrivals: stage 1 ('hold'): duration_s must be a number above 0, got -1",
    ]
