"""The journeys that put load on the bundled service, and what each takes for a right answer."""
