"""The private names of other libraries that are used, each behind a public name.

Each module has those of one library. ruff (PLC2701, SLF001) finds any use elsewhere.

Subclasses elsewhere use private attributes that they inherit. `tests/gateway/internals` names each
of those as well, and fails if a new version of a library no longer has one.
"""
