"""Redis as gateways, workers and the broker's clients use it: a server that may change its role."""
