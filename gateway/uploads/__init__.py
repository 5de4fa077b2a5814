"""What an upload is, and what may become of it: the domain. It does no I/O.

`record` is all that is known of an upload, `lifecycle` says which state follows which, `policy`
which content may pass, and `mismatch` whether ChatKitty read it differently. `keys` has the names
of all objects and keys; `names`, `links` and `ids` are those of files, URLs and uploads.

The input is values, the output values or our own errors. No module here waits, logs, reads
settings, or knows a store, Redis, a queue or HTTP: `gateway.records` keeps what is described here.
"""
