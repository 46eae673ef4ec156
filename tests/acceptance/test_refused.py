"""Real processes that are refused end at once, with all faults, and before any load."""

from __future__ import annotations

from tests.fix_runs import Runner
from tests.fix_service import Service
from tests.processes import two_workers


def test_all_faults_of_the_options_at_once(run: Runner) -> None:
    """Host, run directory and thresholds are all checked before anything is said."""
    (run.folder / "run-1").mkdir()
    (run.folder / "run-1" / "something").touch()
    refused = run("-H", "localhost:80", thresholds="thresholds: []\n")

    assert refused.status == 2
    for fault in ("'localhost:80' is not a base URL", "is not empty", "thresholds"):
        assert fault in refused.output
    assert "Traceback" not in refused.output


def test_workers_of_a_run_that_is_refused(run: Runner, service: Service) -> None:
    """What a client would refuse in each user is said once, by the master, and the workers end with it."""
    source = run.locustfile.read_text(encoding="utf-8")
    source = source.replace(
        "class Visitor(FastHttpUser):", "class Visitor(LeanHttpUser):\n    concurrency = 0"
    )
    run.locustfile.write_text(f"from plimsoll.users.http import LeanHttpUser\n{source}", encoding="utf-8")
    refused = run("-H", service.url, *two_workers())

    assert refused.status == 2, refused.output
    assert [line for line in refused.output.splitlines() if line.startswith("plimsoll:")] == [
        "plimsoll: Visitor: concurrency must be at least 1, got 0"
    ]
    assert "Traceback" not in refused.output
    assert service.answered == 0
    assert not (refused.directory / "run.json").exists()
