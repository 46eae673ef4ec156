"""Rows of test data for users, each dealt by the master, so that no process deals a row that another has.

The master, or the single process, reads the rows and hands them out in blocks: a worker that comes or goes
while the load lasts changes nothing for the others, and what a lost worker had is never dealt again.
"""

from clients.feeding.feeder import Feeder, FeederExhausted
from clients.feeding.links import open_feeders, seed_of

__all__ = ["Feeder", "FeederExhausted", "open_feeders", "seed_of"]
