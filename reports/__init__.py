"""What a run means: load, find the steady state, estimate, hold against thresholds, reach a verdict, render."""
