"""What a run means: load, judge, render."""
