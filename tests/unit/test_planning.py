"""Before a load starts: how many samples each threshold will have and needs, and what would decide it."""

from __future__ import annotations

from locust import User

import json
import random
import re
from fnmatch import fnmatch
from pathlib import Path
from types import FunctionType, SimpleNamespace
from typing import Any, cast

import pytest

from locustfiles import orders, volume
from plimsoll import command_line
from plimsoll.recording.declared_names import declaration_faults
from plimsoll.run_files.exit_status import ExitStatus
from plimsoll.users.api import ApiUser
from reports.planning.decidable import outlook
from reports.thresholds.reading import parse_thresholds
from tests.fix_virtual_runs import GreenletService, VirtualRunner
from tests.in_process import ROOT, run_locust
from tests.journeys import JOURNEYS
from tests.school import play

PROFILES = sorted(path.stem for path in (ROOT / "profiles").glob("*.conf"))
WITHOUT_PAUSES = {"pool_phases"}
"""How many requests its users make is up to the service alone."""


@pytest.mark.parametrize("profile", PROFILES)
def test_a_service_without_a_fault_passes_each_profile(profile: str) -> None:
    """At full size each limit that can fail the run has the samples by which it can also pass."""
    ended = run_locust([], command=lambda: command_line.check_profile(["--profile", profile]))
    header, *rows = ended.output.splitlines()
    undecided = [row for row in rows if not re.search(r"\d  yes$", row)]
    warnings = (ROOT / "profiles" / f"{profile}.yaml").read_text(encoding="utf-8").count("level: warn")

    assert ended.status == ExitStatus.PASS, ended.output
    assert header.split() == ["threshold", "planned", "needed", "decidable"]
    assert profile in WITHOUT_PAUSES or len(undecided) <= warnings, ended.output


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (["--profile", "shopp"], "neither a file 'shopp' nor one 'profiles/shopp.conf'"),
        (["--profile", "shop", "--thresholds", "none.yaml"], "none.yaml: cannot be read: No such file"),
        (["--profile", "shop", "--thresholds", ""], "the profile has no thresholds: give --thresholds FILE"),
        (
            ["--profile", "shop", "--time-scale", "0"],
            "plimsoll check: error: argument --time-scale: must be",
        ),
    ],
)
def test_what_cannot_be_checked_is_refused(arguments: list[str], fault: str) -> None:
    """A profile that is not there, or whose run would be refused, is said with exit status 2."""
    ended = run_locust([], command=lambda: command_line.check_profile(arguments))

    assert ended.status == ExitStatus.BAD_CONFIGURATION
    assert fault in ended.output


def task(steps: list[Any] | None, weight: int = 1, name: str = "visit") -> dict[str, Any]:
    """Return a task as a plan has it."""
    return {"name": name, "weight": weight, "steps": steps}


def plan(**changes: Any) -> dict[str, Any]:
    """Return the plan of 10 users for 100 s, who request `a` every second."""
    visitor = {
        "name": "Visitor",
        "weight": 1,
        "fixed_count": 0,
        "wait_s": [1.0, 1.0],
        "cycle_s": None,
        "requests": ["a", "b"],
        "tasks": [task(["a"])],
    }
    visitor |= changes.pop("visitor", {})
    return {
        "profile": "shop",
        "load_model": "closed",
        "shape": None,
        "stages": [],
        "steps": [],
        "is_search": False,
        "warm_up_s": 0,
        "planned_duration_s": 100.0,
        "user_scale": 1.0,
        "time_scale": 1.0,
        "users": 10,
        "spawn_rate": 10,
        "user_classes": [visitor],
    } | changes


def said(statement: str, **changes: Any) -> str:
    """Return the note on a threshold, empty where it can be decided."""
    notes = outlook(plan(**changes), parse_thresholds(f"thresholds: [{json.dumps(statement)}]"))["notes"]
    assert isinstance(notes, list)
    return "".join(notes)


def test_thresholds_of_a_part_are_not_judged_in_steps() -> None:
    """Notes, and the table of a check, say before the load which thresholds its steps are not judged by."""
    warning = "{expr: p50 over first 9 s < 1 s, level: warn}"
    thresholds = parse_thresholds(f"thresholds: [p95 during hold < 1 s, p95 each second < 2 s, {warning}]")
    found = outlook(plan(**RAMP | {"steps": ["hold"]}), thresholds)
    note = "p95 during hold < 1 s: is not judged in steps, as it is about a named part of the run"

    assert [each for each in cast("list[str]", found["notes"]) if "in steps" in each] == [note]
    assert str(found["table"]).endswith(f"note: {note}\n")
    assert "in steps" not in said("p95 during hold < 1 s", **RAMP)


RAMP = {
    "shape": "RampShape",
    "stages": [
        {"name": "ramp_up", "from_s": 0, "to_s": 20, "from_users": 0, "to_users": 2},
        {"name": "hold", "from_s": 20, "to_s": 70, "from_users": 2, "to_users": 2},
        {"name": "ramp_down", "from_s": 70, "to_s": 100, "from_users": 2, "to_users": 0},
    ],
}
RISING = RAMP | {"stages": [{"name": "rise", "from_s": 0, "to_s": 100, "from_users": 5, "to_users": 15}]}
SEARCH = {
    "load_model": "open",
    "shape": "BreakpointShape",
    "is_search": True,
    "steps": ["step_1"],
    "stages": [
        {"name": "step_1", "from_s": 0, "to_s": 10, "from_rate": 2.0, "to_rate": 2.0},
        {"name": "rest_1", "from_s": 10, "to_s": 100, "from_rate": 0.0, "to_rate": 0.0},
    ],
}
SLOW = {"visitor": {"wait_s": [50.0, 50.0]}}
CHECKS = {"visitor": {"cycle_s": 10.0, "fixed_count": 1}}
OF, ARE, NEEDED = "about", "requests are planned,", "are needed: run"
CHANGES = "and the load changes by more than the distance to the limit: a stage with a constant load would do"
OTHERS = "another load, or another limit, would"
STEPS = "are needed: steps of 4 min, or a first_rate of 38 would do"
PART, AS_LONG = "are needed: a part of", "the length, or as many more users, would do"
MORE = "with more users, or another limit, would"
CANNOT = "about 10/s are planned, so that it cannot pass"


@pytest.mark.parametrize(
    ("statement", "changes", "note"),
    [
        ("p95 < 1 s", {}, ""),
        ("p99.9 of a < 1 s", {}, f"{OF} 1,000 {ARE} 2,995 {NEEDED} for 5 min, or with 30 users"),
        ("error_rate < 0.1%", RAMP, f"{OF} 100 {ARE} 2,995 {NEEDED} with --user-scale 30 or --time-scale 30"),
        ("mean < 1 s", SLOW, f"{OF} 20 {ARE} 30 {NEEDED} for 3 min, or with 15 users"),
        ("max < 1 s", SLOW, f"{OF} 20 {ARE} 30 {NEEDED} for 3 min, or with 15 users"),
        ("p50 < 1 s", SLOW, ""),
        ("p95 of a < 1 s", CHECKS, f"{OF} 10 {ARE} 59 {NEEDED} for 10 min"),
        ("p95 of b < 1 s", {}, "no requests are planned, 59 are needed: the load makes none of them"),
        ("error_rate <= 0%", {}, "no number of samples shows this"),
        ("rps > 20/s", {}, f"{CANNOT}: a load with more users, or another limit, would"),
        ("rps < 5/s", {}, f"{CANNOT}: a load with fewer users, or another limit, would"),
        ("rps > 9.9/s", {}, f"{OF} 1,000 {ARE} 38,415 {NEEDED} for 65 min, or with 385 users"),
        ("rps > 5/s", {}, ""),
        ("rps > 9/s", RISING, f"{OF} 10/s are planned, {CHANGES}"),
        ("count > 5000", {}, f"{OF} 1,000 are planned, so that it cannot pass: {OTHERS}"),
        ("count < 5000", {}, ""),
        ("failures < 5", {}, ""),
        ("p99 < 1 s", SEARCH, f"{OF} 16 {ARE} 299 {STEPS}"),
        ("dropped_iterations < 1%", SEARCH, ""),
        ("p95 over last 30 s < 1 s", {}, ""),
        ("p95 over 5 s to 8 s < 1 s", {}, f"{OF} 30 {ARE} 59 {PART} 2 times {AS_LONG}"),
        ("p95 each 2 s < 1 s", {}, f"{OF} 20 {ARE} 59 {PART} 3 times {AS_LONG}"),
        ("p95 during hold < 1 s", RAMP, ""),
        ("p99 during ramp_* < 1 s", RAMP, f"{OF} 21 {ARE} 299 {PART} 14 times {AS_LONG}"),
        ("p95 during hol < 1 s", RAMP, "no requests are planned, 59 are needed: the load makes none of them"),
        ("rps during ramp_up > 2", RAMP, f"{OF} 1.04/s are planned, so that it cannot pass: a shape {MORE}"),
        ("count during hold > 50", RAMP, ""),
    ],
)  # fmt: skip
def test_what_is_said_before_the_run(statement: str, changes: dict[str, Any], note: str) -> None:
    """A threshold that the plan cannot decide is said in one sentence, with what would; any other is not."""
    assert said(statement, **changes) == (note and f"{statement}: {note}")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"visitor": {"tasks": [task(None)]}}, "Visitor does not declare its task_requests"),
        ({"visitor": {"wait_s": [0.0, 0.0]}}, "Visitor does not pause"),
        ({"planned_duration_s": None}, "the run has no planned end"),
    ],
)
def test_what_nobody_can_say(changes: dict[str, Any], why: str) -> None:
    """Where neither the classes nor an earlier run tell, the table says so, and no note is made of it."""
    found = outlook(plan(**changes), parse_thresholds("thresholds: [p95 of a < 1 s]"))

    assert found["notes"] == []
    assert "unknown" in str(found["table"])
    assert why in str(found["table"])


def earlier(folder: Path, **changes: Any) -> None:
    """Write a run of 5 users for 60 s, who have requested `a` ten times a second in the last 50 s of it."""
    run = {"profile": "shop", "load_model": "closed", "journeys": ["Visitor"], "aborted": None}
    limit = {"metric": "p95", "selector": "a", "scope": "steady", "unit": "ms", "limit": 1000.0, "n": 500}
    verdict = {
        "steady_state": {"from_s": 10.0, "to_s": 60.0},
        "run": {"requests": 600, "duration_s": 60.0},
        "thresholds": [limit | {"value": 300.0, "interval": [200.0, 400.0]} | changes.pop("limit", {})],
        "requests": [{"name": "b", "n": 61, "failures": 1}],
    }
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps(run | changes), encoding="utf-8")
    (folder / "verdict.json").write_text(json.dumps(verdict), encoding="utf-8")
    rows = "".join(f"{second},5,\n" for second in range(60))
    (folder / "schedule.csv").write_text(f"elapsed_s,users,planned_rate\n{rows}", encoding="utf-8")


def planned_n(table: object, row: int) -> str:
    """Return what a row of a table says of the planned samples."""
    return re.split(r"  +", str(table).splitlines()[row])[1]


def test_an_earlier_run_of_the_profile_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its samples by user and second are those of the next run, whatever the user classes declare."""
    monkeypatch.chdir(tmp_path)
    earlier(tmp_path / "results" / "20260101T000000Z-shop")
    earlier(tmp_path / "results" / "20260102T000000Z-other", profile="other")
    (tmp_path / "results" / "20260103T000000Z-shop").mkdir()
    (tmp_path / "results" / "20260103T000000Z-shop" / "verdict.json").write_text("{", encoding="utf-8")
    thresholds = parse_thresholds("thresholds: [p99 of a < 1 s, p95 of b < 1 s, p95 < 1 s]")
    table = outlook(plan(), thresholds)["table"]

    # 500 in 50 s of 5 users are 2 a second and user; 60 of `b` in 60 s of 5 users are 0.2.
    assert [planned_n(table, row) for row in (1, 2)] == ["2,000", "200"]


def test_an_earlier_run_of_another_length_is_the_second_choice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How much users ask for depends on how long they are there: the declared steps follow that."""
    monkeypatch.chdir(tmp_path)
    earlier(tmp_path / "results" / "20260101T000000Z-shop")
    thresholds = parse_thresholds("thresholds: [p99 of a < 1 s]")
    undeclared = {"tasks": [task(None)]}
    found = [
        planned_n(outlook(plan(planned_duration_s=1000.0, visitor=visitor), thresholds)["table"], 1)
        for visitor in ({}, undeclared)
    ]

    assert found == ["10,000", "20,000"]


def test_a_figure_near_its_limit_takes_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where an earlier interval reached beyond the limit, as many samples are needed as make it end there."""
    monkeypatch.chdir(tmp_path)
    near = {"value": 900.0, "interval": [700.0, 1200.0]}
    earlier(tmp_path / "results" / "20260101T000000Z-shop", limit=near)

    # Half the interval, 300 ms, is to become 100 ms: by nine times as many.
    assert said("p95 of a < 1 s") == (
        "p95 of a < 1 s: about 2,000 requests are planned, 4,500 are needed, as run 20260101T000000Z-shop was"
        " near the limit: run for 4 min, or with 23 users"
    )


VISITOR = """
from locust import between, task
from plimsoll import ArrivalShape, LeanHttpUser, RateStage, ScheduledShape, Stage, record_run

record_run()

class Visitor(LeanHttpUser):
    wait_time = between(1, 3)
    request_names = {"browse", "buy"}
    task_requests = {"browse": ("browse", (5, 7), {"buy": 0.5}), "buy": ("buy",)}

    @task(2)
    def browse(self):
        self.client.get("/", name="browse")
        gevent.sleep(random.uniform(5, 7))
        if random.random() < 0.5:
            self.client.get("/", name="buy")

    @task
    def buy(self):
        self.client.get("/", name="buy")
"""
HELD = """
class Held(ScheduledShape):
    stages = (Stage("up", 8, 0, 200), Stage("hold", 24, 200, 200), Stage("down", 8, 200, 0))
"""
SPIKE = """
class Spike(ScheduledShape):
    stages = (Stage("few", 10, 50, 50), Stage("many", 20, 400, 400), Stage("few_again", 10, 50, 50))
"""
COMING = """
class Coming(ArrivalShape):
    stages = (RateStage("rise", 20, 0, 40), RateStage("hold", 20, 40, 40))
    max_users = 1000
"""


@pytest.mark.parametrize(
    ("shape", "options"),
    [(HELD, []), (SPIKE, []), (COMING, []), ("", ["-u", "200", "-r", "50", "-t", "40s"])],
    ids=["held", "spike", "arrivals", "no shape"],
)
def test_the_prediction_holds(
    virtual_run: VirtualRunner, virtual_service: GreenletService, shape: str, options: list[str]
) -> None:
    """What a run then has is within 10 % of what was predicted, also where it is shorter than two visits."""
    # Of so few none can be decided, so that all are said.
    limits = ["p99.99 of browse < 5 s", "p99.99 of buy < 5 s"]
    virtual_run.locustfile.write_text(f"import gevent, random\n{VISITOR}{shape}", encoding="utf-8")
    run = virtual_run("-H", virtual_service.url, *options, thresholds=f"thresholds: {json.dumps(limits)}")
    had = {each["source"]: each["n"] for each in run.read("verdict.json")["thresholds"]}
    said = re.findall(r"^note: (p.+): about ([\d,]+) requests are planned", run.output, re.MULTILINE)
    planned = {source: int(number.replace(",", "")) for source, number in said}

    assert planned == pytest.approx(had, rel=0.1), run.output


@pytest.mark.parametrize(
    ("declared", "fault"),
    [
        ({"browse": ("home", 1, 0.5, (1, 3), {"buy": 0.3})}, None),
        ({"browse": ["home"]}, None),
        ("home", "must map names of tasks to their steps, got 'home'"),
        ({"browse": "home"}, "['browse'] must be a tuple of steps, got 'home'"),
        ({"browse": ((3, 1),)}, "['browse'] has the step (3, 1); valid are"),
        ({"browse": (-1,)}, "['browse'] has the step -1; valid are"),
        ({"browse": ({"buy": "often"},)}, "['browse'] has the step {'buy': 'often'}; valid are"),
        ({"browse": (None, True)}, "['browse'] has the step None; valid are"),
    ],
)
def test_what_a_task_cannot_declare(declared: Any, fault: str | None) -> None:
    """Steps that cannot be read are refused before the run, all at once, with what would be valid."""
    faults = declaration_faults([type("Shopper", (User,), {"task_requests": declared, "abstract": True})])

    if fault is None:
        assert faults == []
    else:
        assert f"Shopper.task_requests{'' if fault.startswith('[') else ' '}{fault}" in faults[0]


PLAYED = 400
DECLARED = [
    (journey, name)
    for of_file in JOURNEYS.values()
    for journey in of_file
    for name in dict.fromkeys(each.__name__ for each in journey.tasks if isinstance(each, FunctionType))
]


@pytest.mark.parametrize(
    ("journey", "task"), DECLARED, ids=[f"{each[0].__name__}.{each[1]}" for each in DECLARED]
)
def test_a_task_asks_for_what_it_declares(
    journey: type[ApiUser], task: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The steps of a task have each request as often as it is made in the mean, and all of its pauses."""
    monkeypatch.setattr(volume, "newcomers", SimpleNamespace(result="new-"))
    random.seed(1)
    shares = {"student": 1.0}
    if issubclass(journey, orders.ShopVisitor):
        shares = {"student": 1 - 1 / orders.USERS_PER_ADMIN, "admin": 1 / orders.USERS_PER_ADMIN}
    declared: dict[str, float] = {}
    pauses_s = 0.0
    for step in journey.task_requests[task]:
        if isinstance(step, int | float):
            pauses_s += step
        elif isinstance(step, tuple):
            pauses_s += sum(step) / 2
        else:
            for name, number in {step: 1.0}.items() if isinstance(step, str) else step.items():
                declared[name] = declared.get(name, 0.0) + number
    made: dict[str, float] = {}
    played_s = 0.0
    for role, share in shares.items():
        school = play(journey, task, role=role, iterations=PLAYED)
        played_s += share * school.iteration_s
        for name, number in school.asked.items():
            made[name] = made.get(name, 0.0) + share * number / PLAYED
    # A login, and a look at what there is, may be due the first time alone.
    made = {name: number for name, number in made.items() if name in declared or number > 1.5 / PLAYED}
    requests = {name: number for name, number in declared.items() if name in journey.request_names}
    others = [name.removeprefix("transaction:") for name in declared.keys() - requests.keys()]
    known = [*(journey.transaction_names or ()), *(journey.metric_names or ())]

    assert played_s == pytest.approx(pauses_s, rel=0.05)
    assert requests.keys() >= made.keys()
    for name, number in requests.items():
        # What comes by chance may differ by four standard deviations.
        assert made.get(name, 0.0) == pytest.approx(number, abs=4 * (min(number, 1) / PLAYED) ** 0.5), name
    assert [name for name in others if not any(fnmatch(name, glob) for glob in known)] == []
