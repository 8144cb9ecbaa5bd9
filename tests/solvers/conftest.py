"""Settings of Hypothesis for all solver tests: repeatable, and no deadline on shared machines."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "solvers", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("solvers")
