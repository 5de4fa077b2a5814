"""A ChatKitty of our own for tests and trials: its API as far as files and messages need it.

`operations` lists what it can do, `state` is what it remembers, `faults` is how a test makes it
fail. Multipart bodies are read by a library, never by `gateway.multipart`.

It imports nothing of the gateway but basics, so that no fault of the gateway can hide behind
itself.
"""
