"""The checks of a run: of its load, its generator, its requests and its recording.

A check that cannot be made (no plan, no run.json) is left out: it is not passed.
"""
