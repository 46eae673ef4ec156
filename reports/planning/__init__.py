"""Predict, before a load starts, how many samples each threshold will have, and how many it needs."""
