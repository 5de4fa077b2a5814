"""What is kept about uploads: in the bucket, which is authoritative, and in Redis, which is fast.

`ledger` writes and finds records of uploads; `bucket` and `relay_batch` are its two sides.
As well as records, there are claims of idempotency keys, orders to remove files, marks of when a
file expires or was found without a record, copies of records, and heartbeats of uploads.

`gateway.uploads` defines what an upload is and may become, and the names of all objects and keys.
Every method that uses the store raises StoreUnavailable; most work without Redis.
"""
