"""Hand a run, its thresholds or its steps to `python -m reports`, a process that gevent never touches."""

from __future__ import annotations

import gevent

import json
import logging
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from plimsoll.recording.declared_names import KnownNames
from plimsoll.redact import has_secret
from plimsoll.run_files.exit_status import VERDICTS, ExitStatus, Outcome
from plimsoll.run_files.files import threshold_files

SUITE_FOLDER = Path(__file__).resolve().parents[2]
# The folder is searched for our packages alone: site-packages must not come before the standard library.
_RUN_PACKAGE = """\
import importlib, runpy, sys
folder, package = sys.argv.pop(1), sys.argv.pop(1)
sys.path.insert(0, folder)
importlib.import_module(package)
importlib.import_module("plimsoll")
sys.path.remove(folder)
runpy.run_module(package, run_name="__main__", alter_sys=True)
"""

logger = logging.getLogger("plimsoll")


class ThresholdsCheck(NamedTuple):
    """The faults of a thresholds file; where it has none, the latency limits in it, ascending.

    Of a planned load, *notes* say which thresholds its samples cannot decide, *table* what each will have.
    *can_abort* says whether one of them ends the load when it is broken.
    """

    faults: list[str]
    limits_ms: Sequence[float] = ()
    notes: Sequence[str] = ()
    table: str = ""
    can_abort: bool = False


def check_thresholds(
    thresholds: str,
    known: KnownNames,
    planned: Mapping[str, object] | None = None,
    *,
    quoting: bool = True,
) -> ThresholdsCheck:
    """Return what is wrong with the files of --thresholds, or what they say, and what a planned load decides.

    Without *quoting*, nothing of a file is in the faults but what reads as a threshold.
    """
    of_option = {
        "--name": known.requests or (),
        "--metric": known.metrics,
        "--user": known.users,
        "--tag": known.tags,
        "--transaction": known.transactions,
        "--iteration": known.iterations,
        "--stage": known.stages or (),
    }
    names = [f"{option}={name}" for option, names in of_option.items() for name in names]
    how = [] if quoting else ["--unquoted"]
    how += ["--no-stages"] if known.stages == [] else []
    try:
        with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as plan:
            if planned is not None:
                json.dump(planned, plan)
                plan.flush()
                how.append(f"--planned={plan.name}")
            checked = run_reports(["check", f"--thresholds={thresholds}", *how, *names])
    except (OSError, ValueError) as error:  # ValueError: there is a NUL in it
        return ThresholdsCheck([f"{thresholds!r} cannot be checked: {error}"])
    if checked.returncode == ExitStatus.PASS:
        found = json.loads(checked.stdout)
        notes, table = found.get("notes", ()), found.get("table", "")
        return ThresholdsCheck([], found["limits_ms"], notes, table, found.get("can_abort", False))
    # Any other status is a crash, whose traceback may quote the file.
    if checked.stderr and (quoting or checked.returncode == ExitStatus.BAD_CONFIGURATION):
        faults = checked.stderr
    else:
        faults = f"the check of {thresholds!r} ended with status {checked.returncode}"
    return ThresholdsCheck(faults.strip().splitlines())


def copy_thresholds(thresholds: str, copy: Path) -> None:
    """Copy the checked files of --thresholds, so that they can be judged by later, on any machine.

    Of several files, or one with secrets or variables of the environment, only the thresholds are copied,
    with secrets masked and values in the place of variables.

    Raises:
        OSError: one cannot be read any more, or the copy not be written.
    """
    texts = [path.read_text("utf-8", errors="replace") for path in threshold_files([thresholds])]
    if len(texts) == 1 and "${" not in texts[0] and not has_secret(texts[0]):
        shutil.copyfile(threshold_files([thresholds])[0], copy)
        return
    checked = run_reports(["check", "--masked", f"--thresholds={thresholds}"])
    if checked.returncode != ExitStatus.PASS:
        raise OSError(checked.stderr.strip())
    copy.write_text(checked.stdout, "utf-8")


class Judgement(NamedTuple):
    """What the judge said: its exit status and its text for the terminal."""

    exit_status: int
    text: str

    @property
    def word(self) -> str:
        """The verdict, or what became of it, for people."""
        if self.has_report:
            return ExitStatus(self.exit_status).name
        return "not judged" if self.exit_status == ExitStatus.BAD_CONFIGURATION else "the judge crashed"

    @property
    def has_report(self) -> bool:
        """Whether there is a report to look at."""
        return self.exit_status in VERDICTS


class Judging:
    """The judge at work on a run directory; verdict.json and the report are in it afterwards."""

    def __init__(self, run_directory: Path) -> None:
        self.run_directory = run_directory
        # In a session of its own: Ctrl-C in a terminal is sent to all processes of this one.
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            suite_command("reports", "judge", str(run_directory.resolve())),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def wait(self) -> Judgement:
        """Return the judgement once it is reached."""
        output, errors = self._process.communicate()
        status, text = self._process.returncode, output + errors
        # Of a load that was made: its directory or its limits are damaged.
        if status == ExitStatus.BAD_CONFIGURATION:
            return Judgement(ExitStatus.INCONCLUSIVE, text)
        if status in VERDICTS:
            return Judgement(status, text)
        again = how_to_judge(self.run_directory)
        fault = f"plimsoll: the judge ended with status {status}; again: {again}\n"
        return Judgement(ExitStatus.CRASH, text + fault)

    def kill(self) -> None:
        """End the judge without a verdict."""
        self._process.kill()


class StepJudge:
    """Returns the verdict on a step of a search as soon as it is reached, by the code that judges runs.

    What happened in the step must first be in the files, which takes *recorded_after_s*.
    """

    def __init__(self, run_directory: Path, recorded_after_s: float) -> None:
        self._run_directory, self._recorded_after_s = run_directory, recorded_after_s
        self._verdicts: dict[str, gevent.Greenlet] = {}

    def __call__(self, step: str) -> Outcome | None:
        """Return the verdict on a step, None while it is not reached."""
        if step not in self._verdicts:
            self._verdicts[step] = gevent.spawn(self._judge, step)
        verdict: Outcome | None = self._verdicts[step].value
        return verdict

    def _judge(self, step: str) -> Outcome:
        gevent.sleep(self._recorded_after_s)
        verdicts: dict[str, str] = {}
        judged = run_reports(["steps", str(self._run_directory.resolve())])
        if judged.returncode == ExitStatus.PASS:
            verdicts = json.loads(judged.stdout)
        else:
            logger.error("the steps cannot be judged: %s", judged.stderr.strip() or judged.returncode)
        verdict = Outcome(verdicts.get(step, Outcome.INCONCLUSIVE))
        logger.info("%s: %s", step, verdict)
        return verdict


def run_reports(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a command of `python -m reports` to its end."""
    command = suite_command("reports", *arguments)
    return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own module


def how_to_judge(run_directory: Path) -> str:
    """Return the command by which a user judges a run again, from the working directory."""
    return f"{suite_program()} judge {shlex.quote(str(run_directory))}"


def suite_program() -> str:
    """Return how a user starts the command line from the working directory."""
    try:
        # Elsewhere, Python would find a folder `reports` of the user's own.
        return "python -m reports" if SUITE_FOLDER.samefile(".") else "plimsoll"
    except OSError:  # the working directory is gone
        return "plimsoll"


def suite_command(package: str, *arguments: str) -> list[str]:
    """Return the command that runs a package of the suite, whatever packages of its name there are besides.

    The one beside this package is run, installed or not: neither the working directory, which `python -m`
    looks into first, nor PYTHONPATH has a say.
    """
    return [sys.executable, "-P", "-c", _RUN_PACKAGE, str(SUITE_FOLDER), package, *arguments]
