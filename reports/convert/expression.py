"""Read a condition of Artillery: comparisons of metrics and numbers, with `and`, `not`, + - * / and brackets.

Which names Artillery takes for metrics depends on its report, which is not there: a name ends at any sign
but a dot and a dollar, unless it is in single quotes or of a kind that is known to have any text in it.
"""

import re
from collections.abc import Callable
from operator import add, mul, sub, truediv
from typing import NamedTuple

from reports.convert.statements import INVERSE, MIRRORED, Figure, NotCarriedError, amount, number, statement

CALCULATE: dict[str, Callable[[float, float], float]] = {"+": add, "-": sub, "*": mul, "/": truediv}
BUILT_IN = re.compile(r"(?:http|vusers)\.[\w.]+|apdex")
# Names in which any text may stand end where an operator, a bracket or the expression does.
ANY_TEXT = (
    r"(?:vusers\.created_by_name|browser\.page\.\w+|plugins\.metrics-by-endpoint)\..+?"
    r"(?=\s+[-+*/%?]|\s*(?:[<>=!)]|$)|\s+(?:and|or)\b)"
)
TOKEN = re.compile(
    rf"\s*(?:(?P<number>\d+(?:\.\d+)?)|'(?P<quoted>[^']*)'|(?P<sign><=|>=|==|!=|[-+*/<>()])"
    rf"|(?P<name>{ANY_TEXT}|[A-Za-z_$][\w.$]*)|(?P<other>\S))"
)


Value = Figure | float | NotCarriedError
"""A figure, a number, or why there is no figure."""


class Comparison(NamedTuple):
    """One comparison of a condition."""

    left: Value
    operator: str
    right: Value


Operand = Value | list[Comparison]


def statement_of(comparison: Comparison) -> str:
    """Return our statement for a comparison; raises NotCarriedError where there is none."""
    left, operator, right = comparison
    if isinstance(left, float):
        left, operator, right = right, MIRRORED[operator], left
    if not isinstance(right, float):
        left, right = _combined(left, "-", right), 0.0
    if isinstance(left, NotCarriedError):
        raise left
    if isinstance(left, float):
        raise NotCarriedError("it compares two numbers")
    return statement(left, operator, right)


def comparisons_of(expression: str, figure_of: Callable[[str], Figure]) -> list[Comparison]:
    """Return the comparisons that must all hold; *figure_of* raises NotCarriedError for some names.

    Raises NotCarriedError for an expression that cannot be read, or is more than comparisons that must hold.
    """
    walk = _Walk(expression, figure_of)
    found = walk.conjunction()
    if walk.tokens[walk.at][0] != "end" or not isinstance(found, list):
        raise NotCarriedError("it is no comparison, or something follows it")
    return found


class _Walk:
    """Walk the tokens of an expression once, one method per rule."""

    def __init__(self, expression: str, figure_of: Callable[[str], Figure]) -> None:
        self.figure_of = figure_of
        self.tokens = list[tuple[str, str]]()
        self.at = 0
        for match in TOKEN.finditer(expression):
            after = expression[match.end() :]
            joined = (
                match["name"] and not BUILT_IN.fullmatch(match["name"]) and re.match(r"[-/][A-Za-z_]", after)
            )
            if joined or match["other"]:
                raise NotCarriedError(
                    f"{(match['other'] or match[0].strip() + after[:2])!r} is not read, valid are metrics,"
                    " numbers, + - * /, comparisons, 'and' and brackets; a name with other signs is put in"
                    " single quotes"
                )
            self.tokens.append((str(match.lastgroup), match[match.lastgroup or 0]))
        self.tokens.append(("end", ""))

    def takes(self, *texts: str) -> str:
        """Return the next token where it is one of these signs or words, and go on; else nothing."""
        kind, text = self.tokens[self.at]
        if kind in {"sign", "name"} and text in texts:
            self.at += 1
            return text
        return ""

    def conjunction(self) -> Operand:
        found = self.inverted()
        while self.takes("and"):
            more = self.inverted()
            if not isinstance(found, list) or not isinstance(more, list):
                raise NotCarriedError("'and' stands between what are no comparisons")
            found = [*found, *more]
        if self.takes("or"):
            raise NotCarriedError("'or' between comparisons: each threshold must hold")
        return found

    def inverted(self) -> Operand:
        if not self.takes("not"):
            return self.comparison()
        found = self.inverted()
        if not isinstance(found, list) or len(found) != 1:
            raise NotCarriedError("'not' before anything but one comparison")
        return [found[0]._replace(operator=INVERSE[found[0].operator])]

    def comparison(self) -> Operand:
        left = self.sum()
        operator = self.takes("<", "<=", ">", ">=", "==", "!=")
        if not operator:
            return left
        right = self.sum()
        if isinstance(left, list) or isinstance(right, list):
            raise NotCarriedError("it compares comparisons")
        return [Comparison(left, operator, right)]

    def sum(self) -> Operand:
        found = self.product()
        while operator := self.takes("+", "-"):
            found = _combined(found, operator, self.product())
        return found

    def product(self) -> Operand:
        found = self.factor()
        while operator := self.takes("*", "/"):
            found = _combined(found, operator, self.factor())
        return found

    def factor(self) -> Operand:
        if self.takes("("):
            found = self.conjunction()
            if not self.takes(")"):
                raise NotCarriedError("a bracket is not closed")
            return found
        if self.takes("-"):
            return _combined(0.0, "-", self.factor())
        kind, text = self.tokens[self.at]
        self.at = min(self.at + 1, len(self.tokens) - 1)
        if kind == "number":
            return number(text)
        if kind in {"name", "quoted"}:
            if self.tokens[self.at] == ("sign", "("):
                raise NotCarriedError(f"there is no function {text!r} here")
            try:
                return self.figure_of(text)
            except NotCarriedError as reason:
                return reason  # others that stand beside it may well be carried
        raise NotCarriedError(
            f"{text!r} stands where a metric or a number is wanted" if text else "it ends too soon"
        )


def _combined(left: Operand, operator: str, right: Operand) -> Value:
    """Return the sum, difference, product or quotient of two figures or numbers."""
    if isinstance(left, list) or isinstance(right, list):
        raise NotCarriedError("it calculates with comparisons")
    if isinstance(left, NotCarriedError):
        return left
    if isinstance(right, NotCarriedError):
        return right
    if isinstance(left, float) and isinstance(right, float):
        if operator == "/" and right == 0:
            raise NotCarriedError("it divides by 0")
        return CALCULATE[operator](left, right)
    units = [side.unit for side in (left, right) if isinstance(side, Figure)]
    is_sum = operator in {"+", "-"}
    if len(units) == 2 and (units[0] != units[1] if is_sum else operator == "*" and all(units)):
        raise NotCarriedError(f"{units[0]!r} and {units[1]!r} are units that do not go together")
    unit = next(filter(None, units), "")
    if operator == "/" and isinstance(right, Figure):
        if right.unit and (not isinstance(left, Figure) or left.unit != right.unit):
            raise NotCarriedError(f"something is divided by a figure in {right.unit!r}")
        unit = left.unit if isinstance(left, Figure) and not right.unit else ""
    # A number that is added has the unit of what it is added to, a factor has none.
    sides = [
        side.operand if isinstance(side, Figure) else amount(side, unit if is_sum else "")
        for side in (left, right)
    ]
    is_count = is_sum and all(side.is_count for side in (left, right) if isinstance(side, Figure))
    return Figure(f"{sides[0]} {operator} {sides[1]}", unit, is_count, is_compound=True)
