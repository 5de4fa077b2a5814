"""The border to the object store: S3, and whatever speaks its API.

`objects` says what callers may rely on, and `s3` does it. Those of its calls that each upload makes
(`calls`) are made by `direct`, or by aiobotocore (`sdk`); aiobotocore makes all others. `answers`
reads what comes back, `listing` does so for listings, and `faults` translates the store's errors.
`writer` turns bytes of unknown length into one object.

In go keys and bytes, out come values or errors of ours. Nothing of aiobotocore leaves this package.
"""
