"""Load a run: its description, Locust's CSV files, the recorder's intervals, as far as they can be read."""
