"""A run that would make no load, or mislead, is refused with its faults, one a line, not a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fix_virtual_runs import VirtualRunner
from tests.processes import shape_names

HOST = ["-H", "http://127.0.0.1:1"]
VISITOR = "class Visitor(FastHttpUser):\n"
MEASURING_USERS = Path(__file__).parents[1] / "measuring_users.py"
SEARCH = """
from tests.queueing_users import SmallSearchShape
"""
WRONG_SHAPE = """
from plimsoll import ArrivalShape, RateStage
class Arrivals(ArrivalShape):
    stages = [RateStage("hold", -1, 5, 5)]
"""


def refusal(run: VirtualRunner, *options: str, thresholds: str | None = None) -> list[str]:
    """Run what is to be refused, without a traceback or a load, and return what is wrong with it."""
    refused = run("-t", "60s", *options, thresholds=thresholds)

    assert refused.status == 2, refused.output
    assert refused.elapsed_s == 0
    assert "Traceback" not in refused.output
    assert not (refused.directory / "run.json").exists()
    return sorted(line for line in refused.output.splitlines() if line.startswith("plimsoll:"))


def rewrite(run: VirtualRunner, old: str, new: str) -> None:
    """Change the locustfile."""
    source = run.locustfile.read_text(encoding="utf-8")
    assert old in source
    run.locustfile.write_text(source.replace(old, new), encoding="utf-8")


@pytest.mark.parametrize(
    ("thresholds", "said"),
    [
        pytest.param(
            "thresholds:\n  - p95 of shop.hom < 1 s\n", "shop.home", id="an unknown name: the nearest one"
        ),
        pytest.param("thresholds:\n  - p95 of shop.home < 1 parsec\n", "parsec", id="a bad unit"),
        pytest.param("thresholds:\n  - p101 of shop.home < 1 s\n", "p101", id="a percentile over 100"),
        pytest.param("- p95 < 1 s\n", "mapping", id="YAML that is no mapping"),
    ],
)
def test_wrong_thresholds(virtual_run: VirtualRunner, thresholds: str, said: str) -> None:
    """A fault in the thresholds is status 2 and one line, before the load."""
    (fault,) = refusal(virtual_run, *HOST, thresholds=thresholds)

    assert said in fault


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("rate of cahe > 50%", "no metric is named 'cahe'; did you mean 'cache'?"),
        ("p95 of tag:contnet < 1 s", "no tag is named 'contnet'; did you mean 'content'?"),
        ("p95 of transaction:vist < 1 s", "no transaction is named 'vist'; did you mean 'visit'?"),
    ],
)
def test_names_that_no_journey_declares(
    virtual_run: VirtualRunner, monkeypatch: pytest.MonkeyPatch, statement: str, fault: str
) -> None:
    """What no journey declares or bears is refused with the nearest name."""
    monkeypatch.setenv("MEASURED", "")
    (told,) = refusal(
        virtual_run, "-f", str(MEASURING_USERS), *HOST, thresholds=f"thresholds: ['{statement}']"
    )

    assert fault in told


@pytest.mark.parametrize(
    ("statement", "shape", "fault"),
    [
        (
            "error_rate during spke < 5%",
            "shapes/spike.py",
            "no stage is named 'spke'; did you mean 'spike' or",
        ),
        ("recovery after spke < 9 s", "shapes/spike.py", "no stage is named 'spke'; did you mean 'spike' or"),
        ("error_rate during spike < 5%", "", "no stage is named 'spike': the load of this run has no stages"),
    ],
)
def test_stages_that_the_load_has_not(
    virtual_run: VirtualRunner, statement: str, shape: str, fault: str
) -> None:
    """A stage that the chosen shape lacks is refused with the nearest name; without a shape there is none."""
    files = ",".join(filter(None, (str(virtual_run.locustfile), shape)))
    (told,) = refusal(virtual_run, "-f", files, *HOST, thresholds=f"thresholds: ['{statement}']")

    assert fault in told


def test_each_fault_names_its_thresholds_file(virtual_run: VirtualRunner) -> None:
    """Several files of --thresholds, repeated or with commas, are checked together."""
    names = ("a.yaml", "b.yaml", "c.yaml")
    a, b, c = (virtual_run.folder / name for name in names)
    a.write_text("thresholds: [p95 of shop.hom < 1 s]", encoding="utf-8")
    b.write_text("thresholds: [p95 of shop.home < 1 s]", encoding="utf-8")
    c.write_text("thresholds: [p95 < 1]", encoding="utf-8")
    told = refusal(virtual_run, *HOST, "--thresholds", f"{a},{b}", "--thresholds", str(c), thresholds=None)

    assert [line.split(": ")[1] for line in told] == [str(a), str(c)]


def test_all_faults_of_the_options_at_once(virtual_run: VirtualRunner) -> None:
    """Host, run directory and thresholds are all checked before anything is said."""
    (virtual_run.folder / "run-1").mkdir()
    (virtual_run.folder / "run-1" / "something").touch()
    told = refusal(virtual_run, "-H", "localhost:80", thresholds="thresholds: []\n")

    for fault in ("'localhost:80' is not a base URL", "is not empty", "thresholds"):
        assert fault in "\n".join(told)


def test_missing_thresholds_file(virtual_run: VirtualRunner) -> None:
    """A thresholds file that is not there is a wrong configuration, not a crash."""
    (fault,) = refusal(virtual_run, *HOST, "--thresholds", "nowhere.yaml")

    assert "nowhere.yaml" in fault


def test_no_host(virtual_run: VirtualRunner) -> None:
    """Without a host nothing is run, and the ways to name one are said."""
    assert refusal(virtual_run) == [
        "plimsoll: Visitor: no host; give --host URL, or --with-service for the bundled service"
    ]


def test_names_that_are_no_set(virtual_run: VirtualRunner) -> None:
    """One name in quotes would be taken for a set of letters."""
    rewrite(virtual_run, 'frozenset({"shop.home", "shop.broken"})', '"shop.home"')

    assert refusal(virtual_run, *HOST) == [
        "plimsoll: Visitor.request_names must be a set of names, got 'shop.home'"
    ]


def test_wrong_settings_of_a_user_class(virtual_run: VirtualRunner) -> None:
    """What a client would refuse in each of its users is said once, before any of them is there."""
    settings = "    concurrency = 0\n    network_timeout = -1\n"
    rewrite(virtual_run, VISITOR, f"class Visitor(LeanHttpUser):\n{settings}")
    rewrite(virtual_run, "\nfrom locust", "\nfrom plimsoll.users.http import LeanHttpUser\nfrom locust")

    assert refusal(virtual_run, *HOST) == [
        "plimsoll: Visitor: concurrency must be at least 1, got 0",
        "plimsoll: Visitor: network_timeout must be seconds above 0, got -1",
    ]


def test_wrong_host_of_a_user_class(virtual_run: VirtualRunner) -> None:
    """A class whose host is no base URL is told of it as the command line is, whichever client it has."""
    rewrite(virtual_run, VISITOR, f'{VISITOR}    host = "shop.example"\n')

    assert refusal(virtual_run) == [
        "plimsoll: Visitor.host 'shop.example' is not a base URL such as http://127.0.0.1:8000"
    ]


def test_wrong_schedule(virtual_run: VirtualRunner) -> None:
    """A shape of one's own whose schedule cannot be run is refused with each of its faults."""
    source = virtual_run.locustfile.read_text(encoding="utf-8") + WRONG_SHAPE
    virtual_run.locustfile.write_text(source, encoding="utf-8")

    assert refusal(virtual_run, *HOST) == [
        "plimsoll: Arrivals: max_users must be a whole number of at least 1, got 0",
        "plimsoll: Arrivals: stage 1 ('hold'): duration_s must be a number above 0, got -1",
    ]


def test_scales_that_leave_nothing(virtual_run: VirtualRunner) -> None:
    """A scale that makes the load vanish is refused before it."""
    files = f"{virtual_run.locustfile},shapes/ramp.py"

    assert refusal(virtual_run, "-f", files, *HOST, "--time-scale", "0.0001") == [
        "plimsoll: --time-scale leaves 0.24 s of load; it must leave at least 1 s"
    ]


def test_several_shapes(virtual_run: VirtualRunner) -> None:
    """Locust would silently play the first of several shapes; here they are named."""
    (fault,) = refusal(virtual_run, "-f", f"{virtual_run.locustfile},shapes", *HOST)

    assert ", ".join(shape_names()) in fault


def test_a_search_without_limits(virtual_run: VirtualRunner) -> None:
    """A search that could judge no step has nothing to search for."""
    source = virtual_run.locustfile.read_text(encoding="utf-8")
    virtual_run.locustfile.write_text(source + SEARCH, encoding="utf-8")

    assert refusal(virtual_run, *HOST) == [
        "plimsoll: SmallSearchShape searches for where limits break: give them with --thresholds FILE"
    ]


def test_without_a_browser(
    virtual_run: VirtualRunner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Browser journeys where there is no Chromium say what is missing."""
    monkeypatch.setenv("PATH", str(tmp_path))
    (fault,) = refusal(virtual_run, "-f", "locustfiles/pages.py", *HOST)

    assert fault.startswith("plimsoll: browser journeys need Chromium: none of chromium, ")
