"""The steps of an upload after its answer, one module each, with the names of their tasks.

`inspection`, `registration`, `audit`, `resumption` and `removal` each read the record, do one
thing, and write the record; `offering` is an inspection without reading. `sessions` ends uploads in
several requests, `namers` searches for what else names a file. `opening` and `ending` are the same
for all; `poison` limits the time of each and counts those that die; `schedule` says when one is
tried again.

A step may run twice, and may be killed at any point: each is written for that.
"""
