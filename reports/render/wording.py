"""Words and numbers for people: neutralised names, short names, figures with their units."""

import math
import unicodedata
from collections.abc import Mapping
from numbers import Real

UNPRINTABLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
"""Unicode categories that can move the cursor, reverse the text or hide in it."""

UNKNOWN = "–"


def plain(text: object, limit: int = 400) -> str:
    """Return text from outside as one harmless line of at most `limit` characters.

    Control, format and private characters appear as escapes (ESC as x1b after a backslash), so neither a
    terminal nor a browser acts on them; line ends and tabs become spaces. An ellipsis marks what is cut off.
    """
    raw = str(text)
    spaced = raw[: limit + 1].replace("\r\n", " ").replace("\n", " ").replace("\t", " ")
    harmless = "".join(map(_escaped, spaced))
    return harmless if len(harmless) <= limit and len(raw) <= limit else harmless[: limit - 1] + "…"


def plain_lines(text: object, limit: int = 4000) -> str:
    """Return text from outside with its line ends kept, otherwise as `plain` does."""
    raw = str(text)
    lines = raw[:limit].splitlines()
    return "\n".join(plain(line, limit) for line in lines) + ("\n…" if len(raw) > limit else "")


def reason_words(reason: Mapping[str, str]) -> str:
    """Write a reason of a verdict: what it is about, and what it says."""
    return f"{reason['subject']}: {reason['text']}" if reason["subject"] else reason["text"]


def _escaped(character: str) -> str:
    if unicodedata.category(character) not in UNPRINTABLE:
        return character
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def shortened(text: str, width: int) -> str:
    """Shorten to `width` terminal cells in the middle, where request names differ least: `/api/…/content`."""
    if display_width(text) <= width:
        return text
    for kept in range(width - 1, 0, -1):
        short = text[: kept // 2] + "…" + text[len(text) - (kept - kept // 2) :]
        if display_width(short) <= width:
            return short
    return "…"


def padded(text: str, width: int, *, right: bool = False) -> str:
    """Pad to `width` terminal cells, counting wide characters as two."""
    space = " " * (width - display_width(text))
    return space + text if right else text + space


def display_width(text: str) -> int:
    """Count the terminal cells that a text fills."""
    return sum(map(_cells, text))


def _cells(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def known(value: object) -> float | None:
    """Return a finite number as float and anything else (None, NaN, infinity, text) as None."""
    if not isinstance(value, Real):
        return None
    number = float(value)
    return number if math.isfinite(number) else None


def count(value: object) -> str:
    """Write a whole number in groups of three: 12,345."""
    number = known(value)
    return UNKNOWN if number is None else f"{number:,.0f}"


def figure(value: object) -> str:
    """Write a number with about three significant digits and never an exponent: 0.0123, 4.56, 78.9, 1,235."""
    number = known(value)
    if number is None:
        return UNKNOWN
    if number == 0:
        return "0"
    decimals = min(6, max(0, 2 - math.floor(math.log10(abs(number)))))
    text = f"{number:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def latency(value: object) -> str:
    """Write a latency given in ms: 0.8 ms, 212 ms, 12.3 s."""
    number = known(value)
    if number is not None and abs(number) >= 10_000:
        return quantity(number / 1000, "s")
    return quantity(value, "ms")


def percent(ratio: object) -> str:
    """Write a ratio (0 to 1) as per cent: 0.0123 is 1.23%."""
    number = known(ratio)
    return UNKNOWN if number is None else f"{figure(100 * number)}%"


def quantity(value: object, unit: str) -> str:
    """Write a value in the unit of its threshold (ms, %, /s or none); an unknown value is a dash."""
    if known(value) is None:
        return UNKNOWN
    return figure(value) + (f" {unit}" if unit.isalpha() else unit)


def duration(seconds: object) -> str:
    """Write a length of time: 41.5 s, 12 min 5 s, 8 h 2 min."""
    number = known(seconds)
    if number is None:
        return UNKNOWN
    if number < 60:
        return f"{figure(round(number, 1))} s"
    minutes, rest_s = divmod(math.floor(number), 60)
    if minutes < 60:
        return f"{minutes} min" + (f" {rest_s} s" if rest_s else "")
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h" + (f" {minutes} min" if minutes else "")


def clock(seconds: float) -> str:
    """Write seconds since the start as 0:42, 12:05 or 8:00:00."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
