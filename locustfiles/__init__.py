"""Who puts load on the service, and what is a right answer."""
