"""A worker and a beat without a supervisor, while their broker fails in every way.

`faults` decides by a seed what happens to the broker, `engines` does it to Redis or RabbitMQ, and
`run` uploads meanwhile, and audits as `chaos` does.
"""
