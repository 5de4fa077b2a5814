"""Uploads that continue where they were interrupted: the protocol, without any I/O.

`protocol` has what all dialects have in common, `dialects` reads and writes each of them.

Sources: draft-ietf-httpbis-resumable-upload ("the draft"), and tus 1.0.0 (tus.io).
"""
