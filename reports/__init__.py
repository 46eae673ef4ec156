"""What a run means: load, steady state, estimates, thresholds, verdict, render."""
