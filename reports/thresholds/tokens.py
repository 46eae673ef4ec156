"""Cut a threshold statement into tokens."""

import re
from dataclasses import dataclass
from enum import Enum


class TokenKind(Enum):
    """Name what a token is, as an error text would call it."""

    WORD = "word"
    QUOTED = "quoted name"
    OPERATOR = "operator"
    END = "end"


@dataclass(frozen=True)
class Token:
    """Hold one token; `text` is without quotes."""

    kind: TokenKind
    text: str


TOKEN = re.compile(
    r"""\s*(?:
      "(?P<double>[^"]*)" | '(?P<single>[^']*)'
    | (?P<operator>[<>=!]+)
    | (?P<word>[^\s<>=!"']+)
    | (?P<stray>["'])
    )""",
    re.VERBOSE,
)


def tokenize(source: str) -> list[Token]:
    """Return the tokens of a statement, the last of kind END.

    Raises ValueError for a quote that is never closed.
    """
    tokens = []
    for match in TOKEN.finditer(source.strip()):
        text = match[match.lastgroup or 0]
        if match.lastgroup == "stray":
            raise ValueError(f"the quote {text} is never closed")
        kind = {"operator": TokenKind.OPERATOR, "word": TokenKind.WORD}.get(
            match.lastgroup or "", TokenKind.QUOTED
        )
        tokens.append(Token(kind, text))
    return [*tokens, Token(TokenKind.END, "")]
