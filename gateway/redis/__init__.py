"""Redis as gateways, workers and the broker's clients use it: a server that may change its role.

`address` reads URLs, also those of sentinels; `client` opens clients whose names are below one
prefix; `pool` and `sentinels` find the primary again; `transport` is the broker's. `script_pipe`
calls one script with next to no cost; `sharing` makes one call of many requests.

What is kept in Redis, and under which keys, is not decided here.
"""
