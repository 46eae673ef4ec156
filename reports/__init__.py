"""What a run means: load, find the steady state, estimate, judge against thresholds, give a verdict, render."""
