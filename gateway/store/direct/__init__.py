"""The S3 calls that every upload makes, without botocore's machinery for all services.

`requests` builds them and `signing` signs them. `exchange` sends each until it succeeds: `session`
uses the connections of aiobotocore's client. That client also knows where the bucket is, and
decides whether a failed call is repeated; `failures` reads the failure.

The input is keys and bytes, the output headers and bytes, or botocore's errors.
"""
