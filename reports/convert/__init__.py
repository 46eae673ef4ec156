"""Read the thresholds of other load testing tools, one module a tool, and write them as ours."""
