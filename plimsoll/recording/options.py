"""The suite's own Locust options; each is also a key of a conf file, a field of the web UI and a variable."""

from __future__ import annotations

from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.util.timespan import parse_timespan

from argparse import Action, ArgumentParser, Namespace
from collections.abc import Sequence
from typing import Any

# Not an option that anybody types: Locust's master hands its options to the workers, whichever they are.
LIMITS_OPTION = "plimsoll_limits_ms"
CAN_ABORT_OPTION = "plimsoll_can_abort"
# Nor is this one: set by the command that says what would be judged, and starts no load.
CHECK_ONLY_OPTION = "is_check_only"


def has_options(environment: Environment) -> bool:
    """Tell whether this process knows our options; Locust used as a library may have none."""
    return hasattr(environment.parsed_options, "run_dir")


def options_of(environment: Environment) -> Namespace:
    """Return the options of this process, which must have some."""
    options = environment.parsed_options
    assert isinstance(options, Namespace)
    return options


def starts_by_itself(environment: Environment) -> bool:
    """Tell whether this process begins a run that nobody asks for in the web UI."""
    options = options_of(environment)
    return bool(options.headless or options.autostart)


def declared_limits_ms(environment: Environment) -> list[float]:
    """Return the latency limits that requests are counted over, ascending, in milliseconds."""
    limits_ms: list[float] = getattr(options_of(environment), LIMITS_OPTION, [])
    return limits_ms


def declare_limits_ms(
    environment: Environment, limits_ms: Sequence[float], *, can_abort: bool = False
) -> None:
    """Have this process, and with the next run its workers, count requests over these limits.

    *can_abort* says whether the thresholds that they are of have any that ends the load.
    """
    setattr(options_of(environment), LIMITS_OPTION, list(limits_ms))
    setattr(options_of(environment), CAN_ABORT_OPTION, can_abort)


def declared_can_abort(environment: Environment) -> bool:
    """Return whether a threshold of the next run can end its load."""
    return bool(getattr(options_of(environment), CAN_ABORT_OPTION, False))


def warm_up_s(text: str | None) -> int:
    """Return for how many seconds a run without a shape warms up, from the text of --warm-up.

    Raises:
        ValueError: --warm-up is no time.
    """
    try:
        return int(parse_timespan(text)) if text else 0
    except (ValueError, OverflowError):
        raise ValueError(f"--warm-up must be a time such as 30s or 2m, got {text!r}") from None


class _Joined(Action):
    """Join the values of an option that is repeated, with commas between."""

    def __call__(
        self,
        parser: ArgumentParser,  # noqa: ARG002 - argparse hands it in
        namespace: Namespace,
        values: Any,
        option_string: str | None = None,  # noqa: ARG002 - likewise
    ) -> None:
        """Add a value to those before."""
        before = getattr(namespace, self.dest, None)
        setattr(namespace, self.dest, f"{before},{values}" if before else values)


def add_options(parser: LocustArgumentParser) -> None:
    """Add --run-dir, --thresholds, --database-url, --with-service and --warm-up to Locust's own options.

    Not as a group of their own: Locust's web UI shows only what is added to the parser itself.
    """
    parser.add_argument(
        "--run-dir",
        metavar="<directory>",
        env_var="PLIMSOLL_RUN_DIR",
        help="Where the run is recorded and its report written. Defaults to results/<UTC start>-<profile>.",
    )
    parser.add_argument(
        "--thresholds",
        action=_Joined,
        metavar="<filename>",
        env_var="PLIMSOLL_THRESHOLDS",
        help="YAML file of the limits that the run is judged by, checked before any load starts. Repeatable,"
        " or several with commas between.",
    )
    parser.add_argument(
        "--database-url",
        metavar="<url>",
        env_var="PLIMSOLL_DATABASE_URL",
        include_in_web_ui=False,  # it may hold a password
        help="The PostgreSQL database that SQL users load. Defaults to DATABASE_URL, or with --with-service "
        "to that of the bundled service.",
    )
    parser.add_argument(
        "--with-service",
        action="store_true",
        env_var="PLIMSOLL_WITH_SERVICE",
        help="Start the bundled service for the run and stop it afterwards, unless --host names another.",
    )
    parser.add_argument(
        "--warm-up",
        metavar="<time>",
        env_var="PLIMSOLL_WARM_UP",
        help="How much of the beginning of a run without a shape is recorded and not judged, e.g. 30s.",
    )
