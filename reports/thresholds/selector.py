"""Choose requests by name or by glob."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

ALL = "*"
ITERATIONS = "iteration:"


@dataclass(frozen=True)
class Selector:
    """Hold a request name or a glob, in which `*` is any text and `?` any one character.

    After `iteration:` it is that of an iteration, `UserClass.task_name`, and no request is meant. Brackets
    are ordinary: names like `/users/[id]` are common.
    """

    pattern: str = ALL

    @property
    def of_iterations(self) -> bool:
        """Tell whether iterations are meant, and no requests."""
        return self.pattern.startswith(ITERATIONS)

    @property
    def is_all(self) -> bool:
        """Tell whether every request is meant."""
        return self.pattern == ALL

    def choose(self, names: Sequence[str]) -> list[str]:
        """Return the names that are meant; a name equal to the pattern is meant alone."""
        pattern = self.pattern.removeprefix(ITERATIONS)
        if pattern in names:
            return [pattern]
        expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
        matcher = re.compile(expression, re.DOTALL)
        return [name for name in names if matcher.fullmatch(name)]
