"""The calls of S3 that every upload makes, without botocore's machinery for any service.

`requests` builds them, `signing` signs them by botocore's signer, and `exchange` sends them by the
HTTP session of aiobotocore's client. That client also says where the bucket is, and whether a
failed call is repeated; `failures` reads the failure.

In go keys and bytes, out come headers and bytes, or the errors of botocore.
"""
