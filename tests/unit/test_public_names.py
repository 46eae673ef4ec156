"""What `from plimsoll import …` offers, and that it costs nothing before it is asked for."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module

import pytest

import plimsoll
from tests.processes import ROOT

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
