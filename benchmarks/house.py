"""Count what the code is made of: `python -m benchmarks.house` prints a row for each folder and for all.

A private function is "used once" where its name occurs exactly twice in its file: at its definition and at
one call. Depth is the number of modules on the longest chain of imports, a cycle counted as one module.
"""

import argparse
import ast
import re
import statistics
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

COLUMNS = (
    "folder",
    "modules",
    "lines",
    "module median / max",
    "modules per 1k lines",
    "functions",
    "function median / p90 / max",
    "private, used once",
    "one importer",
    "depth",
    "cycles",
)
EVERYTHING = "all code"
TESTS = "tests"


class Module(NamedTuple):
    """A module: its dotted name, its text, and its syntax tree."""

    name: str
    text: str
    tree: ast.Module

    @property
    def lines(self) -> int:
        """Return the number of its lines."""
        return self.text.count("\n")

    @property
    def functions(self) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
        """Return all functions and methods, nested ones too."""
        return [n for n in ast.walk(self.tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]

    @property
    def private_used_once(self) -> int:
        """Return how many functions with one leading underscore are named at one place besides their own."""
        words = Counter(re.findall(r"\w+", self.text))
        private = (f.name for f in self.functions if f.name.startswith("_") and not f.name.startswith("__"))
        return sum(words[name] == 2 for name in private)


def modules_of(root: Path) -> dict[str, Module]:
    """Return the Python modules that git tracks below *root*, by name."""
    command = ["git", "ls-files", "*.py"]
    tracked = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)  # noqa: S603 - fixed
    found = {}
    for path in map(Path, tracked.stdout.split()):
        name = ".".join(path.with_suffix("").parts).removesuffix(".__init__")
        text = (root / path).read_text(encoding="utf-8")
        found[name] = Module(name, text, ast.parse(text))
    return found


def imports_of(module: Module, names: Iterable[str]) -> set[str]:
    """Return the modules of *names* that a module imports, anywhere in its text, without its packages."""
    known = set(names)
    found = set()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            parts = {f"{node.module}.{alias.name}" for alias in node.names} & known
            found |= parts or {node.module}
    return {name for name in found & known if name != module.name}


def components(graph: Mapping[str, set[str]]) -> list[set[str]]:
    """Return the strongly connected components of a graph, each after those it leads to (Tarjan 1972)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[set[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for neighbour in graph[node]:
            if neighbour not in index:
                visit(neighbour)
                low[node] = min(low[node], low[neighbour])
            elif neighbour in stack:
                low[node] = min(low[node], index[neighbour])
        if low[node] == index[node]:
            at = stack.index(node)
            found.append(set(stack[at:]))
            del stack[at:]

    for node in graph:
        if node not in index:
            visit(node)
    return found


def depth_and_cycles(graph: Mapping[str, set[str]]) -> tuple[int, int]:
    """Return the length of the longest chain of imports, in modules, and the number of cycles."""
    depth_of: dict[str, int] = {}
    cycles = 0
    for component in components(graph):
        cycles += len(component) > 1
        below = {neighbour for node in component for neighbour in graph[node]} - component
        depth = 1 + max((depth_of[node] for node in below), default=0)
        depth_of |= dict.fromkeys(component, depth)
    return max(depth_of.values(), default=0), cycles


def row(folder: str, modules: Mapping[str, Module], graph: Mapping[str, set[str]]) -> tuple[str, ...]:
    """Return the counts of a folder's modules as texts, in the order of COLUMNS."""
    chosen = {
        name: module
        for name, module in modules.items()
        if folder == EVERYTHING or name == folder or name.startswith(f"{folder}.")
    }
    inner = {name: graph[name] & chosen.keys() for name in chosen}
    importers = Counter(target for targets in graph.values() for target in targets)
    lines = [module.lines for module in chosen.values()]
    functions = [f for module in chosen.values() for f in module.functions]
    lengths = sorted((f.end_lineno or f.lineno) - f.lineno + 1 for f in functions)
    once = sum(module.private_used_once for module in chosen.values())
    single = sum(importers[name] == 1 for name in chosen)
    depth, cycles = depth_and_cycles(inner)
    p90 = lengths[int(0.9 * (len(lengths) - 1))] if lengths else 0
    return (
        folder,
        str(len(chosen)),
        f"{sum(lines):,}",
        f"{statistics.median(lines):.0f} / {max(lines)}",
        f"{1000 * len(chosen) / sum(lines):.1f}",
        str(len(functions)),
        f"{statistics.median(lengths or [0]):.0f} / {p90} / {max(lengths, default=0)}",
        f"{once} ({once / max(1, len(functions)):.0%})",
        f"{single} ({single / len(chosen):.0%})",
        str(depth),
        str(cycles),
    )


def main() -> None:
    """Print the table of the repository that the current folder belongs to."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.house", description=__doc__)
    parser.add_argument("folders", nargs="*", help="folders to count; all at the top by default")
    options = parser.parse_args()
    modules = modules_of(Path.cwd())
    code = {name: module for name, module in modules.items() if name.split(".")[0] not in {TESTS, "conftest"}}
    graph = {name: imports_of(module, modules) for name, module in modules.items()}
    in_code = {name: graph[name] & code.keys() for name in code}
    folders = options.folders or sorted({name.split(".")[0] for name in code})
    rows = [row(folder.replace("/", "."), code, in_code) for folder in (*folders, EVERYTHING)]
    rows.append(row(TESTS, modules, graph))
    table = [COLUMNS, tuple("---" for _ in COLUMNS), *rows]
    sys.stdout.write("".join(f"| {' | '.join(cells)} |\n" for cells in table))


if __name__ == "__main__":
    main()
