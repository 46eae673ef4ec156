"""Read thresholds: statements that must hold, checked before any load starts."""
