"""A stand-in for ChatKitty, for tests and trials: the part of its API that files and messages need.

`operations` lists what it can do, `state` what it remembers, and `faults` lets a test make it fail.
A library reads multipart bodies, never `gateway.multipart`.

It imports almost nothing of the gateway, so that the same fault cannot be on both sides.
"""
