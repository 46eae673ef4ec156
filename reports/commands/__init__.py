"""The commands of `python -m reports`, one module each."""
