"""Redis as gateways, workers and the broker's clients use it: a server that may change its role.

`address` reads URLs, including those with sentinels. `client` opens clients that put one prefix
before all keys. `pool` and `sentinels` find the primary again; `transport` does so for the broker.
`script_pipe` calls one script at little cost; `sharing` makes one call of many requests.

What is kept in Redis, and under which keys, is not decided here.
"""
