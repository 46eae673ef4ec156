"""Estimate metrics, each with the interval it lies in."""
