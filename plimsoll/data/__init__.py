"""What a journey needs to have before its load starts: rows of test data, and what is set up once per run.

The master, or the single process, allocates the rows, so that no process has one that another has: a worker
that comes or goes while the load lasts changes nothing for the others, and what a lost worker had is never
allocated again.
"""

from plimsoll.data.channel import seed_of
from plimsoll.data.feeder import Feeder, FeederExhausted
from plimsoll.data.preparation import Preparation
from plimsoll.data.set_up import set_up

__all__ = ["Feeder", "FeederExhausted", "Preparation", "seed_of", "set_up"]
