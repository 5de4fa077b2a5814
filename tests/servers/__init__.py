"""Servers that tests use, most of them real ones; `fixtures` makes a fixture of each.

Real: `gateway`, `zygote` (starts gateways quickly), `sandbox`, `databases`, `sentinels`,
`rabbitmq`, `sqs`, `provider` (of tokens), `poisonable_libmagic`. Between a part and its server:
`store_proxy` and `cut_line` break requests, `aged_store` and `clock` change times.

`certificate` and `authority` make certificates, `s3_api` makes clients of S3 cheaper; `logs`,
`metrics` and `secrets` read what servers write. The input is settings and a directory, the output
a URL or an object. No test is in here.
"""
