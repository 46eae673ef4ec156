"""The verdict as text for terminals."""

import re
from typing import Any

import pytest

from reports.render.terminal import MAX_ERRORS, MAX_REQUESTS, WIDTH, terminal_text
from reports.wording import display_width
from tests.make_verdicts import full_verdict, make_verdict, reason, request, threshold

HOSTILE = "\x1b[2Jnasty\r\nname\x07\u202e" + "x" * 300


def error(**changes: Any) -> dict[str, Any]:
    """Return one error of verdict.json, changed as told."""
    return {"type": "GET", "name": "a", "error": "boom", "occurrences": 1} | changes


def test_a_passed_run_is_said_in_few_lines() -> None:
    """The verdict, the facts, each threshold with its value, the requests; nothing else."""
    assert terminal_text(make_verdict()) == (
        "PASS  Yes: the only limit holds.\n"
        "  20261121T002130Z-demo · 8,000 requests · 80 failed (1%) · 40 s\n"
        "\n"
        "  PASS         p95 of careers.select < 500 ms  212 ms (< 500 ms)\n"
        "\n"
        f"  request{' ' * 31}         n   failed    req/s  p50 ms  p95 ms  p99 ms  max ms\n"
        f"  POST careers.select{' ' * 19}     4,821       0%     80.3      12     212     390   1,205\n"
    )


def test_a_failed_threshold_is_quoted_with_its_figures() -> None:
    """Statement, value, interval, limit and margin, before anything that passed."""
    text = terminal_text(full_verdict())
    lines = text.splitlines()

    assert lines[0] == "FAIL  No: 1 of 5 limits is broken."
    assert lines[3] == "  FAIL         p99 < 300 ms"
    assert lines[4].strip() == (
        "measured 612 ms, interval 540 to 690 ms, limit < 300 ms, n 8,000 (2 times the limit)"
    )
    assert text.index("INCONCLUSIVE") < text.index("PASS")
    assert "a run of about 3 min would decide" in text
    assert "max of orders.* < 5 s [warn]" in text


def test_failed_checks_are_told_with_value_and_limit() -> None:
    """A reason that a check or a threshold repeats is not said twice."""
    text = " ".join(terminal_text(full_verdict()).split())

    assert "check load_reached: only 91% of the seconds" in text
    assert "0.91 (limit 0.95)" in text
    assert text.count("only 91%") == 1


def test_what_a_check_that_holds_has_to_say_is_a_note() -> None:
    """Set-up that took time from the load is told without a doubt; how Little's law adds up is not told."""
    held = {"value": 15.0, "limit": 15.0, "ok": True}
    validity = [
        held | {"check": "run_completed", "reason": "10.0 s of the run time were set-up"},
        held | {"check": "user_concurrency", "reason": "users = X·(R + Z)"},
        held | {"check": "load_reached", "reason": ""},
    ]
    lines = terminal_text(make_verdict(validity=validity)).splitlines()

    notes = [line for line in lines if line.startswith(("  note", "  check"))]
    assert notes == ["  note run_completed: 10.0 s of the run time were set-up"]


def test_reasons_of_their_own_are_said() -> None:
    """That nothing was judged belongs to no threshold and no check."""
    text = terminal_text(
        make_verdict("INCONCLUSIVE", thresholds=[], reasons=[reason("", "no thresholds: nothing was judged")])
    )

    assert "\n  no thresholds: nothing was judged\n" in text


def test_a_run_without_anything_is_still_told() -> None:
    """No request, no threshold, no duration: dashes instead of divisions by zero."""
    verdict = make_verdict("INCONCLUSIVE", thresholds=[], requests=[], validity=[])
    verdict["run"] |= {"requests": 0, "failures": 0, "duration_s": None}

    assert terminal_text(verdict).splitlines()[1].endswith("0 requests · 0 failed · –")


def test_a_threshold_without_data_shows_dashes() -> None:
    """Nothing measured is not 0."""
    entry = threshold(verdict="INCONCLUSIVE", value=None, interval=None, n=0, reason="no request to judge")
    text = terminal_text(make_verdict("INCONCLUSIVE", thresholds=[entry]))

    assert "measured –, interval –, limit < 500 ms, n 0\n               no request to judge\n" in text


def test_colour_appears_only_when_asked_for() -> None:
    """Escape sequences surround the verdict words and nothing else changes."""
    verdict = full_verdict()
    coloured = terminal_text(verdict, colour=True)

    assert coloured.startswith("\x1b[1;31mFAIL\x1b[0m  No")
    assert "\x1b" not in terminal_text(verdict)
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == terminal_text(verdict)


@pytest.mark.parametrize("name", [HOSTILE, "名" * 200, "a b" * 90])
def test_hostile_names_stay_harmless_and_narrow(name: str) -> None:
    """Neither escapes nor line ends of a name reach the terminal, and no line is too wide."""
    verdict = full_verdict()
    verdict["run"]["id"] = name
    verdict["reasons"] = [reason(HOSTILE, HOSTILE)]
    verdict["requests"] = [request(name=name, type=name)]
    verdict["errors"] = [error(name=name, error=name)]
    verdict["thresholds"] = [threshold(source=name), threshold(source=name, verdict="FAIL", reason=HOSTILE)]
    verdict["validity"][1] |= {"check": "load", "reason": HOSTILE}
    text = terminal_text(verdict)

    assert not set("\x1b\r\x07\u202e") & set(text)
    assert max(map(display_width, text.splitlines())) <= WIDTH


def test_long_tables_are_cut_and_the_rest_counted() -> None:
    """The worst are shown; the others are in the report."""
    verdict = make_verdict(
        requests=[request(name=f"r{i}", p95=float(i)) for i in range(MAX_REQUESTS + 3)],
        errors=[error(occurrences=i) for i in range(MAX_ERRORS + 2)],
    )
    text = terminal_text(verdict)

    assert f"POST r{MAX_REQUESTS + 2} " in text
    assert "POST r2 " not in text
    assert "… and 3 more in the report" in text
    assert "… and 2 more kinds of error in the report" in text
    text = terminal_text(make_verdict(errors=[error()] * (MAX_ERRORS + 1)))
    assert "… and 1 more kind of error in the report" in text


def test_a_request_without_a_type_or_figures_is_listed() -> None:
    """Locust allows an empty type, and N/A everywhere."""
    nothing = dict.fromkeys(("n", "failures", "rps", "p50", "p95", "p99", "max"))
    text = terminal_text(make_verdict(requests=[request(type=None, name="task", **nothing)]))

    assert text.splitlines()[-1].split() == ["task", "–", "0%", "–", "–", "–", "–", "–"]
