"""The contract of the run directory: recording writes by it and reports read by it; standard library only."""
