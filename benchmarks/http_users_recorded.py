"""The users of http_users.py in runs that are recorded and judged."""

from benchmarks.http_users import Fast, FastIdle, Lean, LeanIdle
from plimsoll import record_run

__all__ = ["Fast", "FastIdle", "Lean", "LeanIdle"]

record_run()
