"""Keep secrets out of everything that is written down or shown.

There are two kinds of text. In prose (errors, log lines, command lines) what stands where a secret would is
masked, and a harmless word may be masked with it. Names (of requests, transactions, metrics and tags) are
identities: two names without a secret must stay two, so only what can hardly be anything else is masked. In
names, words that have harmless values too (session, code, sig, pin, and key in a query) mask only values that
look like a secret.

Texts come from the service under test and are searched in the load generator: how much is searched is
bounded, and so is every repetition below, or one long answer would stall the load.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple

MASK = "***"
MAX_LENGTH = 4000
MAX_LOG_LENGTH = 10_000  # a traceback tells most at its end
# No secret is longer, but for private keys, which are masked up to where the text was cut.
MAX_SECRET_LENGTH = 1000

_SPACE = r"(?:\s|\\[nrt]){0,20}+"  # also over the end of a line, and in the repr of a text
_QUOTE = r"(?:\\{0,3}[\"']|%(?:25)?2[27]|&(?:quot|#34|#39);)"
_IS = rf"{_QUOTE}?{_SPACE}(?:=>?|%(?:25)?3D){_SPACE}"
_COLON = rf"{_QUOTE}?{_SPACE}(?::|%(?:25)?3A){_SPACE}(?:[|>][+-]?{_SPACE})?"

# These name a secret wherever they are in a word, as in DB_PASSWORD, accessToken or X-Api-Key.
_WORD = (
    r"(?:pass(?:wor[dt]|wd|phrase|code)|pwd|secret(?!ar|ion|ive)|token(?!s\b|i[sz])|credential|signature|"
    r"(?:access|account|api|encryption|private|session|signing)[-_ ]?key|session[-_]?id)[\w-]{0,40}"
)
# These do so only as whole words, which `passed`, `pinned` and `encode` are not.
_AFTER_PERCENT = r"(?<=%[0-9a-f][0-9a-f])|(?<=%25[0-9a-f][0-9a-f])"
_WHOLE = rf"(?:(?<![a-z0-9])|{_AFTER_PERCENT}|(?-i:(?<=[a-z])(?=[A-Z])))"
_PIN = rf"{_WHOLE}(?:pin|t?otp|(?:auth\w{{0,20}}|login|sms|verification)[-_]?code)\d?"
_PASS = rf"{_WHOLE}(?:pass|pw|jwt|bearer)\d?"
_SESSION = rf"(?:{_PIN}|{_WHOLE}(?:session|sig)\d?)"
_KEY = r"[?&]key"
_SHORT_WORD = rf"(?:{_PASS}|{_SESSION})"
# Statuses of HTTP, processes and WebSockets, and names of errors, are no secrets.
_NO_STATUS = r"(?!-\d|(?:\d{1,3}|10[01]\d|(?-i:[A-Z_]{2,40}))(?![\w/+~%-]))"
_CODE = rf"(?:(?<![\w-])|{_AFTER_PERCENT})code"
_ASSIGNED = rf"(?:{_WORD}|{_PASS}|[?&]auth(?:orization)?){_IS}"
_ASSIGNED_IN_PROSE = rf"(?:(?:{_SESSION}|{_KEY}){_IS}|{_CODE}{_IS}{_NO_STATUS})"
# A colon follows many words: only where a word begins, as names of requests may end in one of these, too.
_TOLD = rf"(?:(?<![\w./-])|{_AFTER_PERCENT})[\w-]{{0,40}}?{_WORD}{_COLON}"
_SHORT_TOLD = _SHORT_WORD + _COLON

_QUOTED = rf"b?(?P<quote>{_QUOTE})"
# The last part of its patterns, as _VALUE is: nothing makes it backtrack. Possessive it would match too much
# before Python 3.11.5 (python/cpython#106052).
_UP_TO_QUOTE = r"(?:(?!(?P=quote))(?:\\.|[^\\])){0,99999}"
# What follows the name of a secret without being one, but for right behind an equals sign.
_NOT_PLAIN = (
    r"(?!…|(?:a|an|are|cannot|empty|error|expected|expired|failed|false|for|from|got|has|in|invalid|is|it|missing|"
    r"must|none|not|null|of|or|rejected|required|revoked|should|the|to|too|traceback|true|undefined|unknown|was|"
    r"were|with|wrong)(?![\w.+/=-]))"
)
_UNQUOTED = r"(?:(?!%(?:25)?2[267C])[^\s\"'&,;})\\]){1,99999}"
# A password may have these in it: they end it where a space, another name or the rest of a path follows.
_OTHER_NAME = rf"[\w.-]{{1,60}}{_QUOTE}?(?:[=:]|%(?:25)?3[AD])"
_AFTER_COMMA = rf"(?:[,;)}}]{{1,20}}(?!{_OTHER_NAME}|[./:=|(\[{{<>?]){_UNQUOTED})?"
_VALUE = rf"(?!b[\"'])(?:(?<=[=d])(?!…)|{_NOT_PLAIN}){_UNQUOTED}{_AFTER_COMMA * 8}"
_WITH_DIGIT = r"(?=[^\s\"'&,;})\\\d]{0,60}\d)(?=[^\s\"'&,;})\\a-z]{0,60}[a-z])[^\s\"'&,;})\\]{4,99999}"

_HEADER = (
    rf"\b(?:(?:proxy-)?authorization|(?:set-)?cookie){_QUOTE}?{_SPACE}[:=]{_SPACE}(?:b(?=[\"']))?{_QUOTE}?"
)
_NO_METHOD = r"(?!(?-i:DELETE|GET|HEAD|OPTIONS|PATCH|POST|PUT)\s)"
_SCHEME = r"\b(?:bearer|basic|token)\s{1,20}+"
_NO_SCHEME = r"(?!(?:auth\w{0,12}|header|scheme|token)(?![\w.+/=-]))"
# What follows Basic and Token: it has a digit, a capital in its middle, or an equals sign.
_CREDENTIALS = (
    r"(?=[\w.~+/-]{0,100}[\d=]|(?-i:(?=[\w.~+/-]{0,60}[a-z])[\w.~+/-]{1,60}[A-Z]))[\w.~+/=-]{6,99999}"
)
_OPAQUE = r"(?=[a-z]{0,60}\d)(?=\d{0,60}[a-z])[a-z0-9]{16,99999}"
# A UUID, or ten characters in which letters and digits change three times.
_RANDOM = (
    r"(?:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|(?=[\w./+%~-]{0,60}"
    r"(?:\d[a-z]{1,60}\d{1,60}[a-z]|[a-z]\d{1,60}[a-z]{1,60}\d))[\w./+%~=-]{10,99999})"
)
_USER = r"(?<![\w.+%/:-])(?!(?:mailto|sips?|acct|xmpp):)[\w.+%-]{1,100}:"


class _Rule(NamedTuple):
    """A pattern of what stays before a secret, and of the secret; of each of *hints* it needs one."""

    pattern: re.Pattern[str]
    hints: tuple[tuple[str, ...], ...]


def _rule(before: str, secret: str, *hints: str) -> _Rule:
    pattern = re.compile(f"(?P<stays>{before}){secret}", re.IGNORECASE | re.DOTALL)
    return _Rule(pattern, tuple(tuple(hint.split("|")) for hint in hints))


# Most texts have none of these words, and need no search.
_WORDS = "pass|pw|secret|token|cred|key|sess|jwt|bearer|sig|pin|otp|code|auth"
_HEADERS, _SCHEMES = "authorization|cookie", "bearer|basic|token"
_AT, _EQUALS, _COLONS = "@|%40", "=|3d", ":|3a"

_IN_NAMES = (
    # By their shape: private keys, JSON Web Tokens, GitHub, GitLab, Slack, Stripe, AWS, Google, OpenAI.
    _rule(
        "",
        r"-----BEGIN[A-Z0-9 ]{0,40} PRIVATE KEY(?: BLOCK)?-----(?:(?!-----END).){0,99999}"
        r"(?:-----END[A-Z0-9 ]{0,40} PRIVATE KEY(?: BLOCK)?-----)?",
        "private key",
    ),
    _rule("", r"\b(?-i:eyJ[\w-]{1,1000}\.[\w-]{1,99999}(?:\.[\w-]{0,99999})?)", "eyj"),
    _rule("", r"\b(?-i:(?:gh[oprsu]|npm|hf|[rs]k_live|[rs]k_test|whsec)_[A-Za-z0-9]{10,250})", "_"),
    _rule("", r"\b(?-i:(?:github_pat_|glpat-|xox[abeoprs]-|xapp-)[\w-]{10,250})", "pat|xox|xapp"),
    _rule("", r"\b(?-i:A[KS]IA[A-Z0-9]{12,124}|AIza[\w-]{30,100})", "akia|asia|aiza"),
    _rule("", r"\b(?-i:sk-(?=[\w-]{0,60}\d)(?=[\w-]{0,60}[A-Z])[\w-]{20,250})", "sk-"),
    # user:password@host, without :// only where a port or path follows: not `login:ann@example.com`.
    _rule(r"://[^\s/:@\"'<>]{0,100}:", r"[^\s/\"'<>?#]{1,300}(?=@)", "://", _AT),
    _rule(r"%3A%2F%2F[^\s/:@%\"'<>]{0,100}(?::|%3A)", r"[^\s/\"'<>?#&]{1,300}?(?=@|%40)", "%2f", _AT),
    _rule(_USER, r"[^\s/\"'<>@]{1,200}(?=@[\w.-]{1,200}(?::\d{2,5}(?!\w)|\.[a-z]{2,24}/))", _COLONS, _AT),
    _rule(_ASSIGNED + _QUOTED, _UP_TO_QUOTE, _EQUALS, _WORDS),
    _rule(rf"{_ASSIGNED}(?:{_SCHEME})?", _VALUE, _EQUALS, _WORDS),
    _rule(rf"(?:{_TOLD}|{_PASS}{_COLON}){_QUOTED}", _UP_TO_QUOTE, _COLONS, _WORDS),
    _rule(rf"(?:{_TOLD}|{_SHORT_TOLD}|{_HEADER})(?:{_SCHEME})?", _OPAQUE, _COLONS, f"{_WORDS}|{_HEADERS}"),
    _rule(_SCHEME, _OPAQUE, _SCHEMES),
    _rule(rf"(?:{_SESSION}|{_CODE}|{_KEY})(?:{_IS}|{_COLON}){_QUOTED}?", rf"(?:{_OPAQUE}|{_RANDOM})", _WORDS),
    _rule(rf"{_PIN}(?:{_IS}|{_COLON}){_QUOTED}?", r"\d{4,12}(?!\w)", _WORDS),
)
_IN_PROSE = (
    *_IN_NAMES,
    _rule(_ASSIGNED_IN_PROSE + _QUOTED, _UP_TO_QUOTE, _EQUALS, _WORDS),
    _rule(rf"{_ASSIGNED_IN_PROSE}(?:{_SCHEME})?", _VALUE, _EQUALS, _WORDS),
    _rule(rf"{_SESSION}{_COLON}{_QUOTED}", _UP_TO_QUOTE, _COLONS, _WORDS),
    _rule(r"://[^\s/:@\"'<>]{0,100}:", r"(?!\d{1,5}[/?#])[^\s\"'<>]{1,300}(?=@)", "://", _AT),
    _rule(r"://", r"[^\s/:@\"'<>]{1,200}(?=@)", "://", _AT),
    _rule(_USER, r"(?!//|\d{1,5}[/?#])[^\s\"'<>]{1,200}(?=@[a-z0-9\[])", _COLONS, _AT),
    _rule(r"\bdigest\s{1,20}(?=username=)", r"[^\r\n]{1,99999}", "digest"),
    _rule(_HEADER, rf"{_NOT_PLAIN}{_NO_METHOD}[^\"'\r\n]{{1,99999}}", _HEADERS),
    _rule(r"\bbearer\s{1,20}+", rf"{_NOT_PLAIN}{_NO_SCHEME}[\w.~+/=-]{{1,99999}}", "bearer"),
    _rule(_SCHEME, _CREDENTIALS, _SCHEMES),
    _rule(rf"{_TOLD}(?:{_SCHEME})?", _VALUE, _COLONS, _WORDS),
    _rule(rf"passphrase(?:{_IS}|{_COLON})", r"[^\"'&,;})\r\n]{1,99999}", "passphrase"),
    _rule(_SHORT_TOLD, _WITH_DIGIT, _COLONS, _WORDS),
    _rule(_PIN + _COLON, r"\d{3,12}(?!\w)", _COLONS, _WORDS),
)
_SECRET_OPTION = re.compile(rf"-{{1,2}}[\w-]{{0,40}}?(?:{_WORD}|{_SHORT_WORD})", re.IGNORECASE)


@lru_cache(maxsize=4096)
def redact(text: str) -> str:
    """Return prose without its secrets, at most MAX_LENGTH characters that UTF-8 can carry."""
    return _masked(text, _IN_PROSE, MAX_LENGTH).text


def redact_log(text: str) -> str:
    """Return what a log line or a traceback says without its secrets, at most MAX_LOG_LENGTH characters."""
    return _masked(text, _IN_PROSE, MAX_LOG_LENGTH).text


@lru_cache(maxsize=4096)
def redact_name(name: str) -> str:
    """Return a name without its secrets, at most MAX_LENGTH characters that UTF-8 can carry.

    Names that differ in more than their secrets stay different, also where they are cut.
    """
    masked = _masked(name, _IN_NAMES, MAX_LENGTH)
    if not masked.is_cut:
        return masked.text
    digest = sha256(name.encode("utf-8", "backslashreplace")).hexdigest()[:8]
    return f"{masked.text[: MAX_LENGTH - 9]}…{digest}"


def has_secret(text: str) -> bool:
    """Return whether prose of any length has something in it that `redact` masks."""
    return _masked(text, _IN_PROSE, len(text)).text != text


class _Masked(NamedTuple):
    """A text without its secrets, and whether there was more of it."""

    text: str
    is_cut: bool


def _masked(text: str, rules: Iterable[_Rule], max_length: int) -> _Masked:
    masked = text[: max_length + MAX_SECRET_LENGTH]
    is_cut = len(masked) < len(text)
    masked = masked.encode("utf-8", "backslashreplace").decode("utf-8")
    lowered = masked.lower()
    for rule in rules:
        if all(any(word in lowered for word in hint) for hint in rule.hints):
            masked = rule.pattern.sub(rf"\g<stays>{MASK}", masked)
    if is_cut:  # what is left of a secret where the text was cut may not look like one
        masked = masked[:-MAX_SECRET_LENGTH]
    if not is_cut and len(masked) <= max_length:
        return _Masked(masked, is_cut=False)
    return _Masked(f"{masked[: max_length - 1]}…", is_cut=True)


def redact_command(arguments: Sequence[str]) -> list[str]:
    """Return a command line with secrets masked, also where option and value are two words."""
    masked: list[str] = []
    for position, argument in enumerate(arguments):
        follows_secret = position > 0 and _SECRET_OPTION.fullmatch(arguments[position - 1])
        masked.append(MASK if follows_secret else redact(argument))
    return masked
