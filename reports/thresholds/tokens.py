"""The tokens of a statement: words, quoted names and comparisons, each with its column."""

import math
import re
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from reports.thresholds.metrics import DURATION, DURATION_UNITS


class TokenKind(Enum):
    """Name what a token is, as an error text would call it."""

    WORD = "word"
    QUOTED = "quoted name"
    OPERATOR = "operator"
    END = "end"


@dataclass(frozen=True)
class Token:
    """Hold one token; `text` is without quotes, `column` counts from 1."""

    kind: TokenKind
    text: str
    column: int

    @property
    def shown(self) -> str:
        """Return the text as a message names it."""
        return "nothing" if self.kind is TokenKind.END else repr(self.text)

    @property
    def word(self) -> str:
        """Return the text of a word that is not in quotes, else nothing."""
        return self.text if self.kind is TokenKind.WORD else ""

    def fault(self, text: str) -> ValueError:
        """Return the error that names this place."""
        return ValueError(f"column {self.column}: {text}")


TOKEN = re.compile(
    r"""\s*(?:
      "(?P<double>[^"]*)" | '(?P<single>[^']*)'
    | (?P<operator>[<>=!]+)
    | (?P<word>\(*apdex\([^()<>=!"']*\)\)* | [^\s<>=!"']+)
    | (?P<stray>["'])
    )""",
    re.VERBOSE,
)
NUMBER = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?P<unit>.*)", re.DOTALL)
NO_UNIT = re.compile(r"(?:and|to|each|worst|[*/]|[-+±)].*)?", re.DOTALL)
"""Words that may follow a number without being its unit."""

MAX_TIME_S = 1e7


class Amount(NamedTuple):
    """Hold a number and what was written for its unit, which may be nothing."""

    number: float
    unit: str
    token: Token


class Cursor:
    """Walk the tokens of a statement once, the last of kind END.

    A bracket that opens is a token where one is asked for; within brackets one that closes is at the end of a
    word, unless it closes one in the same word: names such as `items(1)` stay whole.
    """

    def __init__(self, source: str) -> None:
        """Raise ValueError for a quote that is never closed."""
        self.rest: list[Token] = []
        self.depth = 0
        for match in TOKEN.finditer(source):
            group = match.lastgroup or ""
            column = match.start(group) + 1
            if group == "stray":
                raise Token(TokenKind.QUOTED, "", column).fault(f"the quote {match[group]} is never closed")
            kind = {"operator": TokenKind.OPERATOR, "word": TokenKind.WORD}.get(group, TokenKind.QUOTED)
            self.rest.append(Token(kind, match[group], column - (kind is TokenKind.QUOTED)))
        self.rest.append(Token(TokenKind.END, "", len(source) + 1))
        self.rest.reverse()

    @property
    def token(self) -> Token:
        """Return the token that comes next."""
        word = self.rest[-1].word
        surplus = word.count(")") - word.count("(")
        if self.depth and word[:1] == ")" != word:
            self.split(1)
        elif self.depth and surplus > 0 and word.endswith(")") and word != ")":
            self.split(max(len(word.rstrip(")")), len(word) - surplus))
        return self.rest[-1]

    def split(self, length: int) -> None:
        """Make two words of the next one, where it has more than *length* characters."""
        token = self.rest[-1]
        if length < len(token.text):
            self.rest[-1:] = [
                Token(token.kind, token.text[length:], token.column + length),
                Token(token.kind, token.text[:length], token.column),
            ]

    def take(self) -> Token:
        """Return the next token and go on; the end is never passed."""
        token = self.token
        if token.kind is not TokenKind.END:
            self.rest.pop()
        return token

    def takes(self, *words: str) -> Token | None:
        """Return the next token and go on where it is one of these words, else None."""
        return self.take() if self.token.word in words else None

    def sign(self, signs: str) -> str:
        """Return the sign that comes next and go on, also where a number follows it without a space."""
        if self.token.word[:1] not in {*signs}:
            return ""
        self.split(1)
        return self.take().text

    def amount(self, what: str, wanted: str) -> Amount:
        """Return the number that comes next, with its unit; the space between them is free.

        Raises ValueError for anything else, and for a number that is not finite.
        """
        token = self.take()
        match = NUMBER.fullmatch(token.word)
        if match is None:
            raise token.fault(
                f"{what} is {token.shown}, where a number that is not negative is wanted, here {wanted}"
            )
        number, unit = float(match["number"]), match["unit"]
        if not math.isfinite(number):
            raise token.fault(f"the number {number!r} is too large, valid is any finite number")
        if not unit and not NO_UNIT.fullmatch(self.token.word):
            unit = self.take().text
        return Amount(number, unit, token)

    def time_s(self, what: str, *, min_: float = 0.001) -> float:
        """Return the seconds of the time that comes next; raises ValueError for one too short or too long."""
        amount = self.amount(what, DURATION.wanted)
        if amount.unit not in DURATION_UNITS:
            raise amount.token.fault(f"{what} has the unit {amount.unit!r}, valid is {DURATION.wanted}")
        time_s = amount.number * DURATION_UNITS[amount.unit]
        if not min_ <= time_s <= MAX_TIME_S:
            raise amount.token.fault(f"{what} is {time_s:g} s, valid is {min_:g} s to {MAX_TIME_S:g} s")
        return time_s
