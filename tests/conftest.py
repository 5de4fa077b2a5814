from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.servers.fixtures"]

# How long an example takes says more of what else the machine does than of our code.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")
