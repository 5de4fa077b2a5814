"""What an upload is, and what may become of it: the domain. It does no I/O.

`record` is all that is known of an upload, `lifecycle` which state follows which, `policy` which
content may pass, `mismatch` whether ChatKitty took it for the same, `keys` under which names it
is kept.

In come values, out go values or errors of ours. No module here waits, logs, reads settings, or
knows a store, Redis, a queue or HTTP: `gateway.records` keeps what is described here.
"""
