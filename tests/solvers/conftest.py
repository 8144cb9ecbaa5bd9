"""Settings of Hypothesis for all solver tests: repeatable, and no deadline on shared machines."""

from hypothesis import HealthCheck, settings


def pytest_configure() -> None:
    """After that of all tests, which says how many examples there are."""
    slow = [HealthCheck.too_slow]
    settings.register_profile(
        "solvers", deadline=None, derandomize=True, suppress_health_check=slow
    )
    settings.load_profile("solvers")
