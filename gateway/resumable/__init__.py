"""Uploads that come in several requests, which any gateway continues where the last one ended.

`session` is what is known of such an upload, pure; `sessions` keeps it in the bucket, `appending`
brings bytes to it, and `finishing` makes a file of it, which then goes the way of any other hosted
upload. `dialects` reads what clients ask and writes what they are answered.

Redis carries hints only. Every method that uses the store raises StoreUnavailable.
Sources: draft-ietf-httpbis-resumable-upload ("the draft"), and tus 1.0.0 (tus.io).
"""
