"""The parts of the house meet only through HTTP, SQL and the run directory, and the library by its names."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

import plimsoll

ROOT = Path(__file__).resolve().parents[2]
HOUSE = {"locustfiles", "plimsoll", "reports", "shapes", "service"}
LOCUST = {"locust", "gevent", "geventhttpclient", "flask", "werkzeug"}
# folder -> what of the house and which third-party packages it may import
ALLOWED = {
    "locustfiles": {"plimsoll", "psutil", "psycopg"} | LOCUST,
    "shapes": {"plimsoll"},
    "plimsoll": {
        "brotli",
        "httptools",
        "numpy",
        "playwright",
        "psutil",
        "psycopg",
        "psycopg_pool",
        "pyarrow",
        "reports",
        "sqlglot",
        "websockets",
    }
    | LOCUST,
    "reports": {
        "plimsoll.redact",
        "plimsoll.run_files",
        "numpy",
        "pandas",
        "scipy",
        "jinja2",
        "markupsafe",
        "yaml",
        "pyarrow",
        "hdrh",
    },
    "service": {
        "fastapi",
        "starlette",
        "pydantic",
        "uvicorn",
        "psycopg",
        "psycopg_pool",
        "jwt",
        "psutil",
        "anyio",
        "ariadne",
        "aiodataloader",
        "graphql",
    },
}
PLAY_LOADS = {"arrival_dispatcher", "arrival_shape", "intended_starts", "scheduled_shape"}


def sources(folder: str) -> list[Path]:
    """Return the Python files below a folder of the house."""
    return sorted((ROOT / folder).rglob("*.py"))


def is_within(name: str, packages: set[str]) -> bool:
    """Tell whether a module is one of these packages or in one."""
    return any(name == package or name.startswith(f"{package}.") for package in packages)


@cache
def import_statements(path: Path) -> list[ast.Import | ast.ImportFrom]:
    """Return all import statements of a file, wherever in it."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]


def imports(path: Path) -> Iterator[str]:
    """Yield the full names of all modules that a file imports, wherever in it."""
    for node in import_statements(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        else:
            assert node.level == 0, f"{path}: imports are absolute here"
            yield node.module or ""


def test_every_folder_of_the_house_is_checked() -> None:
    """A new package at the top needs a rule of its own."""
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests"}

    assert packages == HOUSE == set(ALLOWED)


@pytest.mark.parametrize("folder", sorted(HOUSE))
def test_imports_stay_in_their_layer(folder: str) -> None:
    """Nothing is imported that design rules out: reports never Locust, service nothing of the suite."""
    allowed = ALLOWED[folder] | {folder} | set(sys.stdlib_module_names)
    foreign = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in sources(folder)
        for name in imports(path)
        if not is_within(name, allowed)
    }

    assert not foreign


ON_LOCUST = {
    "gevent",
    "locust",
    "plimsoll.context",
    "plimsoll.listening",
    "plimsoll.locust_internals",
    "plimsoll.run_files",
}


@pytest.mark.parametrize(
    ("package", "others"),
    [
        (
            "advice",
            {
                "plimsoll.branches",
                "plimsoll.redact",
                "plimsoll.run_files",
                "psycopg",
                "pyarrow",
                "sqlglot",
            },
        ),
        ("http1", {"brotli", "gevent", "httptools"}),
        (
            "users",
            ON_LOCUST
            | {"plimsoll.http1", "plimsoll.terminal", "playwright", "psutil", "psycopg", "psycopg_pool"}
            | {"plimsoll.branches", "websockets"},
        ),
        ("data", ON_LOCUST | {"plimsoll.redact", "plimsoll.terminal", "flask", "psycopg"}),
        ("loads", ON_LOCUST),
        (
            "recording",
            ON_LOCUST
            | {
                "plimsoll.branches",
                "plimsoll.loads",
                "plimsoll.redact",
                "plimsoll.terminal",
                "flask",
                "numpy",
                "psutil",
                "psycopg",
                "pyarrow",
                "werkzeug",
            },
        ),
        ("run_files", set()),
    ],
)
def test_parts_of_the_library(package: str, others: set[str]) -> None:
    """Users do not know loads, loads nothing of the recording, the HTTP client no Locust."""
    allowed = others | {f"plimsoll.{package}"} | set(sys.stdlib_module_names)
    foreign = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in sources(f"plimsoll/{package}")
        for name in imports(path)
        if not is_within(name, allowed)
    }

    assert not foreign


def test_only_the_command_line_joins_library_and_reports() -> None:
    """Of the library, no module but that of the command `plimsoll` knows the judge."""
    joining = {
        path.relative_to(ROOT).as_posix()
        for path in sources("plimsoll")
        if any(name.partition(".")[0] == "reports" for name in imports(path))
    }

    assert joining == {"plimsoll/command_line.py"}


def test_shapes_stand_on_the_loads_only() -> None:
    """A shape file holds its stages: it imports the base classes, and nothing of Locust or of the suite."""
    used = {name for path in sources("shapes") for name in imports(path) if name.startswith("plimsoll")}

    assert {name for name in used if not is_within(name, {"plimsoll.loads", "plimsoll.run_files"})} <= {
        "plimsoll"
    }


@pytest.mark.parametrize(
    ("what", "home"),
    [
        (" BAD_CONFIGURATION = ", "plimsoll/run_files/exit_status.py"),
        ('"run.json"', "plimsoll/run_files/files.py"),
        ('"schedule.csv"', "plimsoll/run_files/files.py"),
        ('"health.csv"', "plimsoll/run_files/files.py"),
        ('"intervals.arrow"', "plimsoll/run_files/files.py"),
        ('"verdict.json"', "plimsoll/run_files/files.py"),
        ('"advice.json"', "plimsoll/run_files/advice.py"),
        ('"transaction_busy"', "plimsoll/run_files/intervals.py"),
        ('"failed_buckets"', "plimsoll/run_files/intervals.py"),
        ("_handlers.insert(", "plimsoll/listening.py"),
        ("contain_listeners(", "plimsoll/recording/exits.py"),
    ],
)
def test_what_is_written_once(what: str, home: str) -> None:
    """The contract of the run directory, the order of listeners and what is contained have one home."""
    files = [path for folder in (*HOUSE, "benchmarks", "measured") for path in sources(folder)]
    homes = [str(path.relative_to(ROOT)) for path in files if what in path.read_text(encoding="utf-8")]

    assert homes == [home]


def test_what_reports_import_of_the_library_needs_python_only() -> None:
    """The judge imports the contract and the masking of secrets without Locust, which patches the process."""
    redact = ROOT / "plimsoll" / "redact.py"
    needed = {name for path in [redact, *sources("plimsoll/run_files")] for name in imports(path)}
    allowed = {"plimsoll.redact", "plimsoll.run_files"} | set(sys.stdlib_module_names)

    assert {name for name in needed if not is_within(name, allowed)} == set()


def test_schedules_do_not_know_locust() -> None:
    """Only what plays a load imports Locust; a schedule, a search and the pool of idle users are pure."""
    importing = {
        path.stem
        for path in sources("plimsoll/loads")
        if any(name.partition(".")[0] in LOCUST for name in imports(path))
    }

    assert importing == PLAY_LOADS


def test_journeys_stand_on_the_public_names_only() -> None:
    """A journey imports what any locustfile may: names of `plimsoll`, none of a module below it."""
    used = {name for path in sources("locustfiles") for name in imports(path)}

    assert {name for name in used if name.startswith("plimsoll")} == {"plimsoll"}


def test_no_import_cycles() -> None:
    """No module of the house imports itself, by whatever way round."""
    modules = {module_name(path): path for folder in HOUSE for path in sources(folder)}
    graph = {
        name: {other for other in edges(path, modules) if other != name} for name, path in modules.items()
    }
    while leaves := {name for name, needs in graph.items() if not needs}:
        graph = {name: needs - leaves for name, needs in graph.items() if name not in leaves}

    assert not graph


def module_name(path: Path) -> str:
    """Return the dotted name of a module of the house."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def edges(path: Path, modules: dict[str, Path]) -> Iterator[str]:
    """Yield the modules of the house that a file imports when it is loaded."""
    for node in import_statements(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules)
        elif node.module:
            members = {f"{node.module}.{alias.name}" for alias in node.names} & modules.keys()
            yield from members or {node.module} & modules.keys()


MODULE = ROOT / "plimsoll" / "__init__.py"


def test_public_names_are_complete_and_sorted() -> None:
    """`__all__` holds each name that a type checker is shown, once, in order, and `dir` lists them."""
    tree = ast.parse(MODULE.read_text(encoding="utf-8"))
    checked = next(node for node in tree.body if isinstance(node, ast.If))
    shown = {
        str(alias.asname): node.module
        for node in ast.walk(checked)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }

    assert plimsoll.__all__ == sorted(shown)
    assert shown == plimsoll._EXPORTS
    assert set(plimsoll.__all__) <= set(dir(plimsoll))


@pytest.mark.parametrize("name", plimsoll.__all__)
def test_each_public_name_is_that_of_its_module(name: str) -> None:
    """Each name imports, and is what its module has by that name."""
    assert getattr(plimsoll, name) is getattr(import_module(plimsoll._EXPORTS[name]), name)


def test_other_names_are_refused() -> None:
    """A misspelt name is an ordinary AttributeError."""
    with pytest.raises(AttributeError, match="module 'plimsoll' has no attribute 'ApiUsr'"):
        _ = plimsoll.ApiUsr  # type: ignore[attr-defined]  # that is the point


def test_importing_the_library_does_not_import_locust() -> None:
    """Locust, which patches the process, is not imported before one of its names is; stages need none."""
    code = "import plimsoll, sys; plimsoll.Stage, plimsoll.RateStage; print(list(sys.modules))"
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )

    assert not {"locust", "gevent"} & set(ast.literal_eval(process.stdout))
