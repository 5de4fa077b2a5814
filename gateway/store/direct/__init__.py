"""The S3 calls that every upload makes, without botocore's machinery for all services.

`requests` builds them, `signing` signs them with botocore's signer, and `exchange` sends them over
the HTTP session of aiobotocore's client. That client also knows where the bucket is, and decides
whether a failed call is repeated; `failures` reads the failure.

The input is keys and bytes, the output headers and bytes, or botocore's errors.
"""
