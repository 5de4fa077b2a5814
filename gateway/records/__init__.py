"""What is kept about uploads: in the bucket, which is authoritative, and in Redis, which is fast.

`ledger` writes and finds the records of uploads, with `bucket` and `relay_batch` for the two
places. `claims` has idempotency keys, `removals` orders to remove files, `expiry` and `orphans`
marks on files, `spare` copies of records, `heartbeats` the uploads in progress.

`gateway.uploads` defines what an upload is, and the names of all objects and keys. Every method
that uses the store raises StoreUnavailable; most work without Redis.
"""
