"""A worker and a beat that nobody starts again, beside a broker that fails in every way it can."""
