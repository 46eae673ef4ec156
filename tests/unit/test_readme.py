"""README and docs know every option, metric, check, setting and message; their examples and links work."""

from locust import argument_parser

import ast
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import get_args

import pytest
import yaml

import plimsoll
from docs.tables import PAGE, current
from plimsoll.data.feeder import Strategy
from plimsoll.run_files.exit_status import ExitStatus
from plimsoll.users.http import LeanHttpUser
from plimsoll.users.measuring import Measuring
from reports.cli import _parser
from reports.thresholds.entries import KEYS, LEVELS
from reports.thresholds.known import Known
from reports.thresholds.limits import EQUALITY, OPERATORS
from reports.thresholds.metrics import DURATION_UNITS, KINDS, SERIES
from reports.thresholds.reading import parse_thresholds
from reports.thresholds.selectors import PREFIXES
from service.app import create_app

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]
OTHERS = [ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md", ROOT / "benchmarks" / "README.md"]
TEXT = {page: page.read_text(encoding="utf-8") for page in PAGES + OTHERS}
ALL = "\n".join(TEXT[page] for page in PAGES)
MAX_README_LINES, MAX_README_BYTES, MAX_LINE = 150, 9 * 1024, 140
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
# Of Python, Docker, Locust and CI, which other documents tell of.
FOREIGN_VARIABLES = {"CI", "DATABASE_URL", "NO_COLOR", "PATH", "PYTHONPATH"}


def documented(word: str, text: str = ALL) -> bool:
    """Tell whether a text has a word as code, by itself or at the beginning of some."""
    return re.search(rf"`{re.escape(word)}(?![\w-])", text) is not None


@cache
def sources(*folders: str) -> list[ast.Module]:
    """Return the parsed Python files below folders of the repository."""
    files = (path for folder in folders for path in sorted((ROOT / folder).rglob("*.py")))
    return [ast.parse(path.read_text(encoding="utf-8")) for path in files]


def calls(name: str, *folders: str) -> Iterator[ast.Call]:
    """Yield every call of a function or method of this name."""
    for node in (node for module in sources(*folders) for node in ast.walk(module)):
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
            if called == name:
                yield node


def texts(nodes: list[ast.expr]) -> Iterator[str]:
    """Yield the values of those that are constant texts."""
    yield from (
        node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def blocks(language: str) -> list[tuple[str, str]]:
    """Return the pages' code in a language, each with where it is."""
    return [
        (f"{page.name}:{text.count(chr(10), 0, found.start()) + 1}", found[2])
        for page, text in TEXT.items()
        for found in FENCE.finditer(text)
        if found[1] == language
    ]


def anchors(text: str) -> set[str]:
    """Return the anchors of the headings of a page, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_options() -> None:
    """Every option that is added to Locust's own has a row with its variable."""
    options = {
        option: str(keyword.value.value)
        for call in calls("add_argument", "plimsoll")
        for option in texts(call.args)
        for keyword in call.keywords
        if keyword.arg == "env_var" and isinstance(keyword.value, ast.Constant)
    }

    assert {"--run-dir", "--thresholds", "--user-scale"} <= options.keys()
    for option, variable in options.items():
        assert f"| `{option}` | `{variable}` |" in ALL


def test_environment_variables() -> None:
    """Every variable that the code or Docker Compose reads is documented."""
    compose = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    read = set(re.findall(r"\$\{(\w+)", compose))
    for folder in ("plimsoll", "reports", "service", "locustfiles"):
        for path in (ROOT / folder).rglob("*.py"):
            code = path.read_text(encoding="utf-8")
            read |= set(re.findall(r'environ(?:ment)?(?:\.get\(|\[)"([A-Z_]+)"', code))
            read |= set(re.findall(r'^\w*VARIABLE = "([A-Z_]+)"', code, re.MULTILINE))

    assert {"HOST", "DATABASE_URL"} <= read
    assert {name for name in read - FOREIGN_VARIABLES if not documented(name)} == set()


def test_commands() -> None:
    """Every command of `plimsoll`, with its options, is documented."""
    (commands,) = (action for action in _parser()._actions if isinstance(action.choices, dict))

    assert isinstance(commands.choices, dict)
    for name, parser in commands.choices.items():
        assert f"| `plimsoll {name} " in TEXT[ROOT / "docs" / "verdicts.md"]
        for action in parser._actions:
            for option in action.option_strings:
                assert option in {"-h", "--help"} or documented(option) or f" {option}" in ALL, (
                    f"{name} {option}"
                )


def test_threshold_words() -> None:
    """Every metric, unit, operator, prefix, key and level of the threshold language is documented."""
    page = TEXT[ROOT / "docs" / "thresholds.md"]
    units = {unit for kind in KINDS.values() for unit in kind.factors} | DURATION_UNITS.keys()
    for word in {*KINDS, *SERIES, *OPERATORS, *EQUALITY, *KEYS, *LEVELS, *units} - {"", "µs"}:
        assert documented(word, page), word
    for prefix in PREFIXES:
        assert f"`{prefix}" in page


def test_checks() -> None:
    """Every check has a row that says what to do."""
    rows = re.findall(
        r"^\| `(\w+)` \| [^|]+ \| [^|]+ \| [^|]+ \|$", TEXT[ROOT / "docs" / "verdicts.md"], re.MULTILINE
    )

    assert len(checks()) > 25
    assert set(rows) == checks()


def checks() -> set[str]:
    """Return the names of all checks in the code of the judge."""
    return {
        name
        for function in ("Check", "of", "_worst")
        for call in calls(function, "reports")
        for name in texts(call.args[:1])
    }


def test_exit_statuses() -> None:
    """Every exit status is in the README and in the docs."""
    meanings = {"CRASH": "crash", "BAD_CONFIGURATION": "wrong configuration"}
    for status in ExitStatus:
        row = f"| {status.value} | {meanings.get(status.name, status.name)}"
        assert row in TEXT[README]
        assert row in TEXT[ROOT / "docs" / "getting-started.md"]


def test_make_targets() -> None:
    """Every make target explains itself; those that a user or a contributor wants are documented."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):(?!=)", makefile, re.MULTILINE))
    explained = set(re.findall(r"^([a-z-]+):.*##", makefile, re.MULTILINE))
    told = "\n".join(TEXT.values())

    assert {"run", "test", "help"} <= explained
    assert {target for target in explained if f"make {target}" not in told} == set()
    assert (
        set(
            re.findall(r"`?make ([a-z-]+)", "\n".join(re.findall(r"`make [a-z-]+|^make [a-z-]+", told, re.M)))
        )
        <= targets
    )


def test_client_settings() -> None:
    """Every setting of the HTTP client is documented with its default."""
    types = inspect.get_annotations(LeanHttpUser)
    settings = {name for name, kind in types.items() if "ClassVar" not in str(kind)}

    assert {"connection_timeout", "concurrency"} <= settings
    for name in settings:
        default = {None: "none"}.get(getattr(LeanHttpUser, name), getattr(LeanHttpUser, name))
        default = f"`{default}`" if isinstance(default, bool) else default
        assert f"| `{name}` | {default} |" in ALL


def test_measures_and_strategies() -> None:
    """Every measure of a journey and every strategy of a feeder is documented."""
    for name, member in vars(Measuring).items():
        if inspect.isfunction(member):
            assert f"`{name}(" in ALL
    for strategy in get_args(Strategy):
        assert documented(strategy)


def test_layering() -> None:
    """Every public name of the library is documented."""
    assert {name for name in plimsoll.__all__ if not re.search(rf"\b{name}\b", ALL)} == set()


def test_messages_between_master_and_workers() -> None:
    """Every message, report key and hidden option of the worker protocol is in the table of it."""
    sent = {
        name
        for module in sources("plimsoll")
        for node in ast.walk(module)
        if isinstance(node, ast.Assign)
        for name in texts([node.value])
        if re.fullmatch(r"plimsoll_\w+", name)
    }

    assert len(sent) > 8
    for name in sent:
        assert f"`{name}`" in TEXT[ROOT / "docs" / "architecture.md"]


def test_service_settings() -> None:
    """Every option and every variable of the bundled service is documented."""
    code = (ROOT / "service" / "settings.py").read_text(encoding="utf-8")
    settings = set(re.findall(r'"(--[a-z-]+|[A-Z]+_[A-Z_]+)"', code))

    assert len(settings) >= 5
    assert {name for name in settings if not documented(name)} == set()


def test_service_routes() -> None:
    """The routes of the bundled service that the docs name are there."""
    paths = create_app("", "s" * 32, "0").openapi()["paths"]
    told = re.findall(r"`(GET|PUT|POST|DELETE) (/[^ `]+)`", TEXT[PAGE])

    assert len(told) >= 8
    for method, path in told:
        assert method.lower() in paths[path], path


def test_generated_tables_are_current() -> None:
    """The tables of journeys, shapes and profiles are those of the code: `python -m docs.tables`."""
    assert current(TEXT[PAGE]) == TEXT[PAGE]


def test_readme_is_short() -> None:
    """The README is read in a few minutes."""
    assert len(TEXT[README].splitlines()) <= MAX_README_LINES
    assert len(TEXT[README].encode()) <= MAX_README_BYTES


@pytest.mark.parametrize("page", TEXT, ids=lambda page: page.name)
def test_lines_of_text_are_short(page: Path) -> None:
    """Outside of tables no line is longer than 140 characters."""
    lines = TEXT[page].splitlines()
    assert [line for line in lines if len(line) > MAX_LINE and not line.startswith("|")] == []


@pytest.mark.parametrize("page", TEXT, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Every link to a file or a heading of the repository leads there."""
    broken = []
    for link in LINK.findall(FENCE.sub("", TEXT[page])):
        if re.match(r"https?:", link):
            continue
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        if not target.exists() or (anchor and anchor not in anchors(target.read_text(encoding="utf-8"))):
            broken.append(link)
    assert broken == []


def test_files_that_are_named_exist() -> None:
    """The docs name no file of the repository that is not there."""
    folders = "locustfiles|shapes|profiles|reports|plimsoll|service|benchmarks|measured|tests"
    named = set(re.findall(rf"`((?:{folders})/[\w./-]+)`", "\n".join(TEXT.values())))
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


def test_python_examples_run() -> None:
    """Every example in Python can be imported, or run where there is a run to read."""
    examples = blocks("python")
    assert len(examples) > 15
    code = (
        f"for where, text in {examples!r}:\n    exec(compile(text, where, 'exec'), {{'__name__': where}})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT / "tests" / "data" / "golden" / "workers",
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize(("where", "text"), blocks("yaml"))
def test_yaml_examples_are_valid(where: str, text: str) -> None:
    """Every example in YAML can be read; thresholds among them are valid."""
    content = yaml.safe_load(text)
    assert content, where
    if "thresholds" in content:
        assert parse_thresholds(text)


@pytest.mark.parametrize("page", [README, ROOT / "docs" / "getting-started.md"], ids=lambda page: page.name)
def test_the_first_test_fits_its_thresholds(page: Path) -> None:
    """The thresholds of a page's first example are about requests that its journey declares."""
    code = next(found[2] for found in FENCE.finditer(TEXT[page]) if found[1] == "python")
    limits = next(found[2] for found in FENCE.finditer(TEXT[page]) if found[1] == "yaml")
    (declared,) = re.findall(r"request_names = (\{.+?\})", code)

    assert parse_thresholds(limits, Known(sorted(ast.literal_eval(declared))))


def test_locust_options_are_locusts() -> None:
    """The config file of the example holds options that there are."""
    (text,) = (text for where, text in blocks("ini") if where.startswith("getting-started"))
    known = argument_parser.default_args_dict().keys() | {"thresholds"}
    keys = {line.partition(" = ")[0].replace("-", "_") for line in text.splitlines()}
    renamed = {"users": "num_users"}
    assert {key for key in keys if renamed.get(key, key) not in known} == set()
