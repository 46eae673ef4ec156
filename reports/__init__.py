"""What a run means: load, find the steady state, estimate, judge against thresholds, reach a verdict, render."""
