"""How much load, and when: schedules as pure functions, arrivals, pacing, and the base classes of shapes."""
