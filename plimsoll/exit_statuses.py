"""The exit statuses of every command of the suite; this module imports nothing."""

EXIT_PASS = 0
EXIT_CRASH = 1
EXIT_BAD_CONFIGURATION = 2
# As Automake for "could not be tested".
EXIT_INCONCLUSIVE = 77
# As k6 for failed thresholds.
EXIT_FAIL = 99
