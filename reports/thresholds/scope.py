"""Which part of a run a threshold is about: a stage, a time, each minute, the worst 30 s."""

from dataclasses import dataclass, field, replace
from typing import Any

from reports.thresholds.tokens import NUMBER, Token, TokenKind, Tokens, shown

TO = Token(TokenKind.WORD, "to")
PERIODS_S = {"second": 1.0, "minute": 60.0, "hour": 3600.0}
TIMES_S = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0}
TIME_WANTED = "valid is a number with s, min or h, such as '30 s'"
MAX_TIME_S = 1e9
WINDOWS = ("each", "worst")
SCOPE_WORDS = ("during", "over", *WINDOWS)


@dataclass(frozen=True)
class Scope:
    """Say which part of a run a threshold is about, and in which windows of it it must hold; in seconds.

    The part is a stage (a name or glob), the time from `from_s` to `to_s` of the run, or the `last_s`; else
    the steady part. The windows are all whole ones of `each_s`, or the worst of `worst_s`.
    """

    text: str = field(default="steady", compare=False)
    stage: str | None = None
    from_s: float = 0.0
    to_s: float | None = None
    last_s: float | None = None
    each_s: float | None = None
    worst_s: float | None = None

    @property
    def is_steady(self) -> bool:
        """Tell whether the part is the steady one."""
        return self.stage is None and self.to_s is None and self.last_s is None

    def scaled(self, time_scale: float) -> "Scope":
        """Return the scope in a run whose time is scaled: what it names is stated at full size."""
        names = ("from_s", "to_s", "last_s", "each_s", "worst_s")
        seconds = {name: getattr(self, name) for name in names}
        return replace(self, **{name: s and s * time_scale for name, s in seconds.items()})


STEADY = Scope()


def read_scope(tokens: Tokens) -> Scope:
    """Return the part of the run and the windows that are named next.

    Raises ValueError saying what is wrong and what would be valid.
    """
    found: dict[str, Any] = {}
    words: list[str] = []
    while tokens.token.kind is TokenKind.WORD and tokens.token.text in SCOPE_WORDS:
        word = tokens.take().text
        if words and (word not in WINDOWS or "each_s" in found or "worst_s" in found):
            raise ValueError(
                f"{word!r} follows {' '.join(words)!r}; valid is one of 'during STAGE' and 'over TIME',"
                " and then one of 'each TIME' and 'worst TIME'"
            )
        fields, spelled = _part(tokens, word)
        found |= fields
        words += [word, *spelled]
    if not words:
        return STEADY
    return Scope(" ".join(words), **found)


def _part(tokens: Tokens, word: str) -> tuple[dict[str, Any], list[str]]:
    """Return the fields of a scope that follow its word, and how they are spelled."""
    if word == "during":
        token = tokens.take()
        if token.kind not in {TokenKind.WORD, TokenKind.QUOTED} or not token.text:
            raise ValueError(f"'during' is followed by {shown(token)}, where the name of a stage is wanted")
        return {} if token.text == "steady" else {"stage": token.text}, [token.text]
    if word == "over":
        side = tokens.take().text if tokens.token.text in {"first", "last"} else ""
        seconds, spelled = _time(tokens, f"{word} {side}".strip())
        if side:
            return {"to_s" if side == "first" else "last_s": seconds}, [side, spelled]
        if tokens.token != TO:
            raise ValueError(
                f"'over {spelled}' is followed by {shown(tokens.token)}; valid are 'over first {spelled}',"
                f" 'over last {spelled}' and 'over {spelled} to TIME', in seconds of the run"
            )
        tokens.take()
        end_s, spelled_end = _time(tokens, "to")
        if end_s <= seconds:
            raise ValueError(f"'over {spelled} to {spelled_end}' ends before it begins")
        return {"from_s": seconds, "to_s": end_s}, [spelled, "to", spelled_end]
    if word == "each" and tokens.token.text in PERIODS_S:
        name = tokens.take().text
        return {"each_s": PERIODS_S[name]}, [name]
    seconds, spelled = _time(tokens, word)
    if seconds < 1:
        raise ValueError(f"'{word} {spelled}' is shorter than the second in which requests are recorded")
    return {f"{word}_s": seconds}, [spelled]


def _time(tokens: Tokens, before: str) -> tuple[float, str]:
    """Return a time in seconds, and how it is spelled."""
    token = tokens.take()
    match = NUMBER.fullmatch(token.text) if token.kind is TokenKind.WORD else None
    if match is None:
        raise ValueError(f"{before!r} is followed by {shown(token)}, where a time is wanted: {TIME_WANTED}")
    unit = match["unit"] or (tokens.take().text if tokens.token.kind is TokenKind.WORD else "")
    if unit not in TIMES_S:
        raise ValueError(
            f"'{before} {match['number']}' is followed by {repr(unit) if unit else shown(tokens.token)},"
            f" where a unit of time is wanted: {TIME_WANTED}"
        )
    seconds = float(match["number"]) * TIMES_S[unit]
    if not 0 <= seconds < MAX_TIME_S or (before != "over" and seconds == 0):
        raise ValueError(f"'{before} {match['number']} {unit}' is no time of a run: {TIME_WANTED}")
    return seconds, f"{match['number']} {unit}"
