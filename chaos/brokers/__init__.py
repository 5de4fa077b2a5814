"""A worker and a beat without a supervisor, next to a broker that fails in every way."""
