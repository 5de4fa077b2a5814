"""Servers that tests and chaos runs use in the same way: a Redis that fails over, and a RabbitMQ.

`rabbitmq` is a node of RabbitMQ with alarms on demand. `failover` is one address of Redis behind
which servers change roles; `listening` is the small TCP server that it is made of.
"""
