"""The adapter plays a schedule in steps that Locust can follow on one process and on many."""

import gevent
from locust.argument_parser import get_empty_argument_parser
from locust.env import Environment
from locust.runners import STATE_INIT, STATE_SPAWNING
from locust.util.load_locustfile import is_shape_class

import re
from argparse import Namespace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from plimsoll import ScheduledShape, Stage
from plimsoll.loads.scheduled_shape import add_scale_options
from shapes.gradual_arrivals import GradualArrivalsShape
from shapes.ramp import RampShape
from shapes.spike import SpikeShape
from tests.virtual_time import virtual_time


class FrozenRamp(RampShape):
    """The ramp at a time that the test sets."""

    elapsed_s = 0.0

    def get_run_time(self) -> float:
        """Return the test's own time."""
        return self.elapsed_s


def with_options(shape: Any, **options: float) -> Any:
    """Return *shape* as Locust runs it, with these options."""
    shape.runner = SimpleNamespace(environment=SimpleNamespace(parsed_options=SimpleNamespace(**options)))
    return shape


def ticks(shape: FrozenRamp, times_s: list[float]) -> list[tuple[int, float] | None]:
    """Return what Locust is told at these times."""
    told = []
    for shape.elapsed_s in times_s:
        told.append(shape.tick())
    return told


@pytest.mark.parametrize(
    ("times_s", "told"),
    [
        pytest.param([0, 1, 2, 3], [(2, 2.0), (5, 3.0), (8, 3.0), (12, 4.0)], id="a step within its tick"),
        pytest.param([299.6, 301, 302], [(1000, 1000.0)] * 3, id="a hold repeats its last answer"),
        pytest.param([2399.9, 2400], [(0, 1.0), None], id="on up to the end, then stop"),
        pytest.param([0, 149.5], [(2, 2.0), (500, 498.0)], id="after a gap the plan is not replayed"),
    ],
)
def test_ticks(times_s: list[float], told: list[tuple[int, float] | None]) -> None:
    """The spawn rate covers the whole change since the last tick, and users follow the clock."""
    assert ticks(FrozenRamp(), times_s) == told


def test_scales_come_from_the_options() -> None:
    """--user-scale and --time-scale are read when the run starts."""
    shape = with_options(SpikeShape(), user_scale=0.01, time_scale=0.1)

    assert shape.planned().peak_users == 100
    assert shape.planned().duration_s == pytest.approx(45)


def test_a_second_run_starts_from_the_beginning() -> None:
    """The web UI uses the same shape object for every run."""
    shape = FrozenRamp()
    ticks(shape, [0, 400])

    shape.reset_time()

    assert ticks(shape, [0]) == [(2, 2.0)]


@pytest.mark.parametrize("shape_class", [RampShape, GradualArrivalsShape])
def test_nothing_is_asked_for_while_listeners_set_up(shape_class: type[Any]) -> None:
    """Until the users of the first tick are started the answer is the same, and the schedule waits."""
    with virtual_time():
        shape = shape_class()
        environment = Environment(shape_class=shape)
        environment.parsed_options = Namespace(user_scale=1.0, time_scale=1.0)
        runner = environment.create_local_runner()
        runner.state = STATE_INIT
        runner.shape_last_tick = shape.tick()
        answers = []
        for _ in range(20):
            gevent.sleep(10)
            answers.append(shape.tick())
        assert answers == [runner.shape_last_tick] * 20
        assert shape.get_run_time() == 0

        runner.state = STATE_SPAWNING
        gevent.sleep(1)
        assert (shape.tick() or (0, 0))[0] > 0


def test_a_wrong_schedule_ends_a_run_that_is_not_recorded(caplog: pytest.LogCaptureFixture) -> None:
    """Where nothing checks a shape before the load, its first tick says all faults and ends with status 2."""
    shape: Any = type("Evening", (ScheduledShape,), {"stages": (Stage("Up", 0, 0, 9),)})()
    environment = Environment(shape_class=shape)
    environment.create_local_runner()

    assert shape.tick() is None
    assert environment.process_exit_code == 2
    assert caplog.messages == [
        "Evening: stage 1 ('Up'): name must be lower-case letters, digits and _, got 'Up'",
        "Evening: stage 1 ('Up'): duration_s must be a number above 0, got 0",
    ]


@pytest.mark.parametrize("scale", ["nan", "inf", "-1", "0", "x", ""])
@pytest.mark.parametrize("option", ["--user-scale", "--time-scale"])
def test_what_is_no_scale_is_refused(option: str, scale: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A scale that is not a finite number above 0 ends the command line with its value and what is valid."""
    parser = get_empty_argument_parser(add_help=False)
    add_scale_options(parser)

    with pytest.raises(SystemExit) as refused:
        parser.parse_args([f"{option}={scale}"])
    assert refused.value.code == 2
    assert f"argument {option}: must be a number above 0, got {scale!r}" in capsys.readouterr().err


def test_the_shapes_of_the_docs_can_be_played() -> None:
    """What the docs have as shapes of one's own are some that Locust finds, with the stages they say."""
    found: dict[str, Any] = {}
    page = Path(__file__).resolve().parents[2] / "docs" / "load-models.md"
    for block in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        exec(block, found)  # noqa: S102 - a text of this repository

    evening, newsletter, capacity = (
        found[name] for name in ("EveningShape", "NewsletterShape", "CapacityShape")
    )
    assert all(map(is_shape_class, (evening, newsletter, capacity)))
    assert (evening().planned().peak_users, evening().planned().duration_s) == (2000, 28 * 60)
    assert newsletter().planned().peak_rate == 60
    assert capacity().planned().peak_rate == 10
