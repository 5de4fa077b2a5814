"""What is kept of uploads: in the bucket, which is the truth, and in Redis, which is quick.

`ledger` writes and finds records of uploads; `bucket` and `relay_batch` are its two sides.
Beside the records there are claims of idempotency keys, orders to remove files, marks of when a
file expires or was found alone, copies of records, and signs of which upload is being received.

What an upload is and may become is in `gateway.uploads`, the names of all objects and keys too.
Every method that asks the store raises StoreUnavailable; most cope without Redis.
"""
