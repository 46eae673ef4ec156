"""The suite as pip installs it: in an environment without a clone, used in a folder with names like ours."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest

from plimsoll.run_files.exit_status import VERDICTS, ExitStatus
from tests.http_service import Shop
from tests.processes import ROOT, user_environment

TIMEOUT_S = 120
PLAIN_LOCUSTFILE = """
from locust import HttpUser, constant, task

class Visitor(HttpUser):
    wait_time = constant(0.05)

    @task
    def home(self):
        self.client.get("/home", name="shop.home")
"""
FOREIGN = "raise ImportError('this package is not ours')\n"


def output_of(*command: str | Path, folder: Path) -> str:
    """Run a command that must succeed; return what it printed."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=user_environment(),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def source_files() -> list[str]:
    """Return the paths of all files of the repository."""
    listed = output_of("git", "ls-files", "--cached", "--others", "--exclude-standard", folder=ROOT)
    return [path for path in listed.splitlines() if (ROOT / path).is_file()]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from the files of the repository and nothing that lies beside them."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("built")
    for path in source_files():
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        (source / path).write_bytes((ROOT / path).read_bytes())
    build = ("wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", built, source)
    output_of(sys.executable, "-m", "pip", *build, folder=built)
    (wheel,) = built.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def programs(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel into an environment that has our dependencies; return the folder of its programs."""
    environment = tmp_path_factory.mktemp("environment")
    venv.create(environment, symlinks=True)
    paths = sysconfig.get_paths(vars={"base": str(environment), "platbase": str(environment)})
    # A folder that a .pth file names is searched, but its own .pth files, as that of a clone, are not read.
    ours = {sysconfig.get_path(name) for name in ("purelib", "platlib")}
    Path(paths["purelib"], "dependencies.pth").write_text("\n".join(ours), encoding="utf-8")
    programs = Path(paths["scripts"])
    install = ("install", "--no-deps", "--no-index", "--no-compile", wheel)
    output_of(sys.executable, "-m", "pip", "--python", programs / "python", *install, folder=environment)
    return programs


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make the folder of a team that has a package of its own named as one of ours is."""
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "__init__.py").write_text(FOREIGN, encoding="utf-8")
    (tmp_path / "shop.py").write_text(PLAIN_LOCUSTFILE, encoding="utf-8")
    (tmp_path / "shop.yaml").write_text("thresholds: [p95 of shop.home < 2 s]\n", encoding="utf-8")
    return tmp_path


def test_the_wheel_has_every_file_of_its_packages(wheel: Path) -> None:
    """What the repository has of the library and the judge is installed, code and templates, and no more."""
    tracked = {path for path in source_files() if path.partition("/")[0] in {"plimsoll", "reports"}}
    with ZipFile(wheel) as archive:
        installed = {path for path in archive.namelist() if ".dist-info/" not in path}

    assert "plimsoll/recording/verdict_strip.html" in tracked
    assert installed == tracked


def test_a_run_beside_a_package_of_the_same_name(programs: Path, folder: Path, service: Shop) -> None:
    """In a folder with a `reports` of its own, `plimsoll run` records and judges a plain locustfile."""
    options = ("--headless", "-u", "2", "-r", "2", "-t", "6", "-H", service.url)
    own_options = ("--thresholds", "shop.yaml", "--run-dir", "run")
    played = subprocess.run(
        (programs / "plimsoll", "run", "-f", "shop.py", *options, *own_options),
        cwd=folder,
        env=user_environment(),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )

    assert played.returncode in VERDICTS, played.stdout + played.stderr
    verdict = json.loads((folder / "run" / "verdict.json").read_text(encoding="utf-8"))
    assert verdict["run"]["requests"] > 0
    assert (folder / "run" / "report.html").exists()

    (folder / "run" / "report.html").unlink()
    again = subprocess.run(
        [programs / "plimsoll", "judge", "run"],
        cwd=folder,
        env=user_environment({"PYTHONPATH": "."}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert again.returncode == played.returncode, again.stderr
    assert again.stdout.endswith("report: run/report.html\n")
    assert (folder / "run" / "report.html").exists()


def test_the_package_has_no_bundled_service(programs: Path, folder: Path) -> None:
    """Where only the package is installed, --with-service is refused before the load, and said why."""
    refused = subprocess.run(
        (programs / "plimsoll", "run", "-f", "shop.py", "--headless", "--with-service"),
        cwd=folder,
        env=user_environment(),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )

    assert refused.returncode == ExitStatus.BAD_CONFIGURATION
    assert "--with-service needs a clone of Plimsoll" in refused.stderr


def test_usage_names_the_program(programs: Path, folder: Path) -> None:
    """A user is told to type what was typed: every command, and Locust's options beside our own for `run`."""
    usage = output_of(programs / "plimsoll", "--help", folder=folder)
    options = output_of(programs / "plimsoll", "run", "--help", folder=folder)

    assert usage.startswith("usage: plimsoll ")
    assert "run Locust" in usage
    assert "--headless" in options
    assert "--thresholds" in options
