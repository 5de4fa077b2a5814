"""The steps of an upload after its answer, one module each, by the names of their tasks.

`inspection`, `registration`, `audit`, `resumption` and `removal` each read the record, do one
thing, and write the record. `opening` and `ending` are the same for all; `poison` bounds the time
of each and counts those that die; `schedule` says when one is tried again.

A step may run twice, and be killed at any point: each is written for that.
"""
