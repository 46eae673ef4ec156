"""The README knows every option, setting, profile, journey, shape, metric and exit status."""

from locust.argument_parser import get_empty_argument_parser

import re
from pathlib import Path

import pytest

from plimsoll.data.channel import add_seed_option
from plimsoll.loads.scheduled_shape import add_scale_options
from plimsoll.recording.options import add_options
from plimsoll.run_files.exit_status import ExitStatus
from plimsoll.users.scheduled_check import add_location_option
from reports.thresholds.grammar import OPERATORS
from reports.thresholds.metric import COUNT_UNITS, KINDS, LATENCY_UNITS, RATE_UNITS, SHARE_UNITS
from service.app import create_app

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def own_options() -> list[tuple[str, str]]:
    """Return the suite's own Locust options with their environment variables."""
    parser = get_empty_argument_parser(add_help=False)
    known = set(parser._actions)
    add_options(parser)
    add_scale_options(parser)
    add_seed_option(parser)
    add_location_option(parser)
    return [(action.option_strings[0], action.env_var) for action in parser._actions if action not in known]


def names(pattern: str, *sources: Path) -> set[str]:
    """Return what a pattern finds in these files, line by line."""
    return {
        name
        for source in sources
        for name in re.findall(pattern, source.read_text(encoding="utf-8"), re.MULTILINE)
    }


@pytest.mark.parametrize(("option", "variable"), own_options())
def test_options(option: str, variable: str) -> None:
    """Every option is in the README with its variable."""
    assert f"`{option}` | `{variable}`" in README


def test_options_were_found() -> None:
    """The test above has something to test."""
    assert {option for option, _ in own_options()} >= {
        "--run-dir",
        "--thresholds",
        "--with-service",
        "--user-scale",
    }


@pytest.mark.parametrize("profile", sorted(path.name for path in (ROOT / "profiles").glob("*.conf")))
def test_profiles(profile: str) -> None:
    """Every profile is in the README."""
    assert f"`profiles/{profile}`" in README


@pytest.mark.parametrize("folder", ["locustfiles", "shapes"])
def test_journeys_and_shapes(folder: str) -> None:
    """Every journey and every shape is in the README by file and class."""
    classes = names(r"^class (\w+(?:User|Shape))\(", *(ROOT / folder).glob("[a-z]*.py"))

    assert classes
    for name in classes:
        assert f"`{name}`" in README


def test_service_options() -> None:
    """Every option and every variable of the bundled service is in the README."""
    settings = names(r'"(--[a-z-]+|[A-Z]+_[A-Z_]+)"', ROOT / "service" / "settings.py")

    assert settings
    for name in settings:
        assert f"`{name}" in README


def test_service_routes() -> None:
    """The routes of the bundled service that the README tells of are there."""
    paths = create_app("", "s" * 32, "0").openapi()["paths"]
    told = re.findall(r"`(GET|PUT|POST|DELETE) (/[^ `]+)`", README)

    assert len(told) >= 8
    for method, path in told:
        assert method.lower() in paths[path], path


def test_threshold_words() -> None:
    """Every metric, unit and operator of the threshold language is in the README."""
    units = LATENCY_UNITS.keys() | SHARE_UNITS.keys() | RATE_UNITS.keys() | COUNT_UNITS.keys()
    for word in {*KINDS, *units, *OPERATORS} - {"", "µs"}:
        assert f"`{word}`" in README


def test_exit_statuses() -> None:
    """Every exit status is in the README with its meaning."""
    meanings = {"BAD_CONFIGURATION": "wrong", "CRASH": "crash"}
    for status in ExitStatus:
        assert f"| {status} | {meanings.get(status.name, status.name)}" in README


def test_make_targets() -> None:
    """Every make target explains itself or is a part of `make test`; those of the README are explained."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):(?!=)", makefile, re.MULTILINE))
    documented = set(re.findall(r"^([a-z-]+):.*##", makefile, re.MULTILINE))

    assert {"run", "test", "help"} <= documented
    assert targets - documented == {"test-packages", "lint"}
    for command in re.findall(r"^make ([a-z-]+)", README, re.MULTILINE):
        assert command in documented


def test_files_that_are_named_exist() -> None:
    """The README names no file that is not there."""
    for path in re.findall(r"[`(]((?:locustfiles|shapes|profiles|reports|deploy)/[\w./-]+)[`)]", README):
        assert (ROOT / path).exists(), path
