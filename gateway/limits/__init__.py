"""How much may be used: by one subject, by one client, by all.

`quota` has the rules of a subject's quota, `shared_quota` applies them for all gateways through
Redis, and alone while Redis is away. `budget` shares out memory, `slots` uploads at a time,
`crowd` connections. `minimum_rate` and `watch` find clients that are too slow.

Decisions are pure; only `shared_quota` asks another server.
"""
