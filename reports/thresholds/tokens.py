"""Cut a statement into words, quoted names and operators, and walk through them once."""

import re
from dataclasses import dataclass
from enum import Enum

NUMBER = re.compile(r"(?P<number>\d+(?:\.\d+)?|\.\d+)(?P<unit>.*)", re.DOTALL)


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


class Tokens:
    """Walk the tokens of a statement; `token` is the next one."""

    def __init__(self, source: str) -> None:
        self._rest = iter(tokenize(source))
        self.token = next(self._rest)

    def take(self) -> Token:
        """Return the next token and go on; the last one stays."""
        taken = self.token
        self.token = next(self._rest, taken)
        return taken


def shown(token: Token) -> str:
    """Quote a token for an error text."""
    return "nothing" if token.kind is TokenKind.END else repr(token.text)
