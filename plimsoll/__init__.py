"""Load tests on Locust that end in a verdict: PASS, FAIL or INCONCLUSIVE."""
