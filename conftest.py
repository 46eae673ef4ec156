"""Settings of the whole test suite; fixtures live in tests/fix_*.py by subject."""

import os

from hypothesis import HealthCheck, settings

# Locust would patch pytest's own process for gevent; the tests start real locust processes without this.
os.environ["LOCUST_SKIP_MONKEY_PATCH"] = "1"

# The same examples each time, and all the time they take: a busy machine is no fault of a property. To look
# for new counterexamples: `pytest --hypothesis-profile explore`.
settings.register_profile("explore", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("suite", settings.get_profile("explore"), derandomize=True)
settings.load_profile("suite")

pytest_plugins = [
    "tests.fix_browser",
    "tests.fix_http_servers",
    "tests.fix_locust_process",
    "tests.fix_runs",
    "tests.fix_service",
    "tests.fix_bundled_service",
    "tests.fix_virtual_runs",
]
