"""Uploads in several requests: any gateway continues them where the last request ended.

`session` is the state of such an upload, pure; `sessions` keeps it in the bucket, `appending` adds
bytes, and `finishing` makes a file of it, which is then an upload like any other hosted one.
`dialects` reads requests and writes answers in each protocol; `protocol` is what they share.

Redis has only hints. Every method that uses the store raises StoreUnavailable. Sources:
draft-ietf-httpbis-resumable-upload ("the draft"), and tus 1.0.0 (tus.io).
"""
