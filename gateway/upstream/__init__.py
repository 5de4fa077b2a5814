"""The border to ChatKitty: its API, as far as files need it.

`client` has the calls, `transport` one bounded HTTP exchange, `endpoints` recognises what takes a
file. `token` and `shared_token` are the gateway's own credentials. `retry`, `reconcile` and
`breaker` decide what follows an error, and how a file is registered only once.

This package sends the gateway's own requests; `gateway.delivery` relays uploads.
"""
