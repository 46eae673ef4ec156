"""Write the tables of docs/service.md from journeys, shapes and profiles: `python -m docs.tables`."""

from __future__ import annotations

import argparse
import ast
import re
from collections.abc import Iterator
from pathlib import Path

from plimsoll.loads.plot import summary
from shapes.__main__ import find_shapes

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "service.md"
TABLE = re.compile(r"(<!-- table: (\w+) -->\n\n).*?<!-- end -->", re.DOTALL)


def locustfiles() -> list[Path]:
    """Return the locustfiles, those of the service before those of a database."""
    return [
        *sorted(ROOT.glob("locustfiles/[a-z]*.py")),
        *sorted(ROOT.glob("locustfiles/database/[a-z]*.py")),
    ]


def journeys() -> Iterator[tuple[str, ...]]:
    """Yield each user class that can be picked: its file, its name, and what it does."""
    yield "file", "user class", "does", "how often"
    for path in locustfiles():
        module = ast.parse(path.read_text("utf-8"))
        for node in module.body:
            if isinstance(node, ast.ClassDef) and node.name.endswith("User"):
                yield f"`{path.relative_to(ROOT)}`", f"`{node.name}`", _first_line(module), _first_line(node)


def shapes() -> Iterator[tuple[str, ...]]:
    """Yield each shape: its file, its name, its load in words and in numbers."""
    yield "file", "class", "load", "in all"
    for name, shape in find_shapes().items():
        kind = type(shape)
        yield f"`shapes/{name}.py`", f"`{kind.__name__}`", str(kind.__doc__), summary(shape.schedule)


def profiles() -> Iterator[tuple[str, ...]]:
    """Yield each profile: its file, what it is, its journeys, and its load."""
    yield "profile", "is", "journeys", "load"
    for path in sorted(ROOT.glob("profiles/*.conf")):
        text = path.read_text("utf-8")
        setting = dict(re.findall(r"^([a-z-]+) = (.+)$", text, re.MULTILINE))
        files = [Path(name) for name in setting["locustfile"].split(",")]
        shape = next((f"shape `{name.stem}`" for name in files if name.parent.name == "shapes"), None)
        load = shape or f"{setting['users']} users for {setting['run-time']}"
        played = ", ".join(f"`{_named(name)}`" for name in files if name.parts[0] == "locustfiles")
        yield f"`profiles/{path.name}`", text.splitlines()[0].removeprefix("# "), played, load


TABLES = {"journeys": journeys, "shapes": shapes, "profiles": profiles}


def current(page: str) -> str:
    """Return a page with its tables as the code has them now."""
    return TABLE.sub(
        lambda found: f"{found[1]}{chr(10).join(_lines(TABLES[found[2]]()))}\n\n<!-- end -->", page
    )


def _lines(rows: Iterator[tuple[str, ...]]) -> Iterator[str]:
    head = next(rows)
    yield f"| {' | '.join(head)} |"
    yield "|---" * len(head) + "|"
    for row in rows:
        yield f"| {' | '.join(cell.removesuffix('.') for cell in row)} |"


def _named(path: Path) -> str:
    return str(path.relative_to("locustfiles").with_suffix(""))


def _first_line(node: ast.Module | ast.ClassDef) -> str:
    return (ast.get_docstring(node) or "").splitlines()[0]


if __name__ == "__main__":
    argparse.ArgumentParser(prog="python -m docs.tables", description=__doc__).parse_args()
    PAGE.write_text(current(PAGE.read_text("utf-8")), "utf-8")
