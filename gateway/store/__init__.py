"""The border to the object store: S3, and whatever speaks its API.

`objects` says what callers may rely on, `s3` does it with aiobotocore, `writer` turns bytes of
unknown length into one object. `faults` translates the store's errors.

In go keys and bytes, out come values or errors of ours. Nothing of aiobotocore leaves this package.
"""
