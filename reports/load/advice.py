"""Read advice.json, which `plimsoll advise` writes, without trusting it."""

import json
from pathlib import Path

from plimsoll.run_files.advice import Advice
from reports.files import read_regular

MAX_BYTES = 10_000_000


def read_advice(path: Path) -> tuple[Advice | None, list[str]]:
    """Return the advice on the database of a run, None where there is none, and what was odd about it."""
    try:
        advice = Advice.of(json.loads(read_regular(path, MAX_BYTES)))
        # A figure that is no number shows when it is written.
        _ = [gain.words for gain in (*advice.tried, *(each.gain for each in advice.findings)) if gain]
        _ = [(*each.next_steps, *each.evidence.items()) for each in advice.findings], [*advice.notes]
    except FileNotFoundError:
        return None, []
    except OSError as error:
        return None, [f"{path.name}: {error.strerror}"]
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        return None, [
            f"{path.name} is not shown, as it cannot be read: {error!r}; `plimsoll advise` makes it anew"
        ]
    return advice, []
