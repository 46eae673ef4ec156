"""How a journey talks to the service: the hot path."""
