"""What was seen during a run, written down as it happens."""
