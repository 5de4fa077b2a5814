"""Uploads that go on where they were cut: the resource, and the dialects it is spoken to in.

Sources: draft-ietf-httpbis-resumable-upload ("the draft"), and tus 1.0.0 (tus.io).
"""
