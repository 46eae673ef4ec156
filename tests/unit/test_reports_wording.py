"""Names made harmless and numbers made readable."""

import math
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.wording import (
    UNPRINTABLE,
    clock,
    count,
    display_width,
    duration,
    finite_or_none,
    format_number,
    padded,
    percent,
    plural,
    quantity,
    sanitize,
    sanitize_lines,
    shortened,
)


@pytest.mark.parametrize(
    ("text", "harmless"),
    [
        ("careers.select", "careers.select"),
        ("a\x1b[31mred", "a\\x1b[31mred"),
        ("two\r\nlines\tand tab", "two lines and tab"),
        ("nul\x00 bell\x07", "nul\\x00 bell\\x07"),
        ("evil\u202etxt", "evil\\u202etxt"),
        ("half \udc80", "half \\udc80"),
        ("naïve 名前", "naïve 名前"),
        (None, "None"),
        ("<b>", "<b>"),
    ],
)
def test_text_from_outside_becomes_harmless(text: object, harmless: str) -> None:
    """Whatever could move a cursor or reverse text is shown as an escape; HTML is left to the template."""
    assert sanitize(text) == harmless


@given(st.text(), st.integers(1, 60))
def test_plain_text_is_one_bounded_printable_line(text: str, limit: int) -> None:
    """No control character survives and the length is bounded, also by escapes."""
    line = sanitize(text, limit)

    assert len(line) <= limit
    assert not {unicodedata.category(c) for c in line} & UNPRINTABLE


def test_one_is_singular_and_any_other_number_plural() -> None:
    """1 worker was lost, 2 or none were."""
    assert (plural(1, "worker"), plural(2, "worker")) == ("worker", "workers")
    assert (plural(1.0, "was", "were"), plural(0, "was", "were")) == ("was", "were")


def test_long_text_ends_in_an_ellipsis() -> None:
    """Ten characters of eleven are nine and an ellipsis; a megabyte costs no more."""
    assert sanitize("abcdefghijk", 10) == "abcdefghi…"
    assert sanitize("x" * 1_000_000, 5) == "xxxx…"


def test_tracebacks_keep_their_lines() -> None:
    """Lines stay, escapes do not; what is cut off is announced."""
    assert sanitize_lines("File a\n  \x1b[0mline 2\n") == "File a\n  \\x1b[0mline 2"
    assert sanitize_lines("abcdef", 3) == "abc\n…"


@pytest.mark.parametrize(
    ("text", "width", "short"),
    [
        ("abc", 3, "abc"),
        ("abcdefgh", 5, "ab…gh"),
        ("abcdefgh", 4, "a…gh"),
        ("名前名前", 5, "名…前"),
        ("abc", 1, "…"),
        ("abc", 0, "…"),
    ],
)
def test_names_are_shortened_in_the_middle(text: str, width: int, short: str) -> None:
    """Both ends of a name tell it apart; wide characters fill two cells."""
    assert shortened(text, width) == short


@given(st.text(max_size=50), st.integers(1, 30))
def test_a_shortened_name_fits(text: str, width: int) -> None:
    """Never wider than asked."""
    assert display_width(shortened(text, width)) <= width


def test_padding_counts_terminal_cells() -> None:
    """A wide character takes two cells, a combining one none."""
    assert padded("名", 4) == "名  "
    assert padded("e\u0301", 2) == "e\u0301 "


@pytest.mark.parametrize("value", [None, math.nan, math.inf, "12", [1]])
def test_what_is_no_number_is_a_dash(value: object) -> None:
    """Unknown values are never 0 and never nan."""
    assert finite_or_none(value) is None
    assert [f(value) for f in (count, format_number, percent, duration)] == ["–"] * 4
    assert quantity(value, "ms") == "–"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.01234, "0.0123"),
        (0.5, "0.5"),
        (4.567, "4.57"),
        (78.95, "79"),
        (212.4, "212"),
        (1234.5, "1,234"),
        (1_000_000, "1,000,000"),
        (-3.0, "-3"),
        (100, "100"),
        (1e-9, "0"),
        (np.int64(7), "7"),
        (np.float64(7.25), "7.25"),
    ],
)
def test_figures_have_three_digits_and_no_exponent(value: object, text: str) -> None:
    """Three significant digits are what a person compares; whole digits are never cut."""
    assert format_number(value) == text


def test_units_stand_where_people_write_them() -> None:
    """Milliseconds and seconds after a space; per cent and rates without."""
    assert quantity(212.0, "ms") == "212 ms"
    assert quantity(12_300.0, "ms") == "12.3 s"
    assert quantity(0.5, "%") == "0.5%"
    assert quantity(80.3, "/s") == "80.3/s"
    assert quantity(1200.0, "") == "1,200"
    assert percent(0.0123) == "1.23%"
    assert count(12_345.0) == "12,345"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (41.53, "41.5 s"), (60, "1 min"), (725, "12 min 5 s"), (3600, "1 h"), (28_920, "8 h 2 min")],
)
def test_durations_use_two_units_at_most(seconds: float, text: str) -> None:
    """Seconds below a minute, minutes and seconds below an hour, hours and minutes from there."""
    assert duration(seconds) == text


def test_the_clock_shows_hours_only_where_there_are_any() -> None:
    """0:42, 12:05, 8:00:00."""
    assert [clock(s) for s in (42, 725, 28_800)] == ["0:42", "12:05", "8:00:00"]
