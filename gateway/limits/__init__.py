"""How much may be used: by one subject, by one client, by all.

`quota` has the rules of a subject's quota. `shared_quota` applies them for all gateways through
Redis, and for its own process alone while Redis is unavailable. `budget` limits memory, `slots`
uploads in progress, `connections` connections. `minimum_rate` and `watch` find slow clients.

Decisions are pure; only `shared_quota` asks another server.
"""
