"""Reach the verdict: hold estimates against thresholds, and the run against what makes it worth trusting."""
