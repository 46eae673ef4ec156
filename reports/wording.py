"""Words and numbers for people: neutralised names, short names, figures with their units."""

import math
import unicodedata
from collections.abc import Mapping
from numbers import Real

UNPRINTABLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
"""Unicode categories that can move the cursor, reverse the text or hide in it."""

UNKNOWN = "–"


def sanitize(text: object, limit: int = 400) -> str:
    """Return text from outside as one harmless line of at most `limit` characters.

    Control, format and private characters appear as escapes (ESC as x1b after a backslash), so neither a
    terminal nor a browser acts on them; line ends and tabs become spaces. An ellipsis marks what is cut off.
    """
    raw = str(text)
    spaced = raw[: limit + 1].replace("\r\n", " ").replace("\n", " ").replace("\t", " ")
    harmless = "".join(
        letter.encode("unicode_escape", "surrogatepass").decode("ascii")
        if unicodedata.category(letter) in UNPRINTABLE
        else letter
        for letter in spaced
    )
    return harmless if len(harmless) <= limit and len(raw) <= limit else harmless[: limit - 1] + "…"


def sanitize_lines(text: object, limit: int = 4000) -> str:
    """Return text from outside with its line ends kept, otherwise as `sanitize` does."""
    raw = str(text)
    lines = raw[:limit].splitlines()
    return "\n".join(sanitize(line, limit) for line in lines) + ("\n…" if len(raw) > limit else "")


def reason_words(reason: Mapping[str, str]) -> str:
    """Write a reason of a verdict: what it is about, and what it says."""
    return f"{reason['subject']}: {reason['text']}" if reason["subject"] else reason["text"]


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
    """Count the terminal cells that a text fills: two for a wide letter, none for an accent of its own."""
    return sum(
        0 if unicodedata.combining(letter) else 1 + (unicodedata.east_asian_width(letter) in "WF")
        for letter in text
    )


def finite_or_none(value: object) -> float | None:
    """Return a finite number as float and anything else (None, NaN, infinity, text) as None."""
    if not isinstance(value, Real):
        return None
    number = float(value)
    return number if math.isfinite(number) else None


def count(value: object) -> str:
    """Write a whole number in groups of three: 12,345."""
    number = finite_or_none(value)
    return UNKNOWN if number is None else f"{number:,.0f}"


def plural(number: float, singular: str, several: str = "") -> str:
    """Return the word or words for so many; without `several` an s is added."""
    return singular if number == 1 else several or f"{singular}s"


def format_number(value: object, digits: int = 3) -> str:
    """Write a number of about *digits* digits, never with an exponent: 0.0123, 4.56, 78.9, 1,235."""
    number = finite_or_none(value)
    if number is None:
        return UNKNOWN
    if number == 0:
        return "0"
    decimals = min(6, max(0, digits - 1 - math.floor(math.log10(abs(number)))))
    text = f"{number:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def percent(ratio: object) -> str:
    """Write a ratio (0 to 1) as per cent: 0.0123 is 1.23%."""
    number = finite_or_none(ratio)
    return UNKNOWN if number is None else f"{format_number(100 * number)}%"


def quantity(value: object, unit: str, digits: int = 3) -> str:
    """Write a value in the unit of its threshold (ms, %, /s or none): 0.8 ms, 212 ms, 12.3 s, 1%, 80.3/s."""
    number = finite_or_none(value)
    if number is None:
        return UNKNOWN
    if unit == "ms" and abs(number) >= 10_000:
        number, unit = number / 1000, "s"
    return format_number(number, digits) + (f" {unit}" if unit[:1].isalpha() else unit)


def duration(seconds: object) -> str:
    """Write a length of time: 41.5 s, 12 min 5 s, 8 h 2 min."""
    number = finite_or_none(seconds)
    if number is None:
        return UNKNOWN
    if number < 60:
        return f"{format_number(round(number, 1))} s"
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
