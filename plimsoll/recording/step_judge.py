"""Verdicts on the steps of a search, reached while the run goes on, by the code that judges its end too."""

from __future__ import annotations

import gevent

import json
import logging
from pathlib import Path

from plimsoll.loads.search import Outcome
from plimsoll.recording.judging import run_reports
from plimsoll.run_files.exit_status import ExitStatus

logger = logging.getLogger("plimsoll")


class StepJudge:
    """Returns the verdict on a step that is over as soon as it is reached.

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
        verdict = self._verdicts_so_far().get(step, "INCONCLUSIVE")
        logger.info("%s: %s", step, verdict)
        return verdict

    def _verdicts_so_far(self) -> dict[str, Outcome]:
        judged = run_reports(["steps", str(self._run_directory.resolve())])
        if judged.returncode != ExitStatus.PASS:
            logger.error("the steps cannot be judged: %s", judged.stderr.strip() or judged.returncode)
            return {}
        verdicts: dict[str, Outcome] = json.loads(judged.stdout)
        return verdicts
