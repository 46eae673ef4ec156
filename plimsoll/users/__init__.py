"""How a journey talks: one module a protocol, on Locust."""
