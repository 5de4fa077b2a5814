"""The messages to backends when an upload finishes (Standard Webhooks 1.0.0), and the endpoints.

`messages` renders it and `signing` signs it; `progress` says what follows an attempt, `schedule`
when; `addresses` says which addresses may be reached. These are pure. `sender` sends. That nothing
is lost in between is the work of `gateway.records.outbox` and of workers.
"""
