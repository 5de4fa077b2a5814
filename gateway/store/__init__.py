"""The border to the object store: S3, or any store that speaks its API.

`objects` defines what callers may rely on, and `s3` implements it. `calls` are the requests that
every upload makes: `direct` sends them, or aiobotocore (`sdk`), which sends all others. `answers`
reads the answers, `listing` those of listings, and `faults` translates the store's errors. `writer`
turns bytes of unknown length into one object.

The input is keys and bytes, the output values or our own errors. No other package sees aiobotocore.
"""
